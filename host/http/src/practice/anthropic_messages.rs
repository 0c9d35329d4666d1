//! Anthropic's messages, as its API reference has them.

mod parse;
mod render;
mod schema;
mod conversation;

pub(super) use parse::{parse_request, parse_count_request};
pub(super) use render::{events, response_body};

/// The name under which signatures of this dialect are made.
const DIALECT: &str = "anthropic";

#[cfg(test)]
mod tests;
