//! Pictures and documents in requests, both ways.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::request::drop_cache_control;
use crate::interlingua::{Fields, Media, Notes, Part, Refusal, Source, loss};
use crate::json::object;

/// Reads a block of one of the types `image`, `document` and `search_result`.
pub(super) fn read(
    kind: &str,
    block: &mut Fields,
    out: &mut Vec<Part>,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    match kind {
        "image" => out.push(Part::Image(image(block, notes)?)),
        "search_result" => out.push(Part::Document(search_result(block, notes)?)),
        _ => document(block, out, notes)?,
    }
    Ok(())
}

fn image(block: &mut Fields, notes: &mut Notes) -> Result<Media, Refusal> {
    let mut fields = source_of(block)?;
    let source = match fields.needed_string("type")?.as_str() {
        "base64" => base64(&mut fields)?,
        "url" => Source::Url(fields.needed_string("url")?),
        kind => return Err(unknown_source(kind, &fields)),
    };
    let media_type = fields.string("media_type")?;
    fields.warn_of_rest(notes);
    Ok(Media {
        media_type,
        source,
        detail: None,
        title: None,
    })
}

fn document(block: &mut Fields, out: &mut Vec<Part>, notes: &mut Notes) -> Result<(), Refusal> {
    let title = block.string("title")?;
    if let Some(context) = block.string("context")?.filter(|text| !text.is_empty()) {
        notes.warn("context", "changed: it stands as text before its document");
        out.push(Part::text(context));
    }
    let mut fields = source_of(block)?;
    let media_type = fields.string("media_type")?;
    let (source, media_type) = match fields.needed_string("type")?.as_str() {
        "base64" => (base64(&mut fields)?, media_type),
        "text" => (Source::Text(fields.needed_string("data")?), media_type),
        "url" => (Source::Url(fields.needed_string("url")?), media_type),
        "content" => {
            let (text, pictures) = blocks(&mut fields, notes)?;
            out.extend(pictures);
            (Source::Text(text), Some(PLAIN.to_owned()))
        }
        kind => return Err(unknown_source(kind, &fields)),
    };
    fields.warn_of_rest(notes);
    out.push(Part::Document(Media {
        media_type,
        source,
        detail: None,
        title,
    }));
    Ok(())
}

/// A document of blocks as one text, and the pictures among them, which stand before it.
fn blocks(fields: &mut Fields, notes: &mut Notes) -> Result<(String, Vec<Part>), Refusal> {
    if let Some(Value::String(_)) = fields.peek("content") {
        return Ok((fields.needed_string("content")?, Vec::new()));
    }
    let mut texts = Vec::new();
    let mut pictures = Vec::new();
    for mut block in fields.objects("content")? {
        drop_cache_control(&mut block, notes);
        match block.needed_string("type")?.as_str() {
            "text" => texts.push(block.needed_string("text")?),
            "image" => pictures.push(Part::Image(image(&mut block, notes)?)),
            _ => return Err(block.refusal("type", "must be text or image")),
        }
        block.warn_of_rest(notes);
    }
    Ok((texts.join("\n"), pictures))
}

fn search_result(block: &mut Fields, notes: &mut Notes) -> Result<Media, Refusal> {
    let title = block.string("title")?;
    let mut texts = vec![block.needed_string("source")?];
    for mut inner in block.objects("content")? {
        drop_cache_control(&mut inner, notes);
        inner.skip("type");
        texts.push(inner.needed_string("text")?);
        inner.warn_of_rest(notes);
    }
    Ok(Media {
        media_type: Some(PLAIN.to_owned()),
        source: Source::Text(texts.join("\n")),
        detail: None,
        title,
    })
}

fn source_of(block: &mut Fields) -> Result<Fields, Refusal> {
    let source = block.object("source")?;
    source.ok_or_else(|| block.refusal("source", "missing"))
}

fn base64(fields: &mut Fields) -> Result<Source, Refusal> {
    let data = fields.needed_string("data")?;
    Source::base64(data).ok_or_else(|| fields.refusal("data", Source::NO_BASE64))
}

fn unknown_source(kind: &str, fields: &Fields) -> Refusal {
    let what = match kind {
        "file" => "a file that a provider keeps: no other can read it; send its bytes or a url",
        _ => "no source of this type may stand here",
    };
    fields.refusal("type", what)
}

/// A picture as a block.
pub(super) fn image_block(media: &Media, notes: &mut Notes) -> Result<Value, Refusal> {
    if matches!(media.detail.as_deref(), Some("low" | "high")) {
        notes.dropped(loss::DETAIL);
    }
    let source = match &media.source {
        Source::Base64(data) => {
            let told = media.media_type.as_deref();
            let media_type = match told {
                Some("image/jpg") => Some("image/jpeg"),
                Some(told) => PICTURES
                    .iter()
                    .map(|(name, _)| *name)
                    .find(|name| *name == told),
                None => PICTURES
                    .iter()
                    .find(|(_, begin)| data.starts_with(begin))
                    .map(|(name, _)| *name),
            };
            let media_type = media_type.ok_or_else(|| {
                Refusal::new("image_url", "must be a JPEG, PNG, GIF or WebP picture")
            })?;
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::File(_) => return Err(Refusal::new("file_id", KEPT_ELSEWHERE)),
        Source::Text(_) => return Err(Refusal::new("image_url", "must be a picture")),
    };
    Ok(object! {"type": "image", "source": source})
}

/// A document as a block. The API takes PDFs, and plain text.
pub(super) fn document_block(media: &Media) -> Result<Value, Refusal> {
    let media_type = media.media_type.as_deref();
    let source = match &media.source {
        Source::Base64(data) if media_type.is_none_or(|told| told == PDF) => {
            json!({"type": "base64", "media_type": PDF, "data": data})
        }
        Source::Base64(data) => json!({
            "type": "text",
            "media_type": PLAIN,
            "data": text_of(media_type.unwrap_or_default(), data)?,
        }),
        Source::Text(text) => json!({"type": "text", "media_type": PLAIN, "data": text}),
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::File(_) => return Err(Refusal::new("file_id", KEPT_ELSEWHERE)),
    };
    let mut block = object! {"type": "document", "source": source};
    if let Some(title) = &media.title {
        block["title"] = title.as_str().into();
    }
    Ok(block)
}

/// The text in a file that is one.
fn text_of(media_type: &str, data: &str) -> Result<String, Refusal> {
    let is_text = media_type.starts_with("text/")
        || ["json", "xml", "yaml", "javascript"]
            .iter()
            .any(|word| media_type.ends_with(word));
    let text = || String::from_utf8(STANDARD.decode(data).ok()?).ok();
    is_text
        .then(text)
        .flatten()
        .ok_or_else(|| Refusal::new("file_data", "must be a PDF or a text in UTF-8"))
}

const KEPT_ELSEWHERE: &str = "another provider keeps this file; send its bytes or a url";
const PDF: &str = "application/pdf";
const PLAIN: &str = "text/plain";

/// The pictures that the API takes, and how each begins in base64.
const PICTURES: [(&str, &str); 4] = [
    ("image/gif", "R0lGOD"),
    ("image/jpeg", "/9j/"),
    ("image/png", "iVBOR"),
    ("image/webp", "UklGR"),
];
