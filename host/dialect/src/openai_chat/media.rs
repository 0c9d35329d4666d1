//! Images, documents and audio in messages. Most are inline, as `data:` URLs.

use serde_json::{Value, json};

use crate::ir::data_url::media_source;
use crate::ir::{Media, MediaSource, Part, TranslationError};
use crate::json::object;

/// Returns the media at a URL.
///
/// # Errors
/// If it is a `data:` URL that is not in base64. The error is a text about the member.
pub(super) fn from_url(url: String) -> Result<Media, &'static str> {
    let (media_type, source) = media_source(url)?;
    Ok(media(media_type, source))
}

/// Returns the media for audio in base64, in a format that is named as OpenAI names it.
///
/// # Errors
/// If it is not base64.
pub(super) fn from_audio(format: &str, data: String) -> Result<Media, &'static str> {
    let media_type = match format {
        "mp3" => MP3.to_owned(),
        _ => format!("audio/{format}"),
    };
    let source = MediaSource::base64(data).ok_or(MediaSource::NOT_BASE64)?;
    Ok(media(Some(media_type), source))
}

/// Encodes a part of a user's message.
///
/// # Errors
/// If a user's message cannot hold it.
pub(super) fn encode_part(part: &Part) -> Result<Value, TranslationError> {
    match part {
        Part::Image(media) => image(media),
        Part::Document(media) => document(media),
        Part::Audio(media) => audio(media),
        Part::Text { text, .. } => Ok(text_part(text)),
        _ => Err(TranslationError::new(
            "messages",
            "a user's message cannot hold a part of this kind",
        )),
    }
}

/// Encodes a part of text.
pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// Encodes an image, in a message of a user or of the model.
///
/// # Errors
/// If it is neither inline nor at a URL.
pub(super) fn image(media: &Media) -> Result<Value, TranslationError> {
    let url = match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => {
            let kind = media
                .media_type
                .as_deref()
                .unwrap_or_else(|| detect_image_type(data));
            format!("data:{kind};base64,{data}")
        }
        MediaSource::File(_) => return Err(provider_file_error("image_url")),
        MediaSource::Text(_) => {
            return Err(TranslationError::new(
                "image_url",
                "an image cannot be text",
            ));
        }
    };
    let mut address = object! {"url": url};
    if let Some(detail) = &media.detail {
        address["detail"] = json!(detail);
    }
    Ok(object! {"type": "image_url", "image_url": address})
}

fn document(media: &Media) -> Result<Value, TranslationError> {
    let title = media.title.as_deref();
    match &media.source {
        MediaSource::Base64(data) => {
            let kind = media.media_type.as_deref().unwrap_or(PDF);
            let file = object! {
                // OpenAI requires a name.
                "filename": title.unwrap_or("document"),
                "file_data": format!("data:{kind};base64,{data}"),
            };
            Ok(object! {"type": "file", "file": file})
        }
        MediaSource::Text(text) => Ok(text_part(
            &title.map_or_else(|| text.clone(), |title| format!("{title}\n\n{text}")),
        )),
        MediaSource::File(_) => Err(provider_file_error("file")),
        MediaSource::Url(_) => Err(TranslationError::new(
            "file",
            "the provider's dialect has no URLs of documents; send the data",
        )),
    }
}

fn audio(media: &Media) -> Result<Value, TranslationError> {
    let format = match media.media_type.as_deref() {
        Some(MP3 | "audio/mp3") => "mp3",
        Some("audio/wav" | "audio/x-wav" | "audio/wave") => "wav",
        _ => {
            return Err(TranslationError::new(
                "input_audio",
                "the provider's dialect has only the formats wav and mp3",
            ));
        }
    };
    match &media.source {
        MediaSource::Base64(data) => Ok(json!({
            "type": "input_audio",
            "input_audio": {"data": data, "format": format},
        })),
        MediaSource::File(_) => Err(provider_file_error("input_audio")),
        MediaSource::Text(_) | MediaSource::Url(_) => Err(TranslationError::new(
            "input_audio",
            "the provider's dialect has only audio in base64; send the data",
        )),
    }
}

fn provider_file_error(field: &str) -> TranslationError {
    TranslationError::new(
        field,
        "files uploaded to one provider are not available to others; send the data",
    )
}

fn media(media_type: Option<String>, source: MediaSource) -> Media {
    Media {
        media_type,
        source,
        detail: None,
        title: None,
    }
}

/// Returns an image's media type by its first bytes, in base64. The default is PNG.
fn detect_image_type(data: &str) -> &'static str {
    match data.as_bytes() {
        [b'/', b'9', b'j', ..] => "image/jpeg",
        [b'R', b'0', b'l', b'G', ..] => "image/gif",
        [b'U', b'k', b'l', b'G', ..] => "image/webp",
        _ => "image/png",
    }
}

const MP3: &str = "audio/mpeg";
const PDF: &str = "application/pdf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_image_type_from_bytes() {
        for (data, kind) in [
            ("iVBORw", "png"),
            ("/9j/4A", "jpeg"),
            ("R0lGOD", "gif"),
            ("UklGRg", "webp"),
        ] {
            let untyped = media(None, MediaSource::Base64(data.to_owned()));
            let url = format!("data:image/{kind};base64,{data}");
            let written = image(&untyped).unwrap();
            assert_eq!(
                written,
                json!({"type": "image_url", "image_url": {"url": url}})
            );
        }
    }

    #[test]
    fn rejects_unsupported_sources_by_field() {
        let file = || MediaSource::File("file-1".to_owned());
        let url = || MediaSource::Url("https://a.example".to_owned());
        let cases = [
            (Part::Image(media(None, file())), "image_url"),
            (
                Part::Image(media(None, MediaSource::Text(String::new()))),
                "image_url",
            ),
            (Part::Document(media(None, file())), "file"),
            (Part::Document(media(None, url())), "file"),
            (
                Part::Audio(media(Some("audio/ogg".to_owned()), url())),
                "input_audio",
            ),
            (
                Part::Audio(media(Some(MP3.to_owned()), url())),
                "input_audio",
            ),
            (
                Part::Audio(media(Some(MP3.to_owned()), file())),
                "input_audio",
            ),
        ];
        for (part, field) in cases {
            assert_eq!(
                encode_part(&part).map_err(|it| it.field),
                Err(field.to_owned())
            );
        }
    }
}
