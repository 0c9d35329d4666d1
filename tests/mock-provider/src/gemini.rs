//! Gemini's API, by its API reference. The method follows a colon in the path.

mod camel_case;
mod conversation;
mod methods;
mod parse;
mod render;
mod schema;

pub(super) use methods::call_method;

/// The dialect's name in its reasoning signatures.
const DIALECT: &str = "gemini";

#[cfg(test)]
mod tests;
