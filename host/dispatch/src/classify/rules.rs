//! The table of the host's rules: what each error response means, and the source of each rule.
//!
//! The first rule that matches counts, so the most specific ones come first: challenges, then words about
//! the request, the account and the model, then statuses. Rules with the status [`NONE`] also match errors
//! inside a response with a success status.
//!
//! A failure of the scope `request` costs only the client that sent the request, and one of the scope
//! `provider` names no party. Rules for the other scopes blame a credential for what the provider wrote, so
//! they read only text that no client can have written: see [`super::error_text`].
//!
//! Each rule has a folder in `tests/cases/health` with a real response, or a case in `classify/tests.rs`.
//! Sources are documentation, or issues as `owner/repo#n`. "CLIProxyAPI 1.19" names sections of the
//! compatibility rules (`host/docs/compat/rules.md`).

mod account;
mod model;
mod request;
mod status;

use std::ops::RangeInclusive;

use jackfield_credential::{Scope, kind};

/// One rule.
pub(super) struct Rule {
    /// The status codes that the rule matches.
    pub(super) status: Statuses,
    /// The condition on the error's texts.
    pub(super) matcher: Matcher,
    /// The scope and the kind of the failure.
    pub(super) classification: (Scope, &'static str),
    /// The document that says so.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "documents the rule, and tests read it")
    )]
    pub(super) source: &'static str,
}

/// What a rule looks for beside the status.
pub(super) enum Matcher {
    /// Matches every error.
    Anything,
    /// A bot-challenge page.
    Challenge,
    /// The error's code, type or status, or its whole message, is one of these. In lower case.
    Code(&'static [&'static str]),
    /// The message contains one of these. In lower case. Quoted parts of a message are empty: the phrase
    /// for ``The model `x` does not exist`` is ``model `` does not exist``.
    Phrase(&'static [&'static str]),
    /// Both one of these codes and one of these phrases.
    CodeAndPhrase(&'static [&'static str], &'static [&'static str]),
}

type Statuses = &'static [RangeInclusive<u16>];

/// Stands for an error inside a response with a success status.
pub(super) const NONE: u16 = 0;

const ANY: Statuses = &[NONE..=NONE, 400..=999];

/// All client errors: providers report faults of the request, the model and the account with any of
/// them.
const CLIENTS: Statuses = &[NONE..=NONE, 400..=499];

/// Statuses of invalid requests. Providers use them for accounts and models as well.
const INVALID_REQUEST: Statuses = &[NONE..=NONE, 400..=400, 403..=407, 409..=428, 430..=499];

/// Statuses with which providers report faults of an account. A 401 always means the credential.
const ACCOUNT: Statuses = &[NONE..=NONE, 400..=400, 402..=403, 409..=499];

const STREAM: Statuses = &[NONE..=NONE];

const fn rule(
    status: Statuses,
    matcher: Matcher,
    classification: (Scope, &'static str),
    source: &'static str,
) -> Rule {
    Rule {
        status,
        matcher,
        classification,
        source,
    }
}

const CHALLENGE: &[Rule] = &[
    // Not the provider's API at all.
    rule(
        &[403..=403, 429..=429, 503..=503],
        Matcher::Challenge,
        (Scope::Provider, kind::OVERLOADED),
        "Cloudflare, detecting a challenge page; CLIProxyAPI 1.19",
    ),
];

/// The rules by topic, the most specific first.
const TOPICS: [&[Rule]; 6] = [
    CHALLENGE,
    request::RULES,
    account::RULES,
    model::RULES,
    status::STREAM_RULES,
    status::RULES,
];

/// Returns all rules, the most specific first.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    TOPICS.into_iter().flatten()
}
