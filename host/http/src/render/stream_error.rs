//! Errors of calls whose clients have the head of their stream already: they are the last event of the
//! stream, in the client's dialect.

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use jackfield_dialect::{ArrayWriter, Dialect, ErrorPlace};
use jackfield_dispatch::{BodyError, CallError, FailedStream, ResponseStream, StreamFraming};

use super::upstream_error::upstream_error_event;
use super::{GatewayError, gateway_body};

/// Returns the body of a stream.
pub(super) fn stream_body(stream: ResponseStream) -> Body {
    Body::from_stream(stream.map(|chunk| match chunk {
        Err(BodyError::Failed(failed)) => Ok(error_event(&failed)),
        chunk => chunk,
    }))
}

/// Returns the bytes that end the stream. Nothing but keep-alives came before.
fn error_event(failed: &FailedStream) -> Bytes {
    let FailedStream {
        error,
        dialect,
        framing,
    } = failed;
    match framing {
        StreamFraming::Events => rendered(error, *dialect, ErrorPlace::Event),
        StreamFraming::Array => {
            let item = rendered(error, *dialect, ErrorPlace::Body);
            let mut out = Vec::new();
            let mut array = ArrayWriter::new();
            array.item(&item, &mut out);
            array.finish(&mut out);
            out.into()
        }
    }
}

fn rendered(error: &CallError, dialect: Dialect, place: ErrorPlace) -> Bytes {
    if let CallError::Upstream(failure) = error
        && let Some(rendered) = upstream_error_event(failure, dialect, place)
    {
        return rendered;
    }
    let message = error.to_string();
    let gateway = GatewayError::of_call(error, &message, dialect);
    gateway_body(&gateway, dialect, |codec, error| match place {
        ErrorPlace::Body => codec.render_error(error),
        ErrorPlace::Event => codec.render_stream_error(error),
    })
}

#[cfg(test)]
mod tests {
    use jackfield_dialect::EventClass;
    use jackfield_dialect::sse::SseReader;

    use super::*;

    fn event(dialect: Dialect, framing: StreamFraming) -> Bytes {
        error_event(&FailedStream {
            error: CallError::UnknownModel("m".to_owned().into()),
            dialect,
            framing,
        })
    }

    #[test]
    fn every_dialect_has_an_error_event() {
        for dialect in Dialect::ALL {
            let mut reader = SseReader::default();
            reader.push(event(dialect, StreamFraming::Events));
            let error = reader.next_event().ok().flatten();
            let class = error.map(|event| {
                let mut observer = dialect.codec().observer();
                observer.observe(event.name(), &event.data)
            });
            let Some(EventClass::Error(error)) = class else {
                panic!("{dialect}: {class:?}");
            };
            assert!(error.message.contains("no provider serves"), "{dialect}");
            assert_eq!(reader.buffered_len(), 0, "{dialect}");
        }
    }

    #[test]
    fn an_array_with_the_error_is_complete() {
        let bytes = event(Dialect::Gemini, StreamFraming::Array);
        let items: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap_or_default();
        assert_eq!(items.len(), 1);
        assert_eq!(items[0]["error"]["code"], 404);
    }
}
