//! Images, audio and documents: `inlineData` and `fileData`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::gemini::request::members::nested;
use crate::ir::{
    Media, MediaSource, ObjectReader, Part, TranslationError, TranslationReport, loss,
    standard_base64,
};

/// Takes the media of a client's part: `inlineData` or `fileData`. Returns `None` if the part has neither.
///
/// # Errors
/// If the media is not valid, or another provider cannot read it.
pub(super) fn take(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Option<Part>, TranslationError> {
    if let Some(inline) = nested(fields, "inlineData")? {
        return decode_inline(inline, report).map(Some);
    }
    match nested(fields, "fileData")? {
        Some(file) => decode_file(file, report).map(Some),
        None => Ok(None),
    }
}

fn decode_inline(
    mut fields: ObjectReader,
    report: &mut TranslationReport,
) -> Result<Part, TranslationError> {
    let path = fields.path().to_owned();
    let data = fields.required_string("data")?;
    let media_type = fields.required_string("mimeType")?;
    let title = fields.string("displayName")?;
    let place = fields.member_path("data");
    fields.warn_unread(report);
    let data = standard_base64(data)
        .ok_or_else(|| TranslationError::new(place, MediaSource::NOT_BASE64))?;
    inline_part(media_type, data, title).ok_or_else(|| TranslationError::new(path, UNKNOWN_KIND))
}

/// Returns the part for inline bytes; `None` if other dialects have no parts of that media type.
pub(super) fn inline_part(media_type: String, data: String, title: Option<String>) -> Option<Part> {
    let kind = MediaKind::of(&media_type)?;
    let plain = media_type == PLAIN;
    let text = plain.then(|| String::from_utf8(STANDARD.decode(&data).ok()?).ok());
    let source = text
        .flatten()
        .map_or(MediaSource::Base64(data), MediaSource::Text);
    Some(kind.part(Media {
        media_type: Some(media_type),
        source,
        detail: None,
        title,
    }))
}

fn decode_file(
    mut fields: ObjectReader,
    report: &mut TranslationReport,
) -> Result<Part, TranslationError> {
    let path = fields.path().to_owned();
    let uri = fields.required_string("fileUri")?;
    let media_type = fields.string("mimeType")?;
    let title = fields.string("displayName")?;
    let place = fields.member_path("fileUri");
    fields.warn_unread(report);
    let known = ["https://", "http://", "gs://"]
        .iter()
        .any(|it| uri.starts_with(it));
    if !known || uri.contains(FILES_API) {
        return Err(TranslationError::new(
            place,
            "files uploaded to Google are not available to other providers; send the file inline, or as an \
             https URL",
        ));
    }
    let guessed = || type_of_url(&uri).map(str::to_owned);
    let kind = media_type.clone().or_else(guessed);
    let kind = kind.map_or(Some(MediaKind::Document), |kind| MediaKind::of(&kind));
    let kind = kind.ok_or_else(|| TranslationError::new(path, UNKNOWN_KIND))?;
    Ok(kind.part(Media {
        media_type,
        source: MediaSource::Url(uri),
        detail: None,
        title,
    }))
}

/// Encodes an image, audio or a document as a part of a request; `None` if `part` is something else.
///
/// # Errors
/// If the file is stored by another provider.
pub(super) fn encode(
    part: &Part,
    report: &mut TranslationReport,
) -> Result<Option<Value>, TranslationError> {
    let (media, fallback) = match part {
        Part::Audio(media) => (media, "audio/wav"),
        Part::Document(media) => (media, "application/pdf"),
        Part::Image(media) => (media, "image/jpeg"),
        _ => return Ok(None),
    };
    if media.title.is_some() {
        report.warn_dropped("title");
    }
    if media
        .detail
        .as_deref()
        .is_some_and(|detail| detail != "auto")
    {
        report.warn_dropped(loss::DETAIL);
    }
    encode_source(media, fallback).map(Some).ok_or_else(|| {
        TranslationError::new(
            "file_id",
            "files uploaded to one provider are not available to others; send the bytes, or an https URL",
        )
    })
}

/// Encodes media as a part; `None` if a provider stores the file.
pub(super) fn encode_source(media: &Media, fallback: &'static str) -> Option<Value> {
    let media_type = media.media_type.as_deref();
    Some(match &media.source {
        MediaSource::Base64(data) => {
            let media_type = media_type.or_else(|| sniff(data)).unwrap_or(fallback);
            json!({"inlineData": {"mimeType": media_type, "data": data}})
        }
        MediaSource::File(_) => return None,
        MediaSource::Text(text) => json!({"inlineData": {
            "mimeType": media_type.unwrap_or(PLAIN),
            "data": STANDARD.encode(text),
        }}),
        MediaSource::Url(url) => {
            let mut file = json!({"fileUri": url});
            if let Some(media_type) = media_type.or_else(|| type_of_url(url)) {
                file["mimeType"] = media_type.into();
            }
            json!({"fileData": file})
        }
    })
}

#[derive(Clone, Copy)]
enum MediaKind {
    Audio,
    Document,
    Image,
}

impl MediaKind {
    /// Returns the kind of a media type; `None` for video and others that no other dialect accepts.
    fn of(media_type: &str) -> Option<Self> {
        match media_type.split('/').next() {
            Some("image") => Some(Self::Image),
            Some("audio") => Some(Self::Audio),
            Some("text" | "application") => Some(Self::Document),
            _ => None,
        }
    }

    fn part(self, media: Media) -> Part {
        match self {
            Self::Audio => Part::Audio(media),
            Self::Document => Part::Document(media),
            Self::Image => Part::Image(media),
        }
    }
}

/// Detects the media type by the first bytes of `data`, which is base64.
fn sniff(data: &str) -> Option<&'static str> {
    let known = [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
    ];
    let found = known.iter().find(|(start, _)| data.starts_with(start));
    found.map(|(_, media_type)| *media_type)
}

/// Guesses the media type by the file name in a URL.
fn type_of_url(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next()?;
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        _ => return None,
    })
}

/// A part of the URLs of files that were uploaded to Google.
const FILES_API: &str = "generativelanguage.googleapis.com/";

/// The error for media of other kinds.
const UNKNOWN_KIND: &str = "only images, audio and documents can be translated";

const PLAIN: &str = "text/plain";
