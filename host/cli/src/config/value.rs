//! Single values: text, numbers, durations, addresses, URLs, paths. Each says what it must be.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::reader::Reader;
use super::section::Spot;
use super::yaml::Value;

impl Reader<'_> {
    /// Any scalar that is not empty. `null` and an empty plain scalar are no value.
    pub(super) fn text<'n>(&mut self, spot: &Spot<'n>) -> Option<&'n str> {
        let what = match &spot.node.value {
            Value::Scalar { text, .. } if text.is_empty() => "must not be empty",
            Value::Scalar { text, .. } if !spot.node.is_nothing() => return Some(text),
            Value::Scalar { .. } => "must be a value",
            Value::List(_) => "must be a single value, not a list",
            Value::Map(_) => "must be a single value, not a mapping",
        };
        self.refuse_kind(spot, what);
        None
    }

    /// A name that may become a part of a file's name.
    pub(super) fn name(&mut self, spot: &Spot<'_>) -> Option<String> {
        let text = self.text(spot)?;
        let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if begins && text.len() <= NAME_BYTES_MAX && text.bytes().all(legal) {
            return Some(text.to_owned());
        }
        let rule = format!(
            "must be a lower-case letter or a digit, then at most {} of a-z, 0-9, `.`, `_` and `-`",
            NAME_BYTES_MAX - 1
        );
        self.refuse_found(spot, text, &rule)
    }

    /// Text on one line, such as a model's name.
    pub(super) fn line(&mut self, spot: &Spot<'_>) -> Option<String> {
        let text = self.text(spot)?;
        if text.len() <= LINE_BYTES_MAX && text.trim() == text && !text.contains(char::is_control) {
            return Some(text.to_owned());
        }
        let rule =
            format!("must be one line of at most {LINE_BYTES_MAX} bytes without spaces around it");
        self.refuse_found(spot, text, &rule)
    }

    /// A whole number.
    pub(super) fn number<T>(&mut self, spot: &Spot<'_>, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let text = self.text(spot)?;
        let plain = matches!(spot.node.value, Value::Scalar { plain: true, .. });
        match text.parse() {
            Ok(number) if plain && range.contains(&number) => Some(number),
            _ => {
                let (least, most) = range.into_inner();
                let rule = format!("must be a whole number from {least} to {most}, without quotes");
                self.refuse_found(spot, text, &rule)
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, spot: &Spot<'_>) -> Option<bool> {
        let text = self.text(spot)?;
        match (text, &spot.node.value) {
            ("true", Value::Scalar { plain: true, .. }) => Some(true),
            ("false", Value::Scalar { plain: true, .. }) => Some(false),
            _ => self.refuse_found(spot, text, "must be true or false, without quotes"),
        }
    }

    /// A duration above zero.
    pub(super) fn duration(&mut self, spot: &Spot<'_>, most: Duration) -> Option<Duration> {
        let text = self.text(spot)?;
        match humantime::parse_duration(text) {
            Ok(duration) if !duration.is_zero() && duration <= most => Some(duration),
            _ => {
                let most = humantime::format_duration(most);
                let rule = format!(
                    "must be a duration above zero and at most {most}, such as 500ms, 30s or 2m"
                );
                self.refuse_found(spot, text, &rule)
            }
        }
    }

    /// An address to listen on.
    pub(super) fn address(&mut self, spot: &Spot<'_>) -> Option<SocketAddr> {
        let text = self.text(spot)?;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                let rule = "must be an IP address and a port, such as 127.0.0.1:8317 or [::1]:8317";
                self.refuse_found(spot, text, rule)
            }
        }
    }

    /// A path, made absolute.
    pub(super) fn path(&mut self, spot: &Spot<'_>) -> Option<PathBuf> {
        let text = self.text(spot)?;
        if text.starts_with('~') {
            return self.refuse_found(spot, text, "must be written out; `~` is not replaced here");
        }
        let path = std::path::absolute(self.folder.join(text)).ok();
        path.or_else(|| self.refuse_found(spot, text, "must be a path"))
    }

    /// Where an API begins. The text is never shown: people put keys into URLs.
    pub(super) fn base_url(&mut self, spot: &Spot<'_>) -> Option<Url> {
        let mut url = self.url(spot, &["http", "https"])?;
        let what = if !url.username().is_empty() || url.password().is_some() {
            "must not carry a user or a password; put the key under `credentials`"
        } else if url.query().is_some() || url.fragment().is_some() {
            "must end with its path: remove what begins with `?` or `#`"
        } else {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&path);
            return Some(url);
        };
        self.refuse(spot, what);
        None
    }

    /// A proxy. The text is never shown: it may carry a password.
    pub(super) fn proxy_url(&mut self, spot: &Spot<'_>) -> Option<Url> {
        let url = self.url(spot, &["http", "https", "socks5"])?;
        let path = !matches!(url.path(), "" | "/");
        if path || url.query().is_some() || url.fragment().is_some() {
            self.refuse(
                spot,
                "must end with its host and port: remove what comes after",
            );
            return None;
        }
        Some(url)
    }

    fn url(&mut self, spot: &Spot<'_>, schemes: &[&str]) -> Option<Url> {
        let text = self.text(spot)?;
        let url = Url::parse(text).ok().filter(Url::has_host);
        let url = url.filter(|url| schemes.contains(&url.scheme()));
        if url.is_none() {
            let schemes = schemes.join("://, ");
            self.refuse(
                spot,
                format!("must be a URL with a host that begins with one of {schemes}://"),
            );
        }
        url
    }

    /// Refuses a value and shows it, cut.
    fn refuse_found<T>(&mut self, spot: &Spot<'_>, found: &str, rule: &str) -> Option<T> {
        let cut: String = found.chars().take(FOUND_CHARS_MAX).collect();
        let more = if cut.len() < found.len() { ".." } else { "" };
        self.refuse(spot, format!("{rule}; found {cut:?}{more}"));
        None
    }
}

/// Long enough for people, short enough for a file's name with a suffix on every system.
const NAME_BYTES_MAX: usize = 64;

/// Model names are paths at some providers; none known comes near this.
const LINE_BYTES_MAX: usize = 256;

/// Enough to recognise a value in a message of one line.
const FOUND_CHARS_MAX: usize = 40;
