//! Gemini's paths: the model, what is asked for and whether it is to be streamed are all in the path.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, Response, StatusCode};
use jackfield_dialect::Dialect;
use jackfield_dispatch::{Embed, Operation, StreamFraming};

use super::admit::Endpoint;
use super::{Api, new_id, serve};
use crate::render::{self, GatewayError};

/// `POST /v1beta/models/{model}:{method}`.
pub(super) async fn call(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    let events = is_sse_requested(request.uri().query());
    match parse_path(&path, events) {
        Some(endpoint) => serve(&api, endpoint, request).await,
        None => unknown_method(&path),
    }
}

/// What a path behind `models/` asks for; none if there is no such method. A model's name may have
/// slashes and colons, so the method is what stands behind the last one.
fn parse_path(path: &str, events: bool) -> Option<Endpoint> {
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
fn is_sse_requested(query: Option<&str>) -> bool {
    query
        .unwrap_or_default()
        .split('&')
        .any(|pair| pair == "alt=sse")
}

fn unknown_method(path: &str) -> Response<Body> {
    let message = format!(
        "there is no method for `models/{path}`; there are generateContent, streamGenerateContent, \
         countTokens, embedContent and batchEmbedContents"
    );
    let error = GatewayError::new(StatusCode::NOT_FOUND, "unknown-path", &message);
    render::gateway_error(error, Dialect::Gemini, &new_id())
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
