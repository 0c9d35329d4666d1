//! Tests of the whole dialect: the shared cases, dropped and rejected members, streams, and properties.

mod cases;
mod encode_requests;
mod errors;
mod properties;
mod requests;
mod streams;

use serde_json::Value;

use super::{decode_request, decoder};
use crate::RequestHead;
use crate::ir::{Event, Malformed, Request, TranslationError, TranslationReport};

/// The result of a test that uses `?`.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn request_head() -> RequestHead<'static> {
    RequestHead {
        model: "gemini-2.5-flash".into(),
        stream: false,
    }
}

fn decode(body: &Value, report: &mut TranslationReport) -> Result<Request, TranslationError> {
    decode_request(body.to_string().as_bytes(), &request_head(), report)
}

fn fields(report: &TranslationReport) -> Vec<&str> {
    report.warnings().iter().map(|it| &*it.field).collect()
}

/// Decodes a stream whose events have these data.
fn events<'a>(data: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, Malformed> {
    let mut decoder = decoder();
    let mut out = Vec::new();
    for data in data {
        decoder.event("", data, &mut out)?;
    }
    decoder.finish(&mut out);
    Ok(out)
}
