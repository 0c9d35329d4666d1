//! Tests of the whole dialect: the shared cases, the rules of the API, and arbitrary input.

mod api_constraints;
mod cache;
mod cases;
mod clients;
mod fixtures;
mod losses;
mod model_versions;
mod properties;
mod sampling;
mod stream;

use crate::traits::Traits;
use serde_json::Value;

use super::{decode_request, encode_request};
use crate::RequestHead;
use crate::ir::{Request, TranslationError, TranslationReport};

/// Decodes a request. Returns the warnings too, each with its field and text.
fn read(body: &Value) -> (Result<Request, TranslationError>, Vec<(String, String)>) {
    let text = body.to_string();
    let mut report = TranslationReport::default();
    let head = RequestHead::read(text.as_bytes()).unwrap();
    let request = decode_request(text.as_bytes(), &head, &mut report);
    (request, warnings_of(&report))
}

/// Encodes a request. Returns the warnings too, each with its field and text.
fn write(request: &Request) -> (Result<Value, TranslationError>, Vec<(String, String)>) {
    let mut report = TranslationReport::default();
    // Most tests are about other members; `cache.rs` is about the marks.
    let traits = Traits {
        cache_marks: false,
        ..Traits::built_in(
            crate::Dialect::AnthropicMessages,
            "api.anthropic.com",
            &request.model,
        )
    };
    let written = encode_request(request, &traits, &mut report);
    let written = written.map(|body| serde_json::from_slice(&body).unwrap());
    (written, warnings_of(&report))
}

fn warnings_of(report: &TranslationReport) -> Vec<(String, String)> {
    let pair = |it: &crate::ir::Warning| (it.field.clone(), it.what.clone().into_owned());
    report.warnings().iter().map(pair).collect()
}

fn fields(warnings: &[(String, String)]) -> Vec<&str> {
    warnings.iter().map(|(field, _)| field.as_str()).collect()
}
