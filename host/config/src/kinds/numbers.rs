//! Numbers, durations and times. An error says what the value must be.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use serde_json::{Value as Json, json};

use super::scalars::is_plain;
use crate::key::{Describe, Kind};
use crate::reader::{Located, Reader};

/// A whole number between two limits, which it may reach.
pub(crate) struct Whole<T> {
    pub(crate) min: T,
    pub(crate) max: T,
}

/// A limit of at least one.
pub(crate) struct Limit {
    pub(crate) max: u32,
}

/// A number with at most three decimal places, counted in thousandths.
pub(crate) struct Permille {
    pub(crate) max: u32,
}

/// A duration above zero.
pub(crate) struct Duration {
    pub(crate) max: std::time::Duration,
}

/// A time in UTC.
pub(crate) struct Timestamp;

impl<T: Copy + Display + Into<i64> + Sync> Describe for Whole<T> {
    fn rule(&self) -> String {
        format!("{} to {}.", self.min, self.max)
    }

    fn schema(&self) -> Json {
        let (min, max): (i64, i64) = (self.min.into(), self.max.into());
        json!({ "type": "integer", "minimum": min, "maximum": max })
    }
}

impl<T: Copy + Display + FromStr + Into<i64> + PartialOrd + Sync> Kind for Whole<T> {
    type Value = T;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<T> {
        let text = reader.text(located)?;
        match text.parse() {
            Ok(number) if is_plain(located) && (self.min..=self.max).contains(&number) => {
                Some(number)
            }
            _ => {
                let (min, max) = (self.min, self.max);
                let rule = format!("must be a whole number from {min} to {max}, without quotes");
                reader.invalid_value(located, text, &rule)
            }
        }
    }

    fn text(&self, value: &T) -> String {
        value.to_string()
    }
}

impl Limit {
    fn whole(&self) -> Whole<u32> {
        Whole {
            min: 1,
            max: self.max,
        }
    }
}

impl Describe for Limit {
    fn rule(&self) -> String {
        self.whole().rule()
    }

    fn schema(&self) -> Json {
        self.whole().schema()
    }
}

impl Kind for Limit {
    type Value = NonZeroU32;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<NonZeroU32> {
        NonZeroU32::new(self.whole().read(reader, located)?)
    }

    fn text(&self, value: &NonZeroU32) -> String {
        value.to_string()
    }
}

impl Describe for Permille {
    fn rule(&self) -> String {
        let max = self.text(&self.max);
        format!("0 to {max}, at most three decimal places.")
    }

    fn schema(&self) -> Json {
        json!({ "type": "number", "minimum": 0, "maximum": f64::from(self.max) / 1000.0 })
    }
}

impl Kind for Permille {
    type Value = u32;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<u32> {
        let text = reader.text(located)?;
        match thousandths(text) {
            Some(permille) if is_plain(located) && permille <= self.max => Some(permille),
            _ => {
                let max = self.text(&self.max);
                let rule = format!(
                    "must be a number from 0 to {max} with at most three digits after the point, \
                     without quotes"
                );
                reader.invalid_value(located, text, &rule)
            }
        }
    }

    fn text(&self, value: &u32) -> String {
        (f64::from(*value) / 1000.0).to_string()
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

impl Describe for Duration {
    fn rule(&self) -> String {
        format!("Duration up to {}.", self.text(&self.max))
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": DURATION_PATTERN })
    }
}

impl Kind for Duration {
    type Value = std::time::Duration;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Self::Value> {
        let text = reader.text(located)?;
        match humantime::parse_duration(text) {
            Ok(duration) if !duration.is_zero() && duration <= self.max => Some(duration),
            _ => {
                let max = self.text(&self.max);
                let rule = format!(
                    "must be a duration above zero and at most {max}, such as 500ms, 30s or 2m"
                );
                reader.invalid_value(located, text, &rule)
            }
        }
    }

    fn text(&self, value: &Self::Value) -> String {
        humantime::format_duration(*value).to_string()
    }
}

impl Describe for Timestamp {
    fn rule(&self) -> String {
        "Timestamp.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "format": "date-time" })
    }
}

impl Kind for Timestamp {
    type Value = jackfield_credential::Timestamp;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Self::Value> {
        let text = reader.text(located)?;
        let time = humantime::parse_rfc3339(text).ok();
        let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        match since.and_then(|since| u64::try_from(since.as_millis()).ok()) {
            Some(millis) => Some(Self::Value::from_millis(millis)),
            None => {
                let rule = "must be a time in UTC since 1970, such as 2030-01-31T12:00:00Z";
                reader.invalid_value(located, text, rule)
            }
        }
    }

    fn text(&self, value: &Self::Value) -> String {
        value.as_millis().to_string()
    }
}

/// Numbers with units. It allows a duration of zero and one above the limit; the reader refuses them.
const DURATION_PATTERN: &str = "^ *([0-9]+ *[a-zA-Zµ]+ *)+$";
