//! The list of models.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::ModelEntry;
use crate::ir::Malformed;
use crate::json::to_vec;

/// The response to `GET /v1/models`, all on one page.
pub(crate) fn render_model_list(models: &[ModelEntry<'_>]) -> Bytes {
    let list = AnthropicModelList {
        data: models.iter().map(AnthropicModel::from).collect(),
        has_more: false,
        first_id: models.first().map(|model| model.name),
        last_id: models.last().map(|model| model.name),
    };
    to_vec(&list).into()
}

/// The response to `GET /v1/models/{name}`.
pub(crate) fn render_model(model: &ModelEntry<'_>) -> Bytes {
    to_vec(&AnthropicModel::from(model)).into()
}

/// Decodes the response to `GET /v1/models`.
pub(crate) fn decode_model_list(body: &[u8]) -> Result<Vec<String>, Malformed> {
    #[derive(Deserialize)]
    struct Listed {
        data: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let listed: Result<Listed, _> = serde_json::from_slice(body);
    let listed = listed.map_err(|_| Malformed("it is no list of models"))?;
    Ok(listed.data.into_iter().map(|model| model.id).collect())
}

#[derive(Serialize)]
struct AnthropicModelList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

/// A model. The API has no member for the owner.
#[derive(Serialize)]
struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
    lifecycle: &'static str,
}

impl<'a> From<&ModelEntry<'a>> for AnthropicModel<'a> {
    fn from(model: &ModelEntry<'a>) -> Self {
        Self {
            kind: "model",
            id: model.name,
            display_name: model.name,
            created_at: rfc3339(model.created),
            lifecycle: "active",
        }
    }
}

/// Formats seconds since the Unix epoch as RFC 3339, in UTC.
fn rfc3339(seconds: u64) -> String {
    // RFC 3339 has four digits for the year.
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
        let entry = ModelEntry {
            name: "a",
            owner: "x",
            created: 1_000_000_000,
        };
        assert_eq!(render_model(&entry), one);
        let list = format!(r#"{{"data":[{one}],"has_more":false,"first_id":"a","last_id":"a"}}"#);
        assert_eq!(render_model_list(&[entry]), list);
        assert_eq!(decode_model_list(list.as_bytes()), Ok(vec!["a".to_owned()]));
        assert!(decode_model_list(b"{}").is_err());
        assert_eq!(
            render_model_list(&[]),
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
