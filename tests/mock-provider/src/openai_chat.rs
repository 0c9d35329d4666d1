//! OpenAI's Chat Completions API, by its API reference.

mod conversation;
mod parse;
mod render;
mod schema;

pub(super) use schema::{COMPLETION_BODY, EFFORT};

pub(super) use parse::{parse_request, remove_unknown};
pub(super) use render::{events, response_body, usage};

#[cfg(test)]
mod tests;
