//! Single values: text, numbers, durations, addresses, URLs, paths. Each says what it must be.

use std::fmt::Display;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use jackfield_credential::Timestamp;
use jackfield_credential::model_names::normalize_prefix;
use url::Url;

use crate::mapping::Located;
use crate::reader::{Reader, UniqueNames};
use crate::yaml::Value;

impl Reader<'_> {
    /// Any scalar that is not empty. `null` and an empty plain scalar are no value.
    pub(crate) fn text<'n>(&mut self, located: &Located<'n>) -> Option<&'n str> {
        let message = match &located.node.value {
            Value::Scalar { text, .. } if text.is_empty() => "must not be empty",
            Value::Scalar { text, .. } if !located.node.is_null() => return Some(text),
            Value::Scalar { .. } => "must be a value",
            Value::List(_) => "must be a single value, not a list",
            Value::Map(_) => "must be a single value, not a mapping",
        };
        self.invalid_type(located, message);
        None
    }

    /// A name that may become a part of a file's name.
    pub(crate) fn name(&mut self, located: &Located<'_>) -> Option<String> {
        let text = self.text(located)?;
        if Self::is_name(text) {
            return Some(text.to_owned());
        }
        let rule = format!(
            "must be a lower-case letter or a digit, then at most {} of a-z, 0-9, `.`, `_` and `-`",
            NAME_BYTES_MAX - 1
        );
        self.invalid_value(located, text, &rule)
    }

    /// Whether a text is such a name.
    pub(crate) fn is_name(text: &str) -> bool {
        let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let begins = text.starts_with(|first: char| matches!(first, 'a'..='z' | '0'..='9'));
        begins && text.len() <= NAME_BYTES_MAX && text.bytes().all(legal)
    }

    /// A name that did not come before.
    pub(crate) fn unique(
        &mut self,
        located: &Located<'_>,
        names: &mut UniqueNames,
    ) -> Option<String> {
        let name = self.name(located)?;
        names.check(self, located, &name);
        Some(name)
    }

    /// One word of a few.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        located: &Located<'_>,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(located)?;
        if let Some((_, chosen)) = choices.iter().find(|(label, _)| *label == text) {
            return Some(*chosen);
        }
        let labels: Vec<&str> = choices.iter().map(|(label, _)| *label).collect();
        self.invalid_value(
            located,
            text,
            &format!("must be one of {}", labels.join(", ")),
        )
    }

    /// Text on one line, such as a model's name.
    pub(crate) fn line(&mut self, located: &Located<'_>) -> Option<String> {
        let text = self.text(located)?;
        if text.len() <= LINE_BYTES_MAX && text.trim() == text && !text.contains(char::is_control) {
            return Some(text.to_owned());
        }
        let rule =
            format!("must be one line of at most {LINE_BYTES_MAX} bytes without spaces around it");
        self.invalid_value(located, text, &rule)
    }

    /// A whole number.
    pub(crate) fn number<T>(&mut self, located: &Located<'_>, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let text = self.text(located)?;
        let plain = matches!(located.node.value, Value::Scalar { plain: true, .. });
        match text.parse() {
            Ok(number) if plain && range.contains(&number) => Some(number),
            _ => {
                let (least, most) = range.into_inner();
                let rule = format!("must be a whole number from {least} to {most}, without quotes");
                self.invalid_value(located, text, &rule)
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, located: &Located<'_>) -> Option<bool> {
        let text = self.text(located)?;
        match (text, &located.node.value) {
            ("true", Value::Scalar { plain: true, .. }) => Some(true),
            ("false", Value::Scalar { plain: true, .. }) => Some(false),
            _ => self.invalid_value(located, text, "must be true or false, without quotes"),
        }
    }

    /// A duration above zero.
    pub(crate) fn duration(&mut self, located: &Located<'_>, most: Duration) -> Option<Duration> {
        let text = self.text(located)?;
        match humantime::parse_duration(text) {
            Ok(duration) if !duration.is_zero() && duration <= most => Some(duration),
            _ => {
                let most = humantime::format_duration(most);
                let rule = format!(
                    "must be a duration above zero and at most {most}, such as 500ms, 30s or 2m"
                );
                self.invalid_value(located, text, &rule)
            }
        }
    }

    /// A moment, as RFC 3339 writes it, in UTC.
    pub(crate) fn timestamp(&mut self, located: &Located<'_>) -> Option<Timestamp> {
        let text = self.text(located)?;
        let time = humantime::parse_rfc3339(text).ok();
        let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        match since.and_then(|since| u64::try_from(since.as_millis()).ok()) {
            Some(millis) => Some(Timestamp::from_millis(millis)),
            None => {
                let rule = "must be a moment in UTC since 1970, such as 2030-01-31T12:00:00Z";
                self.invalid_value(located, text, rule)
            }
        }
    }

    /// A number with at most three digits after its point, in thousandths.
    pub(crate) fn permille(&mut self, located: &Located<'_>, most: u32) -> Option<u32> {
        let text = self.text(located)?;
        let plain = matches!(located.node.value, Value::Scalar { plain: true, .. });
        match thousandths(text) {
            Some(permille) if plain && permille <= most => Some(permille),
            _ => {
                let most = f64::from(most) / 1000.0;
                let rule = format!(
                    "must be a number from 0 to {most} with at most three digits after the point, \
                     without quotes"
                );
                self.invalid_value(located, text, &rule)
            }
        }
    }

    /// What stands before a model's name; none if nothing is left of it.
    pub(crate) fn prefix(&mut self, located: &Located<'_>) -> Option<String> {
        let line = self.line(located)?;
        match normalize_prefix(&line) {
            Ok(Some(prefix)) => Some(prefix.to_owned()),
            Ok(None) => self.invalid_value(located, &line, "must hold more than slashes"),
            Err(error) => self.invalid_value(located, &line, &error.to_string()),
        }
    }

    /// A priority.
    pub(crate) fn priority(&mut self, located: &Located<'_>) -> Option<i32> {
        self.number(located, -PRIORITY_MAX..=PRIORITY_MAX)
    }

    /// A share among equals.
    pub(crate) fn weight(&mut self, located: &Located<'_>) -> Option<u32> {
        self.number(located, 1..=WEIGHT_MAX)
    }

    /// Attempts under way at once.
    pub(crate) fn in_flight(&mut self, located: &Located<'_>) -> Option<NonZeroU32> {
        NonZeroU32::new(self.number(located, 1..=IN_FLIGHT_MAX)?)
    }

    /// Rounds over the credentials.
    pub(crate) fn rounds(&mut self, located: &Located<'_>) -> Option<u32> {
        self.number(located, 1..=ROUNDS_MAX)
    }

    /// An address to listen on.
    pub(crate) fn address(&mut self, located: &Located<'_>) -> Option<SocketAddr> {
        let text = self.text(located)?;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                let rule = "must be an IP address and a port, such as 127.0.0.1:8317 or [::1]:8317";
                self.invalid_value(located, text, rule)
            }
        }
    }

    /// A path, made absolute.
    pub(crate) fn path(&mut self, located: &Located<'_>) -> Option<PathBuf> {
        let text = self.text(located)?;
        if text.starts_with('~') {
            return self.invalid_value(
                located,
                text,
                "must be written out; `~` is not replaced here",
            );
        }
        let path = std::path::absolute(self.folder.join(text)).ok();
        path.or_else(|| self.invalid_value(located, text, "must be a path"))
    }

    /// Where an API begins. The text is never shown: people put keys into URLs.
    pub(crate) fn base_url(&mut self, located: &Located<'_>) -> Option<Url> {
        let mut url = self.url(located, &["http", "https"])?;
        let message = if !url.username().is_empty() || url.password().is_some() {
            "must not carry a user or a password; put the key under `credentials`"
        } else if url.query().is_some() || url.fragment().is_some() {
            "must end with its path: remove what begins with `?` or `#`"
        } else {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&path);
            return Some(url);
        };
        self.report(located, message);
        None
    }

    /// A scheme, a host and a port. The text is never shown, as for the base URL.
    pub(crate) fn origin(&mut self, located: &Located<'_>) -> Option<Url> {
        let url = self.base_url(located)?;
        if url.path() == "/" {
            return Some(url);
        }
        let message = "must end with its host and port: what is granted is a whole origin";
        self.report(located, message);
        None
    }

    /// A proxy. The text is never shown: it may carry a password.
    pub(crate) fn proxy_url(&mut self, located: &Located<'_>) -> Option<Url> {
        let url = self.url(located, &["http", "https", "socks5"])?;
        let path = !matches!(url.path(), "" | "/");
        if path || url.query().is_some() || url.fragment().is_some() {
            self.report(
                located,
                "must end with its host and port: remove what comes after",
            );
            return None;
        }
        Some(url)
    }

    fn url(&mut self, located: &Located<'_>, schemes: &[&str]) -> Option<Url> {
        let text = self.text(located)?;
        let url = Url::parse(text).ok().filter(Url::has_host);
        let url = url.filter(|url| schemes.contains(&url.scheme()));
        if url.is_none() {
            let schemes = schemes.join("://, ");
            self.report(
                located,
                format!("must be a URL with a host that begins with one of {schemes}://"),
            );
        }
        url
    }

    /// Refuses a value and shows it, cut.
    pub(crate) fn invalid_value<T>(
        &mut self,
        located: &Located<'_>,
        found: &str,
        rule: &str,
    ) -> Option<T> {
        let cut: String = found.chars().take(FOUND_CHARS_MAX).collect();
        let more = if cut.len() < found.len() { ".." } else { "" };
        self.report(located, format!("{rule}; found {cut:?}{more}"));
        None
    }
}

/// None unless the text is digits, with at most three more behind a point.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 3 {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    whole.checked_mul(1000)?.checked_add(part)
}

/// Weights are summed as 64-bit numbers; a million to one is as uneven as anybody needs.
const WEIGHT_MAX: u32 = 1_000_000;

/// Tiers are few; this is only wide enough for everybody's numbering.
const PRIORITY_MAX: i32 = 1_000_000;

/// More attempts than one process has sockets for.
const IN_FLIGHT_MAX: u32 = 100_000;

/// More rounds would only hammer providers that are down.
const ROUNDS_MAX: u32 = 20;

/// Long enough for people, short enough for a file's name with a suffix on every system.
const NAME_BYTES_MAX: usize = 64;

/// Model names are paths at some providers; none known comes near this.
const LINE_BYTES_MAX: usize = 256;

/// Enough to recognise a value in a message of one line.
const FOUND_CHARS_MAX: usize = 40;
