//! Citations: `annotations` of the type `url_citation`.

use serde_json::{Map, Value, json};

use crate::ir::{Citation, Part};

/// Decodes a citation of a web page; `None` if the annotation is something else.
pub(super) fn decode(annotation: &Value) -> Option<Citation> {
    let cited = annotation.get("url_citation")?;
    let text = |name: &str| Some(cited.get(name)?.as_str()?.to_owned());
    let position = |name: &str| cited.get(name)?.as_u64();
    Some(Citation {
        url: Some(text("url")?),
        title: text("title"),
        // OpenRouter's own member.
        quoted: text("content"),
        span: position("start_index").zip(position("end_index")),
        raw: annotation.clone(),
    })
}

/// Adds the citations of a message to its first text.
pub(super) fn attach(parts: &mut [Part], annotations: &[Value]) {
    let text = parts.iter_mut().find_map(|part| match part {
        Part::Text { citations, .. } => Some(citations),
        _ => None,
    });
    if let Some(citations) = text {
        citations.extend(annotations.iter().filter_map(decode));
    }
}

/// Encodes a citation as an annotation; `None` if it has no URL. The cited text begins `offset` characters
/// after the beginning of the message.
pub(super) fn encode(citation: &Citation, offset: u64, text_chars: u64) -> Option<Value> {
    let url = citation.url.as_deref()?;
    // The API requires all four members. A citation without a span is of the whole text.
    let (start, end) = citation.span.unwrap_or((0, text_chars));
    let mut cited = Map::new();
    cited.insert(
        "start_index".to_owned(),
        json!(start.saturating_add(offset)),
    );
    cited.insert("end_index".to_owned(), json!(end.saturating_add(offset)));
    cited.insert(
        "title".to_owned(),
        json!(citation.title.as_deref().unwrap_or(url)),
    );
    cited.insert("url".to_owned(), json!(url));
    if let Some(quoted) = &citation.quoted {
        cited.insert("content".to_owned(), json!(quoted));
    }
    Some(json!({"type": "url_citation", "url_citation": cited}))
}
