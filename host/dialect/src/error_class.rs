//! The classes of providers' errors. A provider reports a class by a code, by a phrase of the message or by
//! the status; each dialect has its own labels for it (`ErrorLabels`), which the client's tools compare.

mod context_length;
mod rules;

pub(crate) use context_length::{ContextCounts, ContextLengthMessage};

use std::borrow::Cow;

use crate::{ErrorBody, ProviderError};

/// What an error means, in no dialect's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorClass {
    /// The credential is missing or not valid.
    Authentication,
    /// The content violates a policy of the provider.
    ContentPolicy,
    /// The request is longer than the model's context.
    ContextLength,
    /// Any other fault of the request.
    InvalidRequest,
    /// The model or another object does not exist.
    NotFound,
    /// The provider has no capacity at the moment.
    Overloaded,
    /// The credential is valid, but lacks a permission.
    Permission,
    /// The account has no balance, or its quota is used up. To wait a moment does not help.
    Quota,
    /// Too many requests or tokens for the moment.
    RateLimit,
    /// Any other fault of the provider.
    Server,
    /// The provider took too long.
    Timeout,
    /// The body is too large.
    TooLarge,
}

impl ErrorClass {
    /// All classes.
    pub const ALL: [Self; 12] = [
        Self::Authentication,
        Self::ContentPolicy,
        Self::ContextLength,
        Self::InvalidRequest,
        Self::NotFound,
        Self::Overloaded,
        Self::Permission,
        Self::Quota,
        Self::RateLimit,
        Self::Server,
        Self::Timeout,
        Self::TooLarge,
    ];

    /// The name, for tables and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::ContentPolicy => "content policy",
            Self::ContextLength => "context length",
            Self::InvalidRequest => "invalid request",
            Self::NotFound => "not found",
            Self::Overloaded => "overloaded",
            Self::Permission => "permission",
            Self::Quota => "quota",
            Self::RateLimit => "rate limit",
            Self::Server => "server",
            Self::Timeout => "timeout",
            Self::TooLarge => "too large",
        }
    }

    /// The class of an HTTP status of 400 and above.
    #[must_use]
    pub const fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Quota,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            // Groq, flex processing; Anthropic.
            498 | 503 | 529 => Self::Overloaded,
            500.. => Self::Server,
            _ => Self::InvalidRequest,
        }
    }
}

impl ProviderError {
    /// The class of the error. `status` is the one of the response, if it was an error response.
    #[must_use]
    pub fn class(&self, status: Option<u16>) -> ErrorClass {
        let status = || status.filter(|status| *status >= 400);
        rules::find(self).unwrap_or_else(|| {
            let status = status().or_else(|| self.status());
            status.map_or(ErrorClass::Server, ErrorClass::from_status)
        })
    }
}

/// How a dialect expresses an [`ErrorClass`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorLabels {
    /// The HTTP status.
    pub status: u16,
    /// The member `type`, or Google's `status`.
    pub kind: &'static str,
    /// The codes of the class, the usual one first. Of a provider's codes, only these remain; all do if there
    /// are none.
    pub codes: &'static [&'static str],
}

/// The labels of a dialect for all errors.
#[derive(Clone, Copy)]
pub struct ErrorTable {
    /// Returns the labels of a class.
    pub labels: fn(ErrorClass) -> ErrorLabels,
    /// Returns the kind and the code of a status.
    pub(crate) kind: fn(u16) -> (&'static str, Option<&'static str>),
    /// How clients recognize a request that is too long, if not by the labels.
    pub(crate) context_length: Option<ContextLengthMessage>,
}

impl std::fmt::Debug for ErrorTable {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ErrorTable").finish_non_exhaustive()
    }
}

/// A provider's error in the labels of a client's dialect.
#[derive(Debug)]
pub(crate) struct TranslatedError<'a> {
    pub(crate) status: u16,
    pub(crate) kind: &'a str,
    pub(crate) code: Option<&'a str>,
    pub(crate) message: Cow<'a, str>,
    param: Option<&'a str>,
}

impl<'a> TranslatedError<'a> {
    /// Translates an error. `status` is the one of the response, if it was an error response.
    pub(crate) fn new(table: &ErrorTable, status: Option<u16>, error: &'a ProviderError) -> Self {
        let class = error.class(status);
        let labels = (table.labels)(class);
        // Several statuses have one class. Their differences remain, but clients know only one status of an
        // overload.
        let reported = status
            .or_else(|| error.status())
            .filter(|status| *status >= 400 && class != ErrorClass::Overloaded)
            .filter(|status| ErrorClass::from_status(*status) == class);
        let (kind, code) = match reported {
            Some(status) => (table.kind)(status),
            None => (labels.kind, labels.codes.first().copied()),
        };
        let reported_code =
            own_code(error).filter(|code| labels.codes.contains(code) || labels.codes.is_empty());
        let message = error.full_message();
        let message = match table.context_length {
            Some(own) if class == ErrorClass::ContextLength => {
                Cow::Owned(own.precede(&message).into_owned())
            }
            _ => message,
        };
        Self {
            status: reported.unwrap_or(labels.status),
            kind,
            code: reported_code.or(code),
            message,
            param: error.param.as_deref(),
        }
    }

    /// The error for a client of the provider's own dialect: the provider's words remain, with the status of their
    /// class. `status` is the one of the host.
    pub(crate) fn same_dialect(table: &ErrorTable, status: u16, error: &'a ProviderError) -> Self {
        let translated = Self::new(table, Some(status), error);
        Self {
            kind: error.kind.as_deref().unwrap_or(translated.kind),
            code: own_code(error).or(translated.code),
            message: error.full_message(),
            ..translated
        }
    }

    /// The error as dialects render it.
    pub(crate) fn body(&self) -> ErrorBody<'_> {
        ErrorBody {
            message: &self.message,
            kind: self.kind,
            code: self.code,
            param: self.param,
            cooldown: None,
        }
    }
}

/// The code of an error, unless it is a status or another number.
fn own_code(error: &ProviderError) -> Option<&str> {
    let code = error.code.as_deref()?;
    (!code.bytes().all(|byte| byte.is_ascii_digit())).then_some(code)
}

#[cfg(test)]
mod tests;
