//! OpenAI's chat completions, as its API reference has them.

mod check;
mod render;
mod shapes;

pub(super) use shapes::{COMPLETION, EFFORT};

pub(super) use check::check;
pub(super) use render::{events, usage, whole};

#[cfg(test)]
mod tests;
