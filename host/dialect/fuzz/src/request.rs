//! Translates a client's request to every provider's dialect, for a provider that takes all and for one of other
//! traits.

use jackfield_dialect::Dialect;
use jackfield_dialect::ir::{Request, TranslationReport, WARNINGS_MAX};
use jackfield_dialect::traits::{
    ContentForm, FirstTurn, ImagePlaces, SystemMessages, TokenLimitMember, TraitRow, Traits, rows,
};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{bound, request_head};

pub(crate) fn check(dialect: Dialect, data: &[u8]) {
    check_relay(dialect, data);
    let request_head = request_head(data);
    let mut report = TranslationReport::default();
    let Ok(request) = dialect.codec().decode_request(data, &request_head, &mut report) else {
        return;
    };
    assert_eq!(request.model, request_head.model);
    for to in Dialect::ALL {
        encode(to, &request, &Traits::everything(), report.clone(), data);
        let traits = traits(to, data);
        let mut shaped = request.clone();
        let mut report = report.clone();
        shaped.shape(&traits, &mut report);
        let Some(written) = encode(to, &shaped, &traits, report, data) else {
            continue;
        };
        if to == Dialect::OpenaiChat {
            obeys(&written, &traits);
        }
    }
}

/// A request that is not translated is JSON after the traits changed it, and nothing is left to be changed.
fn check_relay(dialect: Dialect, data: &[u8]) {
    let traits = traits(dialect, data);
    if let Some(shaped) = traits.shape_relay(dialect, data) {
        let json = serde_json::from_slice::<&RawValue>(&shaped.body);
        assert!(json.is_ok(), "{dialect}: no JSON: {:?}", shaped.body);
        assert!(!shaped.warnings.is_empty(), "{dialect}: no warning");
        let again = traits.shape_relay(dialect, &shaped.body);
        assert!(again.is_none(), "{dialect}: changed again: {again:?}");
    }
}

/// Encodes a request. An encoder may reject it. If it does not, its output must be a valid request.
fn encode(
    to: Dialect,
    request: &Request,
    traits: &Traits,
    mut report: TranslationReport,
    data: &[u8],
) -> Option<Vec<u8>> {
    let written = to.codec().encode_request(request, traits, &mut report).ok()?;
    assert!(report.warnings().len() <= WARNINGS_MAX, "{to}: too many warnings");
    bound::hold("request", data.len(), written.len());
    let head = request_head(data);
    if let Err(refusal) = to.codec().decode_request(&written, &head, &mut TranslationReport::default()) {
        // A dialect can express features that its own decoder rejects as untranslatable.
        let untranslated = UNTRANSLATED.iter().any(|what| refusal.what.contains(what));
        let shown = String::from_utf8_lossy(&written);
        assert!(untranslated, "{to}: {refusal}\n{shown}");
    }
    Some(written)
}

/// Returns traits that depend on the bytes of the input: those of two built-in rows of the dialect.
fn traits(dialect: Dialect, data: &[u8]) -> Traits {
    let mut traits = Traits::default();
    let rows: Vec<_> = rows().iter().filter(|row| is_about(row, dialect)).collect();
    let sum = data.iter().fold(data.len(), |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
    for place in [sum, sum / 64] {
        if let Some(row) = rows.get(place % (rows.len() + 1)) {
            traits.apply(&row.traits);
        }
    }
    traits
}

fn is_about(row: &TraitRow, dialect: Dialect) -> bool {
    row.dialects.iter().any(|name| name == dialect.name())
}

/// Checks a request of the chat against the traits that it was shaped by.
fn obeys(written: &[u8], traits: &Traits) {
    let body: Value = serde_json::from_slice(written).expect("the request is JSON");
    let messages = body["messages"].as_array().expect("messages");
    let roles: Vec<&str> = messages.iter().filter_map(|it| it["role"].as_str()).collect();
    let later = roles.iter().skip(1).any(|role| *role == "system");
    assert!(traits.system == SystemMessages::Anywhere || !later, "{body}");
    let first = roles.iter().find(|role| **role != "system");
    assert!(traits.first_turn == FirstTurn::Any || first != Some(&"assistant"), "{body}");
    let limit = traits.token_limit == TokenLimitMember::MaxTokens;
    assert!(body.get(if limit { "max_completion_tokens" } else { "max_tokens" }).is_none(), "{body}");
    for message in messages {
        let parts = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let image = parts.iter().any(|part| part["type"] == "image_url");
        assert!(traits.images != ImagePlaces::None || !image, "{body}");
        let texts = !parts.is_empty() && parts.iter().all(|part| part["type"] == "text");
        assert!(traits.content == ContentForm::List || !texts, "{body}");
    }
    for tool in body["tools"].as_array().map(Vec::as_slice).unwrap_or_default() {
        assert!(traits.custom_tools || tool["type"] == "function", "{body}");
        let name = tool["function"]["name"].as_str().unwrap_or_default();
        assert!(name.chars().count() <= usize::from(traits.tool_name_chars_max), "{body}");
    }
}

/// Parts of the error texts for features of a single dialect, such as videos and files uploaded to Google.
const UNTRANSLATED: [&str; 2] = ["can be translated", "uploaded to Google"];
