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
}
