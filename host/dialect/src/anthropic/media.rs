//! Images and documents in requests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::anthropic::request::cache_control;
use crate::ir::{
    Media, MediaSource, ObjectReader, Part, TranslationError, TranslationReport, loss,
};
use crate::json::object;

/// Decodes a block of the type `image`, `document` or `search_result`.
pub(super) fn decode(
    kind: &str,
    block: &mut ObjectReader,
    out: &mut Vec<Part>,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    match kind {
        "image" => out.push(Part::Image(decode_image(block, report)?)),
        "search_result" => out.push(Part::Document(decode_search_result(block, report)?)),
        _ => decode_document(block, out, report)?,
    }
    Ok(())
}

fn decode_image(
    block: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Media, TranslationError> {
    let mut fields = take_source(block)?;
    let source = match fields.required_string("type")?.as_str() {
        "base64" => decode_base64(&mut fields)?,
        "url" => MediaSource::Url(fields.required_string("url")?),
        kind => return Err(unknown_source(kind, &fields)),
    };
    let media_type = fields.string("media_type")?;
    fields.warn_unread(report);
    Ok(Media {
        media_type,
        source,
        detail: None,
        title: None,
    })
}

fn decode_document(
    block: &mut ObjectReader,
    out: &mut Vec<Part>,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let title = block.string("title")?;
    if let Some(context) = block.string("context")?.filter(|text| !text.is_empty()) {
        report.warn("context", "changed: to text before its document");
        out.push(Part::text(context));
    }
    let mut fields = take_source(block)?;
    let media_type = fields.string("media_type")?;
    let (source, media_type) = match fields.required_string("type")?.as_str() {
        "base64" => (decode_base64(&mut fields)?, media_type),
        "text" => (
            MediaSource::Text(fields.required_string("data")?),
            media_type,
        ),
        "url" => (MediaSource::Url(fields.required_string("url")?), media_type),
        "content" => {
            let (text, images) = decode_document_blocks(&mut fields, report)?;
            out.extend(images);
            (MediaSource::Text(text), Some(PLAIN.to_owned()))
        }
        kind => return Err(unknown_source(kind, &fields)),
    };
    fields.warn_unread(report);
    out.push(Part::Document(Media {
        media_type,
        source,
        detail: None,
        title,
    }));
    Ok(())
}

/// Decodes a document made of blocks: as one text, after the images among the blocks.
fn decode_document_blocks(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<(String, Vec<Part>), TranslationError> {
    if let Some(Value::String(_)) = fields.peek("content") {
        return Ok((fields.required_string("content")?, Vec::new()));
    }
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for mut block in fields.objects("content")? {
        cache_control::drop(&mut block, report);
        match block.required_string("type")?.as_str() {
            "text" => texts.push(block.required_string("text")?),
            "image" => images.push(Part::Image(decode_image(&mut block, report)?)),
            _ => return Err(block.error("type", "must be text or image")),
        }
        block.warn_unread(report);
    }
    Ok((texts.join("\n"), images))
}

fn decode_search_result(
    block: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Media, TranslationError> {
    let title = block.string("title")?;
    let mut texts = vec![block.required_string("source")?];
    for mut inner in block.objects("content")? {
        cache_control::drop(&mut inner, report);
        inner.skip("type");
        texts.push(inner.required_string("text")?);
        inner.warn_unread(report);
    }
    Ok(Media {
        media_type: Some(PLAIN.to_owned()),
        source: MediaSource::Text(texts.join("\n")),
        detail: None,
        title,
    })
}

fn take_source(block: &mut ObjectReader) -> Result<ObjectReader, TranslationError> {
    let source = block.object("source")?;
    source.ok_or_else(|| block.error("source", "missing"))
}

fn decode_base64(fields: &mut ObjectReader) -> Result<MediaSource, TranslationError> {
    let data = fields.required_string("data")?;
    MediaSource::base64(data).ok_or_else(|| fields.error("data", MediaSource::NOT_BASE64))
}

fn unknown_source(kind: &str, fields: &ObjectReader) -> TranslationError {
    let what = match kind {
        "file" => {
            "files uploaded to one provider are not available to others; send the bytes or a URL"
        }
        _ => "unknown type of source",
    };
    fields.error("type", what)
}

/// Encodes an image as a block.
pub(super) fn image_block(
    media: &Media,
    report: &mut TranslationReport,
) -> Result<Value, TranslationError> {
    if matches!(media.detail.as_deref(), Some("low" | "high")) {
        report.warn_dropped(loss::DETAIL);
    }
    let source = match &media.source {
        MediaSource::Base64(data) => {
            let declared = media.media_type.as_deref();
            let media_type = match declared {
                // This is not a registered type, but clients send it.
                Some("image/jpg") => Some("image/jpeg"),
                Some(declared) => IMAGE_TYPES
                    .iter()
                    .map(|(name, _)| *name)
                    .find(|name| *name == declared),
                None => IMAGE_TYPES
                    .iter()
                    .find(|(_, begin)| data.starts_with(begin))
                    .map(|(name, _)| *name),
            };
            let media_type = media_type.ok_or_else(|| {
                TranslationError::new("image_url", "must be a JPEG, PNG, GIF or WebP image")
            })?;
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        MediaSource::Url(url) => json!({"type": "url", "url": url}),
        MediaSource::File(_) => return Err(TranslationError::new("file_id", STORED_ELSEWHERE)),
        MediaSource::Text(_) => {
            return Err(TranslationError::new("image_url", "must be an image"));
        }
    };
    Ok(object! {"type": "image", "source": source})
}

/// Encodes a document as a block. The API accepts PDFs and plain text.
pub(super) fn document_block(media: &Media) -> Result<Value, TranslationError> {
    let media_type = media.media_type.as_deref();
    let source = match &media.source {
        MediaSource::Base64(data) if media_type.is_none_or(|declared| declared == PDF) => {
            json!({"type": "base64", "media_type": PDF, "data": data})
        }
        MediaSource::Base64(data) => json!({
            "type": "text",
            "media_type": PLAIN,
            "data": decode_text_file(media_type.unwrap_or_default(), data)?,
        }),
        MediaSource::Text(text) => json!({"type": "text", "media_type": PLAIN, "data": text}),
        MediaSource::Url(url) => json!({"type": "url", "url": url}),
        MediaSource::File(_) => return Err(TranslationError::new("file_id", STORED_ELSEWHERE)),
    };
    let mut block = object! {"type": "document", "source": source};
    if let Some(title) = &media.title {
        block["title"] = title.as_str().into();
    }
    Ok(block)
}

/// Decodes a text file.
fn decode_text_file(media_type: &str, data: &str) -> Result<String, TranslationError> {
    let is_text = media_type.starts_with("text/")
        || ["json", "xml", "yaml", "javascript"]
            .iter()
            .any(|word| media_type.ends_with(word));
    let text = || String::from_utf8(STANDARD.decode(data).ok()?).ok();
    is_text
        .then(text)
        .flatten()
        .ok_or_else(|| TranslationError::new("file_data", "must be a PDF or a text in UTF-8"))
}

const STORED_ELSEWHERE: &str =
    "files uploaded to one provider are not available to others; send the bytes or a URL";
const PDF: &str = "application/pdf";
const PLAIN: &str = "text/plain";

/// The image types that the API accepts, and how each begins in base64.
const IMAGE_TYPES: [(&str, &str); 4] = [
    ("image/gif", "R0lGOD"),
    ("image/jpeg", "/9j/"),
    ("image/png", "iVBOR"),
    ("image/webp", "UklGR"),
];
