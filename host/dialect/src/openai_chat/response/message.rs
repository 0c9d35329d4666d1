//! Reads a provider's message, or a delta of one. Members with an unexpected type count as missing.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::ir::{Malformed, Part, ReasoningPart};
use crate::openai_chat::{media, reasoning};

/// Reads a message, or a delta of one, as a tree.
///
/// # Errors
/// If it is nested too deeply, or a text of it has an escape that stands for no character.
pub(crate) fn decode(raw: &RawValue) -> Result<Map<String, Value>, Malformed> {
    serde_json::from_str(raw.get()).map_err(|_| Malformed("a message cannot be decoded"))
}

/// A piece of content. Mistral's models have their reasoning among the pieces.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Reasoning(&'a str),
    Refusal(&'a str),
    Text(&'a str),
}

/// Returns the pieces of a message's `content` that are not empty.
pub(crate) fn pieces(message: &Map<String, Value>) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    match message.get("content") {
        Some(Value::String(text)) => pieces.push(Piece::Text(text)),
        Some(Value::Array(items)) => items.iter().for_each(|item| add(item, &mut pieces)),
        _ => {}
    }
    pieces.retain(|piece| match piece {
        Piece::Reasoning(text) | Piece::Refusal(text) | Piece::Text(text) => !text.is_empty(),
    });
    pieces
}

/// Returns the images of a message, in OpenRouter's member.
pub(crate) fn images(message: &Map<String, Value>) -> Vec<Part> {
    let address = |item: &Value| {
        let url = item.get("image_url")?.get("url")?.as_str()?;
        media::from_url(url.to_owned()).ok().map(Part::Image)
    };
    list(message, "images").iter().filter_map(address).collect()
}

/// Returns the reasoning of a message.
pub(crate) fn reasoning_parts(message: &Map<String, Value>) -> Vec<ReasoningPart> {
    let details = list(message, "reasoning_details");
    reasoning::decode(reasoning::text_of(message), details)
}

/// Returns a list; anything else counts as an empty list.
pub(crate) fn list<'a>(object: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    let items = object.get(name).and_then(Value::as_array);
    items.map(Vec::as_slice).unwrap_or_default()
}

/// Returns a text; anything else counts as an empty text.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn add<'a>(item: &'a Value, pieces: &mut Vec<Piece<'a>>) {
    let Some(item) = item.as_object() else {
        return;
    };
    match text(item, "type") {
        "thinking" => match item.get("thinking") {
            Some(Value::String(text)) => pieces.push(Piece::Reasoning(text)),
            _ => {
                let inner = list(item, "thinking").iter();
                let texts = inner.filter_map(|item| item.get("text")?.as_str());
                pieces.extend(texts.map(Piece::Reasoning));
            }
        },
        "refusal" => pieces.push(Piece::Refusal(text(item, "refusal"))),
        _ => pieces.push(Piece::Text(text(item, "text"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_content_in_every_form() {
        let mistral = json!([
            {"type": "thinking", "thinking": [{"type": "text", "text": "a"}, 1]},
            {"type": "text", "text": "b"},
            {"type": "text", "text": ""},
            {"type": "refusal", "refusal": "c"},
            null,
        ]);
        let cases = [
            (json!("x"), vec![Piece::Text("x")]),
            (json!(""), vec![]),
            (json!(null), vec![]),
            (json!(7), vec![]),
            (
                mistral,
                vec![Piece::Reasoning("a"), Piece::Text("b"), Piece::Refusal("c")],
            ),
        ];
        for (content, expected) in cases {
            let mut message = Map::new();
            message.insert("content".to_owned(), content);
            assert_eq!(pieces(&message), expected);
        }
    }
}
