//! Citations: `groundingMetadata` has the results of Google's search, and `citationMetadata` the sources of
//! recited text. Both count spans in bytes; the common form counts them in characters.

use serde_json::{Value, json};

use crate::ir::Citation;
use crate::limits::CITATIONS_MAX;

/// Decodes the citations of a candidate: its `groundingMetadata` and its `citationMetadata`. `text` is the
/// whole text that they cite for; without it they have no spans.
pub(super) fn decode(
    grounding: Option<&Value>,
    citation_metadata: Option<&Value>,
    text: Option<&str>,
) -> Vec<Citation> {
    let mut found = Vec::new();
    if let Some(grounding) = grounding {
        decode_grounding(grounding, text, &mut found);
    }
    for cited in array(citation_metadata, "citations") {
        found.push(Citation {
            url: string(cited, "uri"),
            title: string(cited, "title"),
            quoted: None,
            span: span(cited, text),
            raw: cited.clone(),
        });
    }
    found.truncate(CITATIONS_MAX);
    found
}

/// Collects the citations of a response's texts into a `groundingMetadata`. Citations without a URL are
/// dropped, because a chunk must have one.
#[derive(Debug, Default)]
pub(super) struct Grounding {
    chunks: Vec<Value>,
    supports: Vec<Value>,
}

impl Grounding {
    /// Adds the citations of the text in part number `index`. `text` is the whole text; without it the
    /// citations are written without spans.
    pub(super) fn add(&mut self, index: usize, citations: &[Citation], text: Option<&str>) {
        for citation in citations {
            if self.chunks.len() + self.supports.len() >= CITATIONS_MAX {
                return;
            }
            let Some(url) = &citation.url else { continue };
            let title = citation.title.as_deref().unwrap_or(url);
            let chunk = json!({"web": {"uri": url, "title": title}});
            let known = self.chunks.iter().position(|known| *known == chunk);
            let at = known.unwrap_or_else(|| {
                self.chunks.push(chunk);
                self.chunks.len() - 1
            });
            if let Some(mut segment) = text.and_then(|text| segment(citation.span?, text)) {
                if index > 0 {
                    segment["partIndex"] = index.into();
                }
                let support = json!({"segment": segment, "groundingChunkIndices": [at]});
                self.supports.push(support);
            }
        }
    }

    /// Returns the metadata; `None` if there are no citations.
    pub(super) fn into_value(self) -> Option<Value> {
        if self.chunks.is_empty() {
            return None;
        }
        let mut written = json!({"groundingChunks": self.chunks});
        if !self.supports.is_empty() {
            written["groundingSupports"] = self.supports.into();
        }
        Some(written)
    }
}

fn decode_grounding(grounding: &Value, text: Option<&str>, found: &mut Vec<Citation>) {
    let chunks = array(Some(grounding), "groundingChunks");
    let mut cited = vec![false; chunks.len()];
    for support in array(Some(grounding), "groundingSupports") {
        let segment = support.get("segment").unwrap_or(&Value::Null);
        for index in array(Some(support), "groundingChunkIndices") {
            let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
            let Some((index, chunk)) = index.and_then(|at| Some((at, chunks.get(at)?))) else {
                continue;
            };
            cited[index] = true;
            found.extend(chunk_citation(chunk, span(segment, text)));
            if found.len() >= CITATIONS_MAX {
                return;
            }
        }
    }
    let unplaced = chunks.iter().zip(cited).filter(|(_, cited)| !cited);
    found.extend(unplaced.filter_map(|(chunk, _)| chunk_citation(chunk, None)));
}

fn chunk_citation(chunk: &Value, span: Option<(u64, u64)>) -> Option<Citation> {
    let web = chunk.get("web").or_else(|| chunk.get("retrievedContext"))?;
    Some(Citation {
        url: string(web, "uri"),
        title: string(web, "title"),
        quoted: None,
        span,
        raw: chunk.clone(),
    })
}

/// Decodes a segment of `text` as a span in characters. `None` if it is not a segment of this text.
fn span(segment: &Value, text: Option<&str>) -> Option<(u64, u64)> {
    let text = text?;
    // Protobuf JSON omits zeros.
    let start = segment.get("startIndex").map_or(Some(0), Value::as_u64)?;
    let end = segment.get("endIndex")?.as_u64()?;
    let characters = |bytes: u64| {
        let before = text.get(..usize::try_from(bytes).ok()?)?;
        u64::try_from(before.chars().count()).ok()
    };
    // The segment repeats its text. If that differs, the segment belongs to another part.
    let segment_text = segment.get("text").and_then(Value::as_str);
    let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
    if segment_text.is_some_and(|expected| text.get(range) != Some(expected)) {
        return None;
    }
    Some((characters(start)?, characters(end)?))
}

/// Encodes a span in characters as a segment: a span in bytes, and its text.
fn segment((start, end): (u64, u64), text: &str) -> Option<Value> {
    let bytes = |characters: u64| {
        let characters = usize::try_from(characters).ok()?;
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        ends.into_iter().nth(characters)
    };
    let (start, end) = (bytes(start)?, bytes(end)?);
    let cited = text.get(start..end)?;
    Some(json!({"startIndex": start, "endIndex": end, "text": cited}))
}

fn array<'a>(value: Option<&'a Value>, name: &str) -> &'a [Value] {
    let items = value.and_then(|value| value.get(name)?.as_array());
    items.map(Vec::as_slice).unwrap_or_default()
}

fn string(value: &Value, name: &str) -> Option<String> {
    Some(value.get(name)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_byte_spans_to_character_spans() {
        let text = "Zürich ist schön.";
        let metadata = json!({
            "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}, {"web": {"uri": "https://b.example"}}, {}],
            "groundingSupports": [{"segment": {"endIndex": 7, "text": "Zürich"}, "groundingChunkIndices": [0, 9]}],
        });
        let found = decode(Some(&metadata), None, Some(text));
        let spans: Vec<_> = found
            .iter()
            .map(|it| (it.url.as_deref(), it.span))
            .collect();
        let expected = [
            (Some("https://a.example"), Some((0, 6))),
            (Some("https://b.example"), None),
        ];
        assert_eq!(spans, expected);
        let mut grounding = Grounding::default();
        grounding.add(0, &found, Some(text));
        let written = grounding.into_value().unwrap_or_default();
        assert_eq!(
            written["groundingSupports"][0]["segment"],
            json!({"startIndex": 0, "endIndex": 7, "text": "Zürich"})
        );
        assert_eq!(written["groundingChunks"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn omits_invalid_spans() {
        let metadata =
            json!({"citations": [{"startIndex": 1, "endIndex": 2, "uri": "https://a.example"}]});
        assert_eq!(decode(None, Some(&metadata), Some("ü"))[0].span, None);
        assert_eq!(decode(None, Some(&metadata), None)[0].span, None);
        assert_eq!(segment((3, 9), "abc"), None);
        assert_eq!(segment((2, 1), "abc"), None);
    }
}
