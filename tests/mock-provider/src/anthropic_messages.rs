//! Anthropic's messages, as its API reference has them.

mod conversation;
mod parse;
mod render;
mod schema;

pub(super) use parse::{parse_count_request, parse_request};
pub(super) use render::{events, response_body};

/// The name under which signatures of this dialect are made.
const DIALECT: &str = "anthropic";

#[cfg(test)]
mod tests;
