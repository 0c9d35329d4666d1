//! Anthropic's messages, as its API reference has them.

mod check;
mod render;
mod shapes;
mod talk;

pub(super) use check::{check, check_count};
pub(super) use render::{events, whole};

/// The name under which signatures of this dialect are made.
const DIALECT: &str = "anthropic";

#[cfg(test)]
mod tests;
