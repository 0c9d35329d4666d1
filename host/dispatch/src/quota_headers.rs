//! The headers in which a provider's responses say how much of an allowance is left, as an executor declares them.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use jackfield_credential::{Quota, Timestamp};

use crate::classify::hints::{go_duration, left_permille, number, seconds, text};
use crate::clock;

/// The headers of one allowance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaHeaders {
    /// Whether it is of all models of a credential; otherwise of the model of the call.
    pub of_credential: bool,
    /// The header with the limit.
    pub limit: Option<HeaderName>,
    /// The header with what is left.
    pub left: Option<HeaderName>,
    /// The header with the time at which it is new.
    pub resets: Option<HeaderName>,
    /// The form of that time.
    pub form: ResetForm,
}

/// The form of the time at which an allowance is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetForm {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds since the Unix epoch.
    EpochSeconds,
    /// Milliseconds since the Unix epoch.
    EpochMilliseconds,
    /// RFC 3339.
    Rfc3339,
    /// A duration such as `1m30s`.
    Duration,
}

impl QuotaHeaders {
    /// Returns the allowance; `None` if the response does not say what is left.
    pub(crate) fn read(&self, headers: &HeaderMap, now: Timestamp) -> Option<Quota> {
        let left = number(headers, self.left.as_ref()?.as_str())?;
        let limit = self.limit.as_ref();
        let limit = limit.and_then(|limit| number(headers, limit.as_str()));
        let left_permille = match limit {
            _ if left <= 0.0 => Some(0),
            Some(limit) if limit > 0.0 => Some(left_permille(left, limit)),
            Some(_) => return None,
            // Without a limit only what is used up is known.
            None => None,
        };
        let reset = self.resets.as_ref();
        let reset = reset.and_then(|reset| text(headers, reset.as_str()));
        Some(Quota {
            left_permille,
            resets_at: reset.and_then(|reset| self.form.read(reset, now)),
        })
    }
}

impl ResetForm {
    fn read(self, text: &str, now: Timestamp) -> Option<Timestamp> {
        let scaled = |scale: f64| seconds(text.parse::<f64>().ok()? * scale);
        let since_epoch = |time: Option<Duration>| Some(Timestamp::default() + time?);
        match self {
            Self::Seconds => Some(now + scaled(1.0)?),
            Self::Milliseconds => Some(now + scaled(1e-3)?),
            Self::EpochSeconds => since_epoch(scaled(1.0)),
            Self::EpochMilliseconds => since_epoch(scaled(1e-3)),
            Self::Rfc3339 => clock::parse_rfc3339(text),
            Self::Duration => Some(now + go_duration(text)?),
        }
    }
}

/// Returns when the allowances are new again that are used up; `None` if none is, or if that is unknown.
pub(crate) fn resets_at(
    declared: &[QuotaHeaders],
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<Timestamp> {
    let read = declared.iter().filter_map(|one| one.read(headers, now));
    let spent = read.filter(|quota| quota.left_permille == Some(0));
    spent.filter_map(|quota| quota.resets_at).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_796_000_000_000);

    fn declared(form: ResetForm) -> QuotaHeaders {
        let header = |name| Some(HeaderName::from_static(name));
        QuotaHeaders {
            of_credential: false,
            limit: header("x-acme-limit"),
            left: header("x-acme-left"),
            resets: header("x-acme-resets"),
            form,
        }
    }

    fn headers(limit: &'static str, left: &'static str, resets: &'static str) -> HeaderMap {
        let named = [
            ("x-acme-limit", limit),
            ("x-acme-left", left),
            ("x-acme-resets", resets),
        ];
        let present = named.into_iter().filter(|(_, value)| !value.is_empty());
        let pairs = present.map(|(name, value)| {
            (
                HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn reads_what_is_left() {
        let quota = declared(ResetForm::Seconds);
        let left = |limit, left| {
            let read = quota.read(&headers(limit, left, ""), NOW);
            read.map(|quota| quota.left_permille)
        };
        for (limit, rest, expected) in [
            ("100", "25", Some(Some(250))),
            ("100000", "1", Some(Some(1))),
            ("100", "0", Some(Some(0))),
            ("100", "200", Some(Some(1_000))),
            ("", "0", Some(Some(0))),
            ("", "5", Some(None)),
            ("0", "5", None),
            ("100", "", None),
            ("100", "many", None),
        ] {
            assert_eq!(left(limit, rest), expected, "{limit} {rest}");
        }
    }

    #[test]
    fn reads_every_form_of_reset() {
        let expected = NOW + Duration::from_secs(90);
        for (form, text) in [
            (ResetForm::Seconds, "90"),
            (ResetForm::Milliseconds, "90000"),
            (ResetForm::EpochSeconds, "1796000090"),
            (ResetForm::EpochMilliseconds, "1796000090000"),
            (ResetForm::Rfc3339, "2026-11-30T00:54:50Z"),
            (ResetForm::Duration, "1m30s"),
        ] {
            let all = [declared(form)];
            let spent = resets_at(&all, &headers("9", "0", text), NOW);
            assert_eq!(spent, Some(expected), "{text}");
            assert_eq!(resets_at(&all, &headers("9", "1", text), NOW), None);
            assert_eq!(resets_at(&all, &headers("9", "0", "soon"), NOW), None);
        }
    }
}
