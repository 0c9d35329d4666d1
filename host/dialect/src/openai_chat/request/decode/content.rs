//! Decodes the content of messages.

use serde_json::Value;

use super::required_object;
use crate::ir::{
    CacheMark, Media, MediaSource, ObjectReader, Part, TranslationError, TranslationReport,
};
use crate::openai_chat::{media, reasoning};

/// The role of a message, which decides what its content may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageRole {
    Assistant,
    System,
    Tool,
    User,
}

/// Takes the member `content`: a text, or a list of parts. Empty texts are left out, because other APIs
/// reject them.
pub(crate) fn decode_content(
    message: &mut ObjectReader,
    role: MessageRole,
    report: &mut TranslationReport,
) -> Result<Vec<Part>, TranslationError> {
    match message.peek("content") {
        None => Ok(Vec::new()),
        Some(Value::String(_)) => {
            let text = message.string("content")?.unwrap_or_default();
            Ok(text_part(text).into_iter().collect())
        }
        Some(Value::Array(_)) => {
            let mut parts = Vec::new();
            for mut item in message.objects("content")? {
                parts.extend(decode_part(&mut item, role, report)?);
                parts.extend(cache_mark(&mut item).map(Part::CacheMark));
                item.warn_unread(report);
            }
            Ok(parts)
        }
        Some(_) => Err(message.error("content", "must be a string or an array")),
    }
}

/// Takes the member `cache_control`, which OpenRouter, LiteLLM and others have from Anthropic's API.
pub(crate) fn cache_mark(fields: &mut ObjectReader) -> Option<CacheMark> {
    let control = fields.take("cache_control")?;
    Some(CacheMark {
        is_long: control["ttl"] == "1h",
    })
}

fn text_part(text: String) -> Option<Part> {
    (!text.is_empty()).then(|| Part::text(text))
}

fn decode_part(
    item: &mut ObjectReader,
    role: MessageRole,
    report: &mut TranslationReport,
) -> Result<Option<Part>, TranslationError> {
    let kind = item.required_string("type")?;
    let accepts_media = matches!(role, MessageRole::Tool | MessageRole::User);
    match kind.as_str() {
        "text" => Ok(text_part(item.required_string("text")?)),
        "refusal" if role == MessageRole::Assistant => {
            let text = item.required_string("refusal")?;
            Ok((!text.is_empty()).then_some(Part::Refusal(text)))
        }
        "thinking" if role == MessageRole::Assistant => thinking(item),
        // OpenAI's tool results hold text only; those of other providers may hold media too.
        "image_url" if accepts_media => image(item, report).map(Some),
        "file" if accepts_media => file(item, report).map(Some),
        "input_audio" if accepts_media => audio(item, report).map(Some),
        _ => Err(item.error(
            "type",
            format!("a message of this role cannot hold a part of the type `{kind}`"),
        )),
    }
}

/// Mistral's reasoning, which is in the content (<https://docs.mistral.ai/studio/conversations/reasoning>): a text, or a
/// list of parts with texts.
fn thinking(item: &mut ObjectReader) -> Result<Option<Part>, TranslationError> {
    let text = match item.take("thinking") {
        Some(Value::String(text)) => text,
        Some(Value::Array(items)) => {
            let texts = items.iter().filter_map(|item| item.get("text")?.as_str());
            texts.collect()
        }
        _ => return Err(item.error("thinking", "must be a string or an array")),
    };
    // Whether the reasoning is complete.
    item.skip("closed");
    let reasoning = reasoning::decode(&text, &[]).into_iter().next();
    Ok(reasoning.map(Part::Reasoning))
}

fn image(
    item: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Part, TranslationError> {
    // Some clients, and the examples of some providers, have the URL in place of the object.
    if let Some(Value::String(_)) = item.peek("image_url") {
        let url = item.required_string("image_url")?;
        return Ok(Part::Image(media_from_url(item, "image_url", url)?));
    }
    let mut address = required_object(item, "image_url")?;
    let url = address.required_string("url")?;
    let media = Media {
        detail: address.string("detail")?,
        ..media_from_url(&address, "url", url)?
    };
    address.warn_unread(report);
    Ok(Part::Image(media))
}

fn file(item: &mut ObjectReader, report: &mut TranslationReport) -> Result<Part, TranslationError> {
    let mut file = required_object(item, "file")?;
    if file.take("file_id").is_some() {
        return Err(file.error(
            "file_id",
            "files uploaded to one provider are not available to others; send `file_data`",
        ));
    }
    let data = file.required_string("file_data")?;
    // Base64 has no colon, so neither test matches bare data.
    let media = if data.starts_with("data:") || data.contains("://") {
        media_from_url(&file, "file_data", data)?
    } else {
        let source = MediaSource::base64(data);
        Media {
            media_type: Some("application/pdf".to_owned()),
            source: source.ok_or_else(|| file.error("file_data", MediaSource::NOT_BASE64))?,
            detail: None,
            title: None,
        }
    };
    let title = file.string("filename")?;
    file.warn_unread(report);
    Ok(Part::Document(Media { title, ..media }))
}

fn audio(
    item: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Part, TranslationError> {
    let mut audio = required_object(item, "input_audio")?;
    let format = audio.required_string("format")?;
    let media = media::from_audio(&format, audio.required_string("data")?);
    let media = media.map_err(|what| audio.error("data", what))?;
    audio.warn_unread(report);
    Ok(Part::Audio(media))
}

fn media_from_url(
    fields: &ObjectReader,
    name: &str,
    url: String,
) -> Result<Media, TranslationError> {
    media::from_url(url).map_err(|what| fields.error(name, what))
}
