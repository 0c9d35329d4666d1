//! Gemini's paths: the model, what is asked for and whether it is to be streamed are all in the path.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, Response, StatusCode};
use jackfield_dialect::Dialect;
use jackfield_dispatch::{Embed, StreamFraming, Operation};

use super::admit::Endpoint;
use super::{Api, new_id, serve};
use crate::render::{self, OwnError};

/// `POST /v1beta/models/{model}:{method}`.
pub(super) async fn call(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    let events = asks_for_events(request.uri().query());
    match read(&path, events) {
        Some(endpoint) => serve(&api, endpoint, request).await,
        None => unknown(&path),
    }
}

/// What a path behind `models/` asks for; none if there is no such method. A model's name may have
/// slashes and colons, so the method is what stands behind the last one.
fn read(path: &str, events: bool) -> Option<Endpoint> {
    let (model, method) = path.rsplit_once(':')?;
    let stream = if events {
        StreamFraming::Events
    } else {
        StreamFraming::Array
    };
    let (operation, framing) = match method {
        "generateContent" => (Operation::Generate, None),
        "streamGenerateContent" => (Operation::Generate, Some(stream)),
        "countTokens" => (Operation::CountTokens, None),
        "embedContent" => (Operation::Embed(Embed::Plain), None),
        "batchEmbedContents" => (Operation::Embed(Embed::Batch), None),
        _ => return None,
    };
    Some(Endpoint {
        dialect: Dialect::Gemini,
        operation,
        path: Some((model.to_owned(), framing)),
    })
}

/// Whether a stream is to be one of events: `alt=sse`
/// (<https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>).
fn asks_for_events(query: Option<&str>) -> bool {
    query
        .unwrap_or_default()
        .split('&')
        .any(|pair| pair == "alt=sse")
}

fn unknown(path: &str) -> Response<Body> {
    let message = format!(
        "there is no method for `models/{path}`; there are generateContent, streamGenerateContent, \
         countTokens, embedContent and batchEmbedContents"
    );
    let error = OwnError::new(StatusCode::NOT_FOUND, "unknown-path", &message);
    render::own_error(error, Dialect::Gemini, &new_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, events: bool) -> Option<(String, Operation, Option<StreamFraming>)> {
        let endpoint = read(path, events)?;
        let (model, framing) = endpoint.path?;
        Some((model, endpoint.operation, framing))
    }

    #[test]
    fn the_method_stands_behind_the_last_colon() {
        let read = asked("team-a/m:free:generateContent", false);
        let expected = ("team-a/m:free".to_owned(), Operation::Generate, None);
        assert_eq!(read, Some(expected));
        assert_eq!(asked("m", false), None);
        assert_eq!(asked("m:predict", false), None);
    }

    #[test]
    fn a_stream_is_an_array_unless_events_are_asked_for() {
        let framing = |events| asked("m:streamGenerateContent", events).and_then(|it| it.2);
        assert_eq!(framing(true), Some(StreamFraming::Events));
        assert_eq!(framing(false), Some(StreamFraming::Array));
        assert!(asks_for_events(Some("key=x&alt=sse")));
        assert!(!asks_for_events(Some("alt=json")));
        assert!(!asks_for_events(None));
    }
}
