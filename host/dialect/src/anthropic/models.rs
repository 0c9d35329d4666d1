//! The list of models.

use bytes::Bytes;
use serde_json::{Value, json};

/// The answer to `GET /v1/models`, all on one page: for each model its name and its owner, of whom this
/// API says nothing; `created` is in seconds since the Unix epoch.
#[must_use]
pub fn model_list<'a>(names: impl Iterator<Item = (&'a str, &'a str)>, created: u64) -> Bytes {
    let data: Vec<Value> = names.map(|(name, _)| model_json(name, created)).collect();
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    let (first_id, last_id) = (id(data.first()), id(data.last()));
    json!({"data": data, "has_more": false, "first_id": first_id, "last_id": last_id})
        .to_string()
        .into()
}

/// The answer to `GET /v1/models/{name}`.
#[must_use]
pub fn model(name: &str, _owned_by: &str, created: u64) -> Bytes {
    model_json(name, created).to_string().into()
}

fn model_json(name: &str, created: u64) -> Value {
    json!({
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": rfc3339(created),
        "lifecycle": "active",
    })
}

/// A moment as RFC 3339 has it, in UTC.
fn rfc3339(seconds: u64) -> String {
    // Beyond the year 9999 there is no such spelling.
    let seconds = seconds.min(253_402_300_799);
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(day);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since the Unix epoch, by the Gregorian calendar. Years are counted from March, so
/// that the leap day is a year's last, in eras of 400 years, which are all equally long.
const fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_model_list() {
        let one = r#"{"type":"model","id":"a","display_name":"a","created_at":"2001-09-09T01:46:40Z","lifecycle":"active"}"#;
        let created = 1_000_000_000;
        assert_eq!(model("a", "x", created), one);
        let list = format!(r#"{{"data":[{one}],"has_more":false,"first_id":"a","last_id":"a"}}"#);
        assert_eq!(model_list([("a", "x")].into_iter(), created), list);
        assert_eq!(
            model_list(std::iter::empty(), 0),
            r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#
        );
    }

    #[test]
    fn formats_rfc3339_timestamps() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ];
        for (seconds, spelled) in cases {
            assert_eq!(rfc3339(seconds), spelled);
        }
    }
}
