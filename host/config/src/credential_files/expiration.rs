//! Reads the end of a token from credential files of all versions of CLIProxyAPI. Pure.

use jackfield_credential::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

/// Returns the end of the token in a file: the first known key with a valid value, then the same inside
/// `token`. A number is in seconds since 1970, or in milliseconds if it is too large for seconds. A time
/// without a zone is in UTC. Values without a time, such as `0`, are ignored.
pub(super) fn expiration(file: &Map<String, Value>) -> Option<Timestamp> {
    let own = KEYS
        .iter()
        .filter_map(|key| file.get(*key))
        .find_map(timestamp);
    own.or_else(|| {
        let tokens = NESTED.iter().filter_map(|key| file.get(*key)?.as_object());
        // The JSON parser limits the depth of a file, which bounds this recursion.
        tokens.into_iter().find_map(expiration)
    })
}

/// Parses a time of a file.
pub(super) fn timestamp(value: &Value) -> Option<Timestamp> {
    let millis = match value {
        Value::Number(number) => millis_of(number.as_i64().or_else(|| whole(number.as_f64()?))?),
        Value::String(text) => parse_text(text.trim())?,
        _ => return None,
    };
    u64::try_from(millis)
        .ok()
        .filter(|&millis| millis > 0)
        .map(Timestamp::from_millis)
}

fn parse_text(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(millis_of(number));
    }
    // Before `DateTime`, which accepts a time with an offset and ignores the offset.
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    let local: DateTime = text.parse().ok()?;
    let time = TimeZone::UTC.to_timestamp(local).ok()?;
    Some(time.as_millisecond())
}

fn millis_of(number: i64) -> i64 {
    if number > SECONDS_MAX {
        number
    } else {
        number.saturating_mul(1000)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "only the fraction of a second is cut"
)]
fn whole(number: f64) -> Option<i64> {
    (number.abs() < 9e15).then_some(number as i64)
}

/// The keys of the end, by precedence (CLIProxyAPI v6.7.21).
const KEYS: [&str; 6] = [
    "expired",
    "expire",
    "expires_at",
    "expiresAt",
    "expiry",
    "expires",
];

/// The keys of objects that hold the tokens in some files.
const NESTED: [&str; 2] = ["token", "Token"];

/// A larger number is in milliseconds: as seconds it would be the year 33658.
const SECONDS_MAX: i64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2026-01-24T10:00:00Z, in seconds.
    const END: u64 = 1_769_248_800;

    fn read(file: &Value) -> Option<u64> {
        expiration(file.as_object()?).map(|at| at.as_millis())
    }

    #[test]
    fn cliproxyapi_compat_1_13_parses_expiry_in_many_formats() {
        let spellings = [
            json!("2026-01-24T10:00:00Z"),
            json!("2026-01-24T11:30:00.000+01:30"),
            json!("2026-01-24 10:00:00"),
            json!("2026-01-24 10:00"),
            json!(END),
            json!(END * 1000),
            json!(END.to_string()),
            json!(1_769_248_800.0),
        ];
        for value in spellings {
            assert_eq!(
                read(&json!({ "expired": value })),
                Some(END * 1000),
                "{value}"
            );
        }
    }

    #[test]
    fn cliproxyapi_compat_1_13_first_readable_expiry_key_wins_then_token() {
        for key in KEYS {
            assert_eq!(read(&json!({ key: END })), Some(END * 1000), "{key}");
        }
        let both = json!({ "expires": 5, "expired": END, "token": { "expiry": 7 } });
        assert_eq!(read(&both), Some(END * 1000));
        let unreadable = json!({ "expired": "soon", "expire": true, "expiry": END });
        assert_eq!(read(&unreadable), Some(END * 1000));
        let nested = json!({ "Token": { "token": { "expires_at": END } } });
        assert_eq!(read(&nested), Some(END * 1000));
    }

    #[test]
    fn cliproxyapi_compat_1_13_ignores_values_without_expiry() {
        // The seed takes `0` for an end that is known and zero, and looks no further.
        assert_eq!(
            read(&json!({ "expired": 0, "expires_at": END })),
            Some(END * 1000)
        );
        for value in [
            json!(0),
            json!(-5),
            json!(""),
            json!("soon"),
            json!(null),
            json!([END]),
        ] {
            assert_eq!(read(&json!({ "expired": value })), None, "{value}");
        }
    }
}
