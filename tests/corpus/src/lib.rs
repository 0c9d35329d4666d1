//! The corpus: exchanges between clients and providers from public reports, one folder each below
//! `tests/cases/wild`. Its `README.md` describes the files. For tests only; it knows no dialect.

mod case;
mod difference;
mod expectations;
mod json_text;
mod message;
mod splits;

pub use case::{Case, cases};
pub use difference::{json_difference, text_difference};
pub use expectations::Expectations;
pub use json_text::{JsonText, pretty_json};
pub use message::HttpMessage;
pub use splits::splits;
