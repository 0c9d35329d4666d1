//! The provider's response as a whole one.

use jackfield_corpus::{Case, Expectations, HttpMessage};
use jackfield_dialect::{BodyCheck, Collector, Dialect, EventClass, ProviderError};

use crate::{Exchange, Failure, Outcome, error_text};

/// Translates a whole response for the client.
pub(crate) fn translate(
    exchange: &Exchange<'_>,
    response: &HttpMessage,
) -> Outcome<Result<Vec<u8>, Failure>> {
    if let Err(failure) = check(exchange.provider, response) {
        return Ok(Err(failure));
    }
    let translated = exchange.request.translate_response(&response.body);
    Ok(translated.map_err(|_| Failure::Unusable("malformed")))
}

/// Collects a stream into the whole response of the client.
pub(crate) fn collect(exchange: &Exchange<'_>) -> Outcome<Result<Vec<u8>, Failure>> {
    let mut collector = Collector::new(exchange.provider);
    for (name, data) in exchange.events {
        match collector.event(name, data) {
            EventClass::Error(error) => return Ok(Err(Failure::Error(200, error))),
            EventClass::Malformed => return Ok(Err(Failure::Unusable("malformed"))),
            EventClass::Content | EventClass::Done | EventClass::Preamble => {}
        }
    }
    let Some(response) = collector.finish() else {
        return Ok(Err(Failure::Unusable("cut off, or empty")));
    };
    let body = exchange.request.encode_response(response);
    Ok(Ok(body.ok_or("no response to a chat")?))
}

/// Compares what the host learns from a whole response that it relays.
pub(crate) fn check_relay(case: &Case, provider: Dialect, expectations: &mut Expectations) {
    let Some(response) = &case.response else {
        return;
    };
    let verdict = match check(provider, response) {
        Ok(usage) => format!("complete\n{usage:?}\n"),
        Err(Failure::Unusable(reason)) => format!("unusable: {reason}\n"),
        Err(Failure::Error(status, error)) => error_text(Some(status), &error),
    };
    expectations.check_text("relay.txt", &verdict);
}

/// Checks a whole response as the host does. Returns the usage.
pub(crate) fn check(
    provider: Dialect,
    response: &HttpMessage,
) -> Result<Option<jackfield_dialect::Usage>, Failure> {
    let status = response.status().unwrap_or_default();
    if status >= 400 {
        let error = ProviderError::read(&response.body).unwrap_or_default();
        return Err(Failure::Error(status, error));
    }
    match provider.codec().check_body(&response.body) {
        BodyCheck::Complete { usage } => Ok(usage),
        BodyCheck::Empty => Err(Failure::Unusable("empty")),
        BodyCheck::Error(error) => Err(Failure::Error(status, error)),
        BodyCheck::Malformed => Err(Failure::Unusable("malformed")),
    }
}
