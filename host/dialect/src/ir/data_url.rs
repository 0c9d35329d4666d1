//! URLs of media, which may hold the data itself (RFC 2397).

use super::MediaSource;

/// Returns the media type and the source at a URL: inline data for a `data:` URL.
///
/// # Errors
/// If it is a `data:` URL that is not in base64. The error is a text about the member.
pub(crate) fn media_source(url: String) -> Result<(Option<String>, MediaSource), &'static str> {
    let Some(inline) = url.strip_prefix("data:") else {
        return Ok((None, MediaSource::Url(url)));
    };
    let Some((head, data)) = inline.split_once(";base64,") else {
        return Err("a `data:` URL must be in base64: `data:TYPE;base64,DATA`");
    };
    // Encoders compare the type alone, so parameters such as a `charset` are cut off.
    let media_type = head.split(';').next().filter(|kind| !kind.is_empty());
    let source = MediaSource::base64(data.to_owned()).ok_or(MediaSource::NOT_BASE64)?;
    Ok((media_type.map(str::to_owned), source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        let read = |url: &str| media_source(url.to_owned());
        let png = Some("image/png".to_owned());
        let inline = || MediaSource::Base64("AA==".to_owned());
        for (url, media_type) in [
            ("data:image/png;base64,AA==", png.clone()),
            ("data:image/png;a=b;base64,AA==", png),
            ("data:;base64,AA==", None),
        ] {
            assert_eq!(read(url), Ok((media_type, inline())), "{url}");
        }
        let web = "https://a.example/x.png";
        assert_eq!(read(web), Ok((None, MediaSource::Url(web.to_owned()))));
        for bad in [
            "data:text/plain,hi",
            "data:image/png;base64",
            "data:image/png;base64,!",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
