//! An error that Jackfield itself makes, before a dialect has given it a shape.

/// An error for a client. Each dialect renders it in its own format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorBody<'a> {
    /// One sentence for people. Nothing secret.
    pub message: &'a str,
    /// The kind of the error, by the dialect's own name, such as OpenAI's `type`.
    pub kind: &'a str,
    /// A more specific code for programs.
    pub code: Option<&'a str>,
    /// The member of the request that is at fault.
    pub param: Option<&'a str>,
    /// How long to wait, where every credential cools.
    pub cooldown: Option<CooldownBody<'a>>,
}

/// How long a model cools: members beside the dialect's own, for programs that know of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownBody<'a> {
    /// The model, as the client called it.
    pub model: &'a str,
    /// The provider, if only one serves the model.
    pub provider: Option<&'a str>,
    /// How long, for people: `1m 10s`.
    pub reset_time: &'a str,
    /// How long, in seconds, as in the header `retry-after`.
    pub reset_seconds: u64,
}
