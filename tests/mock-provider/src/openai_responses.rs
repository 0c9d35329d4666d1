//! OpenAI's responses, as its API reference has them.

mod conversation;
mod events;
mod parse;
mod render;
mod schema;

pub(super) use events::events;
pub(super) use parse::parse_request;
pub(super) use render::response_body;

/// The name under which reasoning of this dialect is sealed.
const DIALECT: &str = "responses";

#[cfg(test)]
mod tests;
