//! The dialect against its cases, its rules, and whatever may come.

mod cases;
mod clients;
mod demands;
mod drawn;
mod losses;
mod properties;
mod requests;
mod stream;

use serde_json::Value;

use super::{decode_request, encode_request};
use crate::Asked;
use crate::interlingua::{Notes, Refusal, Request};

/// Reads a request; what was said beside it.
fn read(body: &Value) -> (Result<Request, Refusal>, Vec<(String, String)>) {
    let text = body.to_string();
    let mut notes = Notes::default();
    let asked = Asked::read(text.as_bytes()).unwrap();
    let request = decode_request(text.as_bytes(), &asked, &mut notes);
    (request, said(&notes))
}

/// Writes a request; what was said beside it.
fn write(request: &Request) -> (Result<Value, Refusal>, Vec<(String, String)>) {
    let mut notes = Notes::default();
    let written = encode_request(request, &mut notes);
    let written = written.map(|body| serde_json::from_slice(&body).unwrap());
    (written, said(&notes))
}

fn said(notes: &Notes) -> Vec<(String, String)> {
    let pair = |it: &crate::interlingua::Warning| (it.field.clone(), it.what.clone().into_owned());
    notes.warnings().iter().map(pair).collect()
}

fn fields(said: &[(String, String)]) -> Vec<&str> {
    said.iter().map(|(field, _)| field.as_str()).collect()
}
