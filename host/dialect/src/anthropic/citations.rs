//! Citations of a text: web pages, documents and search results.

use serde_json::{Value, json};

use crate::ir::Citation;

/// Decodes a citation. `chars` is the length of the text in characters; `None` while it is streamed.
pub(crate) fn decode(raw: Value, chars: Option<u64>) -> Citation {
    let text = |name: &str| raw.get(name).and_then(Value::as_str).map(str::to_owned);
    let source = text("source").filter(|source| source.starts_with("http"));
    Citation {
        url: text("url").or(source),
        title: text("title").or_else(|| text("document_title")),
        quoted: text("cited_text"),
        span: chars.map(|chars| (0, chars)),
        raw,
    }
}

/// Encodes a citation for a response: the API's own as it came, a web page as a search result. `None`
/// for any other.
pub(crate) fn encode(citation: &Citation) -> Option<Value> {
    let kind = citation.raw.get("type").and_then(Value::as_str);
    if kind.is_some_and(|kind| kind.ends_with("_location")) {
        return Some(citation.raw.clone());
    }
    let url = citation.url.as_ref()?;
    Some(json!({
        "type": "web_search_result_location",
        "url": url,
        "title": citation.title,
        "cited_text": citation.quoted.as_deref().unwrap_or_default(),
        "encrypted_index": "",
    }))
}

/// Encodes a citation for a request, where the API accepts only its own.
pub(crate) fn encode_for_request(citation: &Citation) -> Option<Value> {
    let encrypted = citation.raw.get("encrypted_index");
    // `encode` writes an empty index for citations of other providers. The API cannot decrypt it.
    let is_synthetic = encrypted.is_some_and(|index| index.as_str() == Some(""));
    let kind = citation.raw.get("type").and_then(Value::as_str)?;
    (kind.ends_with("_location") && !is_synthetic).then(|| citation.raw.clone())
}

/// Counts the characters of a text.
pub(crate) fn char_count(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}
