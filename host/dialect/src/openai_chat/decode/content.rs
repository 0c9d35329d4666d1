//! Reads the content of a message.

use serde_json::Value;

use super::needed;
use crate::interlingua::{ObjectReader, Media, TranslationReport, Part, TranslationError, MediaSource};
use crate::openai_chat::media;

/// Who speaks, which decides what their content may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    Assistant,
    System,
    Tool,
    User,
}

/// The parts of a message's `content`: a text, or a list of parts. Empty texts are left out: they say
/// nothing, and other APIs refuse them.
pub(super) fn parts(
    message: &mut ObjectReader,
    speaker: Speaker,
    notes: &mut TranslationReport,
) -> Result<Vec<Part>, TranslationError> {
    match message.peek("content") {
        None => Ok(Vec::new()),
        Some(Value::String(_)) => {
            let text = message.string("content")?.unwrap_or_default();
            Ok(said(text).into_iter().collect())
        }
        Some(Value::Array(_)) => {
            let mut parts = Vec::new();
            for mut item in message.objects("content")? {
                parts.extend(part(&mut item, speaker, notes)?);
                item.warn_unread(notes);
            }
            Ok(parts)
        }
        Some(_) => Err(message.error("content", "must be a string or an array")),
    }
}

fn said(text: String) -> Option<Part> {
    (!text.is_empty()).then(|| Part::text(text))
}

fn part(item: &mut ObjectReader, speaker: Speaker, notes: &mut TranslationReport) -> Result<Option<Part>, TranslationError> {
    let kind = item.required_string("type")?;
    let heard = matches!(speaker, Speaker::Tool | Speaker::User);
    match kind.as_str() {
        "text" => Ok(said(item.required_string("text")?)),
        "refusal" if speaker == Speaker::Assistant => {
            let text = item.required_string("refusal")?;
            Ok((!text.is_empty()).then_some(Part::Refusal(text)))
        }
        // OpenAI's tools answer in text alone; other providers' answer with pictures as well.
        "image_url" if heard => image(item, notes).map(Some),
        "file" if heard => file(item, notes).map(Some),
        "input_audio" if heard => sound(item, notes).map(Some),
        _ => Err(item.error(
            "type",
            format!("there can't be a part of type `{kind}` here"),
        )),
    }
}

fn image(item: &mut ObjectReader, notes: &mut TranslationReport) -> Result<Part, TranslationError> {
    // Some clients, and some providers' examples, leave out the object.
    if let Some(Value::String(_)) = item.peek("image_url") {
        let url = item.required_string("image_url")?;
        return Ok(Part::Image(at(item, "image_url", url)?));
    }
    let mut address = needed(item, "image_url")?;
    let url = address.required_string("url")?;
    let media = Media {
        detail: address.string("detail")?,
        ..at(&address, "url", url)?
    };
    address.warn_unread(notes);
    Ok(Part::Image(media))
}

fn file(item: &mut ObjectReader, notes: &mut TranslationReport) -> Result<Part, TranslationError> {
    let mut file = needed(item, "file")?;
    if file.take("file_id").is_some() {
        return Err(file.error(
            "file_id",
            "a file that lies with one provider is unknown to another: send `file_data`",
        ));
    }
    let data = file.required_string("file_data")?;
    let media = if data.starts_with("data:") || data.contains("://") {
        at(&file, "file_data", data)?
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
    file.warn_unread(notes);
    Ok(Part::Document(Media { title, ..media }))
}

fn sound(item: &mut ObjectReader, notes: &mut TranslationReport) -> Result<Part, TranslationError> {
    let mut sound = needed(item, "input_audio")?;
    let format = sound.required_string("format")?;
    let media = media::sound(&format, sound.required_string("data")?);
    let media = media.map_err(|what| sound.error("data", what))?;
    sound.warn_unread(notes);
    Ok(Part::Audio(media))
}

fn at(fields: &ObjectReader, name: &str, url: String) -> Result<Media, TranslationError> {
    media::at(url).map_err(|what| fields.error(name, what))
}
