//! The content of messages and tool results: texts, images, files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ir::{
    Media, MediaSource, ObjectReader, Part, TranslationError, TranslationReport, data_url, loss,
};
use crate::json::object;
use crate::openai_responses::citations;

/// Takes a member that is a string or a list of parts. Empty texts are left out.
pub(crate) fn decode(
    fields: &mut ObjectReader,
    name: &str,
    report: &mut TranslationReport,
) -> Result<Vec<Part>, TranslationError> {
    let mut parts = match fields.peek(name) {
        None => return Err(fields.error(name, "missing")),
        Some(Value::String(_)) => vec![Part::text(fields.required_string(name)?)],
        Some(Value::Array(_)) => {
            let items = fields.objects(name)?.into_iter();
            items
                .map(|item| part(item, report))
                .collect::<Result<_, _>>()?
        }
        Some(_) => return Err(fields.error(name, "must be a string or an array")),
    };
    parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    Ok(parts)
}

fn part(
    mut fields: ObjectReader,
    report: &mut TranslationReport,
) -> Result<Part, TranslationError> {
    let part = match fields.required_string("type")?.as_str() {
        "input_text" | "output_text" | "text" => {
            fields.skip("logprobs");
            Part::Text {
                citations: citations::decode_all(fields.take("annotations").as_ref()),
                text: fields.required_string("text")?,
            }
        }
        "refusal" => Part::Refusal(fields.required_string("refusal")?),
        "input_image" => Part::Image(image(&mut fields)?),
        "input_file" => Part::Document(file(&mut fields)?),
        "input_audio" => Part::Audio(audio(&mut fields)?),
        _ => return Err(fields.error("type", "no type of content that is known")),
    };
    if fields.take("prompt_cache_breakpoint").is_some() {
        report.warn_dropped("input.content.prompt_cache_breakpoint");
    }
    fields.warn_unread(report);
    Ok(part)
}

fn image(fields: &mut ObjectReader) -> Result<Media, TranslationError> {
    reject_file_id(fields)?;
    let url = fields.required_string("image_url")?;
    let (media_type, source) =
        data_url::media_source(url).map_err(|what| fields.error("image_url", what))?;
    Ok(Media {
        media_type,
        source,
        detail: fields.string("detail")?,
        title: None,
    })
}

fn file(fields: &mut ObjectReader) -> Result<Media, TranslationError> {
    reject_file_id(fields)?;
    // No other dialect has a level of detail for pages, and `auto` is the default.
    if fields.peek("detail").is_some_and(|it| it == "auto") {
        fields.skip("detail");
    }
    let title = fields.string("filename")?;
    let (media_type, source) = if let Some(url) = fields.string("file_url")? {
        data_url::media_source(url).map_err(|what| fields.error("file_url", what))?
    } else {
        let data = fields.required_string("file_data")?;
        if data.starts_with("data:") {
            data_url::media_source(data).map_err(|what| fields.error("file_data", what))?
        } else {
            (None, base64(fields, "file_data", data)?)
        }
    };
    let (media_type, source) = decode_plain_text(media_type, source);
    Ok(Media {
        media_type,
        source,
        detail: None,
        title,
    })
}

/// Plain text is decoded, since dialects have a different member for it.
fn decode_plain_text(
    media_type: Option<String>,
    source: MediaSource,
) -> (Option<String>, MediaSource) {
    if let (Some("text/plain"), MediaSource::Base64(data)) = (media_type.as_deref(), &source)
        && let Ok(bytes) = STANDARD.decode(data)
        && let Ok(text) = String::from_utf8(bytes)
    {
        return (media_type, MediaSource::Text(text));
    }
    (media_type, source)
}

fn audio(fields: &mut ObjectReader) -> Result<Media, TranslationError> {
    let Some(mut audio) = fields.object("input_audio")? else {
        return Err(fields.error("input_audio", "missing"));
    };
    let media_type = match audio.required_string("format")?.as_str() {
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        _ => return Err(audio.error("format", "must be `mp3` or `wav`")),
    };
    let data = audio.required_string("data")?;
    Ok(Media {
        media_type: Some(media_type.to_owned()),
        source: base64(&audio, "data", data)?,
        detail: None,
        title: None,
    })
}

fn reject_file_id(fields: &mut ObjectReader) -> Result<(), TranslationError> {
    match fields.take("file_id") {
        None => Ok(()),
        Some(_) => Err(fields.error("file_id", FILE_ID_UNSUPPORTED)),
    }
}

const FILE_ID_UNSUPPORTED: &str =
    "files uploaded to one provider are not available to others; send the data or a URL";

fn base64(
    fields: &ObjectReader,
    name: &str,
    data: String,
) -> Result<MediaSource, TranslationError> {
    MediaSource::base64(data).ok_or_else(|| fields.error(name, MediaSource::NOT_BASE64))
}

/// Encodes a part as `input_*`; `None`, with a warning, for parts that messages and tool results cannot
/// hold.
pub(crate) fn encode(
    part: &Part,
    report: &mut TranslationReport,
) -> Result<Option<Value>, TranslationError> {
    Ok(match part {
        Part::Text { text, .. } | Part::Refusal(text) => {
            Some(json!({"type": "input_text", "text": text}))
        }
        Part::Image(media) => Some(encode_image(media)?),
        Part::Document(media) => Some(encode_file(media)?),
        Part::Audio(_) => {
            let what = "the provider's dialect has no audio; send the transcript";
            return Err(TranslationError::new("input_audio", what));
        }
        // Dropped for all providers of other dialects.
        Part::CacheMark(_) => None,
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => {
            report.warn_dropped(loss::CONTENT);
            None
        }
    })
}

fn encode_image(media: &Media) -> Result<Value, TranslationError> {
    let url = match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => data_url(media.media_type.as_deref().unwrap_or(IMAGE), data),
        MediaSource::File(_) => return Err(TranslationError::new("file_id", FILE_ID_UNSUPPORTED)),
        MediaSource::Text(_) => {
            return Err(TranslationError::new(
                "image_url",
                "an image cannot be text",
            ));
        }
    };
    let detail = media.detail.as_deref().unwrap_or(DETAIL);
    Ok(object! {"type": "input_image", "image_url": url, "detail": detail})
}

fn encode_file(media: &Media) -> Result<Value, TranslationError> {
    let (data, kind) = match &media.source {
        MediaSource::Url(url) => {
            let mut file = json!({"type": "input_file", "file_url": url});
            if let Some(title) = &media.title {
                file["filename"] = title.as_str().into();
            }
            return Ok(file);
        }
        MediaSource::File(_) => return Err(TranslationError::new("file_id", FILE_ID_UNSUPPORTED)),
        MediaSource::Base64(data) => (
            data.clone(),
            media.media_type.as_deref().unwrap_or(DOCUMENT),
        ),
        MediaSource::Text(text) => (STANDARD.encode(text), "text/plain"),
    };
    let name = media.title.as_deref().unwrap_or(match kind {
        "text/plain" => "document.txt",
        _ => "document.pdf",
    });
    let data = data_url(kind, &data);
    Ok(object! {"type": "input_file", "filename": name, "file_data": data})
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

/// The default type of an image: the most frequent one.
const IMAGE: &str = "image/png";
/// The default type of a document: the only one that every dialect supports.
const DOCUMENT: &str = "application/pdf";
/// The default level of detail of an image. The member is required.
const DETAIL: &str = "auto";
