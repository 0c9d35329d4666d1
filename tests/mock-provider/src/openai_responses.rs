//! OpenAI's Responses API, by its API reference.

mod conversation;
mod events;
mod parse;
mod render;
mod schema;
mod tools;

pub(super) use events::events;
pub(super) use parse::parse_request;
pub(super) use render::response_body;

/// The dialect's name in its encrypted reasoning.
const DIALECT: &str = "responses";

#[cfg(test)]
mod tests;
