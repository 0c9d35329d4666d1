//! Gemini's paths, which contain the model, the operation and whether the response is streamed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, Response};
use jackfield_dialect::Dialect;
use jackfield_dispatch::{Embed, Operation, StreamFraming};

use super::admit::Endpoint;
use super::{Api, refuse, serve};
use crate::errors::ErrorClass;

/// `POST /v1beta/models/{model}:{method}`.
pub(super) async fn call(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    let events = is_sse_requested(request.uri().query());
    match parse_path(&path, events) {
        Some(endpoint) => serve(&api, endpoint, request).await,
        None => unknown_method(request, &path).await,
    }
}

/// Parses the part of a path after `models/`. `None` if the method is unknown. A model's name may contain
/// slashes and colons, so the method follows the last colon.
fn parse_path(path: &str, events: bool) -> Option<Endpoint> {
    let (model, method) = path.rsplit_once(':')?;
    let stream = if events {
        StreamFraming::Events
    } else {
        // Without `alt=sse`, Google streams the elements of one JSON array.
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

/// Returns whether the client wants a stream of server-sent events: `alt=sse`
/// (<https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>).
fn is_sse_requested(query: Option<&str>) -> bool {
    query
        .unwrap_or_default()
        .split('&')
        .any(|pair| pair == "alt=sse")
}

async fn unknown_method(request: Request<Body>, path: &str) -> Response<Body> {
    let message = format!(
        "unknown method in `models/{path}`; use generateContent, streamGenerateContent, countTokens, \
         embedContent or batchEmbedContents"
    );
    refuse(request, ErrorClass::UNKNOWN_PATH, &message, Dialect::Gemini).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str, events: bool) -> Option<(String, Operation, Option<StreamFraming>)> {
        let endpoint = parse_path(path, events)?;
        let (model, framing) = endpoint.path?;
        Some((model, endpoint.operation, framing))
    }

    #[test]
    fn method_follows_last_colon() {
        let read = parsed("team-a/m:free:generateContent", false);
        let expected = ("team-a/m:free".to_owned(), Operation::Generate, None);
        assert_eq!(read, Some(expected));
        assert_eq!(parsed("m", false), None);
        assert_eq!(parsed("m:predict", false), None);
    }

    #[test]
    fn streams_array_unless_sse_is_requested() {
        let framing = |events| parsed("m:streamGenerateContent", events).and_then(|it| it.2);
        assert_eq!(framing(true), Some(StreamFraming::Events));
        assert_eq!(framing(false), Some(StreamFraming::Array));
        assert!(is_sse_requested(Some("key=x&alt=sse")));
        assert!(!is_sse_requested(Some("alt=json")));
        assert!(!is_sse_requested(None));
    }
}
