//! Gemini's API, as its reference has it: the method stands behind a colon in the path.

mod camel_case;
mod conversation;
mod methods;
mod parse;
mod render;
mod schema;

pub(super) use methods::call_method;

/// The name under which signatures of this dialect are made.
const DIALECT: &str = "gemini";

#[cfg(test)]
mod tests;
