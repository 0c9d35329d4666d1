//! OpenAI's chat completions, as its API reference has them.

mod conversation;
mod parse;
mod render;
mod schema;

pub(super) use schema::{COMPLETION_BODY, EFFORT};

pub(super) use parse::parse_request;
pub(super) use render::{events, response_body, usage};

#[cfg(test)]
mod tests;
