//! Why no credential is available for a call, as the client learns it. A provider's 401, 402, 403 and 404
//! concern the operator's credentials: to a client, 401 and 403 would mean its own key.

use std::fmt;
use std::time::Duration;

use jackfield_credential::{CoolingClass, Failure, Reasons, Unavailable, kind};
use jackfield_dialect::truncate;

use super::UpstreamFailure;

/// Why no credential is available for a model.
#[derive(Debug)]
pub struct NoCredential {
    /// The client's name of the model.
    pub model: String,
    /// How many are unavailable, by reason.
    pub unavailable: Unavailable,
    /// The last failure of the call, if an attempt began.
    pub failure: Option<UpstreamFailure>,
    /// How long until the first one may be available again.
    pub retry_after: Option<Duration>,
    /// The provider, if there is only one that serves the model.
    pub provider: Option<String>,
}

/// The reason that a client learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCredentialReason {
    /// All are busy, or cannot be used for reasons that differ.
    Busy,
    /// All are disabled, so that for clients there are none.
    Disabled,
    /// The provider, or the way to it, fails.
    Failing,
    /// A rate limit or a quota ends first.
    Limited,
    /// No provider serves the model, or not for this endpoint.
    Missing,
    /// The provider is overloaded.
    Overloaded,
    /// The provider refuses the credentials, or they need an operator.
    Refused,
}

impl NoCredential {
    /// Returns the reason that the client learns: that of the credential that is available first.
    pub fn reason(&self) -> NoCredentialReason {
        let reasons = self.unavailable.reasons().unwrap_or_default();
        if all_disabled(&reasons) {
            return NoCredentialReason::Disabled;
        }
        if reasons.busy > 0 {
            return NoCredentialReason::Busy;
        }
        let failed = self.failure.as_ref().map(|last| class_of(&last.failure));
        let first = reasons.first.as_ref().map(|first| first.class);
        match first.or(failed) {
            Some(CoolingClass::Limit) if self.unavailable.all_cooling() => {
                NoCredentialReason::Limited
            }
            Some(CoolingClass::Missing) if self.is_missing(&reasons) => NoCredentialReason::Missing,
            Some(CoolingClass::Missing | CoolingClass::Outage) => NoCredentialReason::Failing,
            Some(CoolingClass::Overload) => NoCredentialReason::Overloaded,
            Some(CoolingClass::Billing | CoolingClass::Limit | CoolingClass::Refused) | None => {
                NoCredentialReason::Refused
            }
        }
    }

    /// Whether the provider does not serve the model with any of the credentials.
    fn is_missing(&self, reasons: &Reasons) -> bool {
        self.unavailable.all_cooling() && reasons.classes.missing == reasons.cooling
    }

    /// Returns the provider's words about the credentials. Words about other failures stay in the call
    /// log: they may be about another client's request.
    fn words(&self) -> Option<String> {
        let reasons = self.unavailable.reasons()?;
        let is_shown = |class| {
            use CoolingClass::{Billing, Limit, Missing, Outage, Overload, Refused};
            match class {
                Billing | Missing | Refused => true,
                Limit | Outage | Overload => false,
            }
        };
        let failure = self.failure.as_ref().map(|last| &last.failure);
        let own = failure.filter(|failure| is_shown(class_of(failure)));
        let first = reasons.first.filter(|first| is_shown(first.class));
        let words = match (own, &first) {
            (Some(failure), _) => &*failure.message,
            (None, Some(first)) => &*first.cause.message,
            (None, None) => return None,
        };
        Some(words_for_clients(words))
    }
}

impl fmt::Display for NoCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = self.unavailable.reasons().unwrap_or_default();
        write!(f, "no credential available for model `{}`", self.model)?;
        // Others are available, but the call may not try more.
        if reasons != Reasons::default() {
            write!(f, " ({reasons})")?;
        }
        match self.reason() {
            NoCredentialReason::Failing => f.write_str(": the provider fails")?,
            NoCredentialReason::Overloaded => f.write_str(": the provider is overloaded")?,
            NoCredentialReason::Busy
            | NoCredentialReason::Disabled
            | NoCredentialReason::Limited
            | NoCredentialReason::Missing
            | NoCredentialReason::Refused => {}
        }
        match self.words() {
            Some(words) => write!(f, "; the provider says: {words}"),
            None => Ok(()),
        }
    }
}

/// Whether all credentials of the model are disabled.
fn all_disabled(reasons: &Reasons) -> bool {
    let others = Reasons {
        disabled: 0,
        ..reasons.clone()
    };
    reasons.disabled > 0 && others == Reasons::default()
}

/// Returns the class of a failure, by its kind; by its status, if the kind is an executor's own.
pub(crate) fn class_of(failure: &Failure) -> CoolingClass {
    match &*failure.kind {
        kind::AUTHENTICATION | kind::PERMISSION => CoolingClass::Refused,
        kind::BILLING => CoolingClass::Billing,
        kind::NOT_FOUND | kind::UNSUPPORTED => CoolingClass::Missing,
        kind::OVERLOADED => CoolingClass::Overload,
        kind::QUOTA | kind::RATE_LIMIT => CoolingClass::Limit,
        kind::TRANSIENT => CoolingClass::Outage,
        _ => match failure.status {
            Some(401 | 403) => CoolingClass::Refused,
            Some(402) => CoolingClass::Billing,
            Some(404..=407 | 501) => CoolingClass::Missing,
            Some(429) => CoolingClass::Limit,
            Some(503 | 529) => CoolingClass::Overload,
            _ => CoolingClass::Outage,
        },
    }
}

/// Returns a provider's words, at most [`WORDS_BYTES_MAX`], without the phrases by which a client would
/// think that they are about its own key.
fn words_for_clients(words: &str) -> String {
    let mut shown = truncate(words, WORDS_BYTES_MAX).to_owned();
    for (phrase, replacement) in MISREAD {
        while let Some(at) = shown.to_ascii_lowercase().find(phrase) {
            shown.replace_range(at..at + phrase.len(), replacement);
        }
    }
    shown
}

/// Phrases in error messages that Claude Code takes for errors of its user's login or account, whatever
/// the status, and what replaces them. Found in the code of `@anthropic-ai/claude-code` (native build,
/// November 2026): it searches the message in lower case. Anthropic's own 401 says "invalid x-api-key".
const MISREAD: [(&str, &str); 2] = [
    ("x-api-key", "API key"),
    (
        "credit balance is too low",
        "credit balance of the provider's account is too low",
    ),
];

/// The longest words of a provider in a message for clients, in bytes: two or three sentences.
const WORDS_BYTES_MAX: usize = 300;

#[cfg(test)]
mod tests;
