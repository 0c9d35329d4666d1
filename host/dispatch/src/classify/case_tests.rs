//! Real responses: the cases of `tests/cases/health` whose errors the host's own rules classify, and first
//! errors of streams. The tests of `host/runtime` run the others, with the built-in plugins.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use jackfield_dialect::sse::SseReader;
use jackfield_dialect::{Dialect, EventClass};

use super::*;
use health::{Classified, HealthCase};

#[expect(unreachable_pub, reason = "a public module of tests/support")]
#[path = "../../../../tests/support/src/health.rs"]
mod health;

#[test]
fn classifies_real_responses() {
    let cases = health::cases().unwrap();
    assert!(cases.len() >= 80, "only {} cases were found", cases.len());
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| Some((case, classify(case)?)))
        .filter_map(|(case, failure)| case.check(&classified(&failure)).err())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn classified(failure: &Failure) -> Classified<'_> {
    Classified {
        scope: failure.scope.label(),
        kind: &failure.kind,
        retry_after: failure.retry_after,
        refresh_suggested: failure.refresh_suggested,
        message: &failure.message,
    }
}

/// The classification of a case; `None` if a plugin takes part in it.
fn classify(case: &HealthCase) -> Option<Failure> {
    let status = StatusCode::from_u16(case.status).unwrap();
    if status.is_success() {
        return Some(stream_error(&first_error(case)));
    }
    let header = |(name, value): &(String, String)| {
        let name: HeaderName = name.parse().unwrap();
        (name, value.parse::<HeaderValue>().unwrap())
    };
    let headers: HeaderMap = case.headers.iter().map(header).collect();
    let now = Timestamp::from_millis(case.now_ms);
    (case.executor == "openai-compatible").then(|| response(status, &headers, &case.body, now))
}

/// The first error of a stream.
fn first_error(case: &HealthCase) -> ProviderError {
    let dialect = Dialect::parse(&case.dialect).unwrap();
    let mut reader = SseReader::new(case.body.len() + 2);
    reader.push(Bytes::from(case.body.clone()));
    reader.push(Bytes::from_static(b"\n\n"));
    let mut observer = dialect.codec().observer();
    while let Some(event) = reader.next_event().unwrap() {
        if let EventClass::Error(error) = observer.observe(event.name(), &event.data) {
            return error;
        }
    }
    panic!("no error in the stream: {case:?}");
}
