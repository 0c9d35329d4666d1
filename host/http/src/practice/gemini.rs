//! Gemini's API, as its reference has it: the method stands behind a colon in the path.

mod check;
mod names;
mod paths;
mod render;
mod shapes;
mod talk;

pub(super) use paths::method;

/// The name under which signatures of this dialect are made.
const DIALECT: &str = "gemini";

#[cfg(test)]
mod tests;
