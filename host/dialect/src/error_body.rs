//! An error that Jackfield itself makes, before a dialect has given it a shape.

/// What a client is told. Each dialect's module renders it in its own shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorBody<'a> {
    /// One sentence for people. Nothing secret.
    pub message: &'a str,
    /// What kind of error: the dialect's own word, such as OpenAI's `type`.
    pub kind: &'a str,
    /// A finer word for programs.
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
    /// The provider, if there is only one that serves it.
    pub provider: Option<&'a str>,
    /// How long, for people: `1m 10s`.
    pub reset_time: &'a str,
    /// How long, in seconds, as in the header `retry-after`.
    pub reset_seconds: u64,
}
