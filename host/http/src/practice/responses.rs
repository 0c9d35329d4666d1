//! OpenAI's responses, as its API reference has them.

mod check;
mod events;
mod render;
mod shapes;
mod talk;

pub(super) use check::check;
pub(super) use events::events;
pub(super) use render::whole;

/// The name under which reasoning of this dialect is sealed.
const DIALECT: &str = "responses";

#[cfg(test)]
mod tests;
