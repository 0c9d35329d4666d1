//! Citations: the member `annotations` of a text.

use serde_json::{Value, json};

use crate::ir::Citation;

/// Decodes one annotation.
pub(super) fn decode(raw: &Value) -> Citation {
    let text = |name: &str| raw.get(name).and_then(Value::as_str).map(str::to_owned);
    let count = |name: &str| raw.get(name).and_then(Value::as_u64);
    Citation {
        url: text("url"),
        title: text("title").or_else(|| text("filename")),
        quoted: None,
        span: count("start_index").zip(count("end_index")),
        raw: raw.clone(),
    }
}

/// Decodes a list; empty for other values.
pub(super) fn decode_all(list: Option<&Value>) -> Vec<Citation> {
    let items = list.and_then(Value::as_array);
    items.into_iter().flatten().map(decode).collect()
}

/// Encodes a citation of a web page; `None` for others, which this dialect does not have. `length` is
/// the length of the text so far, in characters: the position if the citation has none.
pub(super) fn encode(citation: &Citation, length: usize) -> Option<Value> {
    if is_native(&citation.raw) {
        return Some(citation.raw.clone());
    }
    let url = citation.url.as_ref()?;
    let (start, end) = citation.span.unwrap_or((0, length as u64));
    Some(json!({
        "type": "url_citation",
        "url": url,
        "title": citation.title.as_deref().unwrap_or_default(),
        "start_index": start,
        "end_index": end,
    }))
}

fn is_native(raw: &Value) -> bool {
    let text = |name: &str| raw.get(name).is_some_and(Value::is_string);
    let number = |name: &str| raw.get(name).is_some_and(Value::is_u64);
    let has_span = || number("start_index") && number("end_index");
    match raw.get("type").and_then(Value::as_str) {
        Some("url_citation") => text("url") && text("title") && has_span(),
        Some("file_citation") => text("file_id") && text("filename") && number("index"),
        Some("file_path") => text("file_id") && number("index"),
        Some("container_file_citation") => {
            text("container_id") && text("file_id") && text("filename") && has_span()
        }
        _ => false,
    }
}
