//! Reads the images and documents of a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::request::Media;

/// Reads an image or a document from its URL. The size is known only for a data URL.
///
/// # Errors
/// When it is neither a valid data URL with base64, nor an HTTP URL.
pub(super) fn read_data_url(kind: &'static str, url: &str) -> Result<Media, String> {
    let Some(data) = url.strip_prefix("data:") else {
        let is_web_url = url.starts_with("https://") || url.starts_with("http://");
        let media = Media {
            kind,
            label: url.to_owned(),
            bytes: None,
        };
        return is_web_url
            .then_some(media)
            .ok_or_else(|| "it is neither an HTTP URL nor a data URL".to_owned());
    };
    let (media_type, data) = data
        .split_once(";base64,")
        .ok_or("a data URL needs a media type and base64")?;
    read_base64(kind, media_type, data)
}

/// Reads an image or a document in base64.
///
/// # Errors
/// When it is not base64, or empty.
pub(super) fn read_base64(
    kind: &'static str,
    media_type: &str,
    data: &str,
) -> Result<Media, String> {
    let bytes = STANDARD.decode(data).map_err(|_| "it is not base64")?;
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(Media {
        kind,
        label: media_type.to_owned(),
        bytes: Some(bytes.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_data_urls_and_accepts_web_urls() {
        let read = |url: &str| read_data_url("image", url);
        let media = read("data:image/png;base64,YWJj").unwrap();
        assert_eq!((media.label.as_str(), media.bytes), ("image/png", Some(3)));
        assert_eq!(read("https://a.invalid/b").unwrap().bytes, None);
        for invalid in [
            "data:image/png,abc",
            "data:image/png;base64,YWJ",
            "file:///a",
            "",
        ] {
            assert!(read(invalid).is_err(), "{invalid}");
        }
        assert!(read_base64("image", "image/png", "").is_err());
    }
}
