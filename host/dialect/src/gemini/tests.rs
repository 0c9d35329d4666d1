//! The dialect as a whole: the cases that all dialects share, what is dropped and refused, streams, and
//! properties.

mod cases;
mod errors;
mod properties;
mod requests;
mod streams;
mod written;

use serde_json::Value;

use super::{decode_request, decoder};
use crate::Asked;
use crate::interlingua::{Event, Malformed, Notes, Refusal, Request};

/// What a `?` of any kind in a test becomes.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn asked() -> Asked<'static> {
    Asked {
        model: "gemini-2.5-flash".into(),
        stream: false,
    }
}

fn decode(body: &Value, notes: &mut Notes) -> Result<Request, Refusal> {
    decode_request(body.to_string().as_bytes(), &asked(), notes)
}

fn fields(notes: &Notes) -> Vec<&str> {
    notes.warnings().iter().map(|it| &*it.field).collect()
}

/// All events of a stream whose events have these data.
fn events<'a>(data: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, Malformed> {
    let mut decoder = decoder();
    let mut out = Vec::new();
    for data in data {
        decoder.event("", data, &mut out)?;
    }
    decoder.finish(&mut out);
    Ok(out)
}
