//! Errors that Jackfield itself makes, before a dialect renders them.

use serde::Serialize;

/// An error for a client. Each dialect renders it in its own format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorBody<'a> {
    /// One sentence for people. Nothing secret.
    pub message: &'a str,
    /// The kind of the error, by the dialect's own name, such as OpenAI's `type`.
    pub kind: &'a str,
    /// A more specific code for programs.
    pub code: Option<&'a str>,
    /// The invalid member of the request.
    pub param: Option<&'a str>,
    /// The cooldown, if all credentials are cooling down.
    pub cooldown: Option<CooldownBody<'a>>,
}

/// A cooldown of a model. All dialects render it as members beside their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CooldownBody<'a> {
    /// The model, by the client's name.
    pub model: &'a str,
    /// The provider, if only one serves the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<&'a str>,
    /// The remaining time for people: `1m 10s`.
    pub reset_time: &'a str,
    /// The remaining time in seconds, as in the header `retry-after`.
    pub reset_seconds: u64,
}
