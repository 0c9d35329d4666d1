//! Anthropic's Messages API, by its API reference.

mod conversation;
mod parse;
mod render;
mod schema;

pub(super) use parse::{parse_count_request, parse_request};
pub(super) use render::{events, response_body};

/// The dialect's name in its reasoning signatures.
const DIALECT: &str = "anthropic";

#[cfg(test)]
mod tests;
