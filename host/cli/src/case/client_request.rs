//! The client's request, read from a file.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jackfield_dialect::{Dialect, RequestHead};
use jackfield_dispatch::StreamFraming;

/// A request of a client.
#[derive(Debug)]
pub(super) struct ClientRequest {
    pub(super) dialect: Dialect,
    /// The path and the query.
    pub(super) path: String,
    /// The client's name of the model.
    pub(super) model: String,
    pub(super) framing: Option<StreamFraming>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl ClientRequest {
    /// Reads a file: request line, headers, an empty line, body.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let wrong = |what: &str| format!("{}: {what}", file.display());
        let bytes = fs::read(file).map_err(|error| wrong(&error.to_string()))?;
        Self::parse(&bytes).map_err(|error| wrong(&error))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n");
        let end = end.ok_or("needs an empty line after the headers")?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|error| error.to_string())?;
        let mut lines = head.lines();
        let path = lines.next().and_then(|line| line.split(' ').nth(1));
        let path = path.ok_or("needs a request line")?.to_owned();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or("a header needs a colon")?;
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            let value = HeaderValue::from_str(value.trim()).map_err(|error| error.to_string())?;
            headers.append(name, value);
        }
        let body = Bytes::copy_from_slice(bytes[end + 2..].trim_ascii_end());
        let (dialect, head, framing) = target(&path, &body)?;
        Ok(Self {
            dialect,
            model: head.model.clone().into_owned(),
            framing,
            headers,
            path,
            body,
        })
    }
}

/// Returns what the path and the body determine.
fn target<'a>(
    path: &'a str,
    body: &'a [u8],
) -> Result<(Dialect, RequestHead<'a>, Option<StreamFraming>), String> {
    let (route, query) = path.split_once('?').unwrap_or((path, ""));
    if let Some(target) = route.strip_prefix("/v1beta/models/") {
        let (model, method) = target
            .split_once(':')
            .ok_or("the path needs `MODEL:METHOD`")?;
        let framing = match method {
            "streamGenerateContent" if query.contains("alt=sse") => Some(StreamFraming::Events),
            "streamGenerateContent" => Some(StreamFraming::Array),
            _ => None,
        };
        let head = RequestHead::from_path(model, framing.is_some());
        let head = head.map_err(|error| error.to_string())?;
        return Ok((Dialect::Gemini, head, framing));
    }
    let dialect = match route {
        "/v1/chat/completions" => Dialect::OpenaiChat,
        "/v1/completions" => Dialect::OpenaiCompletions,
        "/v1/messages" => Dialect::AnthropicMessages,
        "/v1/responses" => Dialect::OpenaiResponses,
        _ => return Err(format!("no API for content has the path {route}")),
    };
    let head = RequestHead::read(body).map_err(|error| error.to_string())?;
    let framing = head.stream.then_some(StreamFraming::Events);
    Ok((dialect, head, framing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dialect_model_and_framing() -> Result<(), String> {
        let cases = [
            (
                "POST /v1/messages HTTP/1.1\nA: b\n\n{\"model\":\"m\",\"stream\":true}\n",
                Dialect::AnthropicMessages,
                Some(StreamFraming::Events),
            ),
            (
                "POST /v1beta/models/m:generateContent HTTP/1.1\n\n{}",
                Dialect::Gemini,
                None,
            ),
            (
                "POST /v1beta/models/m:streamGenerateContent?alt=sse HTTP/1.1\n\n{}",
                Dialect::Gemini,
                Some(StreamFraming::Events),
            ),
        ];
        for (text, dialect, framing) in cases {
            let request = ClientRequest::parse(text.as_bytes())?;
            assert_eq!((request.dialect, request.framing), (dialect, framing));
            assert_eq!(request.model, "m");
        }
        assert!(ClientRequest::parse(b"GET /v1/models HTTP/1.1\n\n").is_err());
        Ok(())
    }
}
