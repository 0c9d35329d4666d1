//! The bytes of one chat: the request, and its response, whole and as a stream.

use bytes::Bytes;
use memchr::memmem;

/// The provider's name of the model. A body with this name passes unchanged.
pub(crate) const MODEL: &str = "gpt-test";

/// An alias of the model. A body with this name is patched.
pub(crate) const ALIAS: &str = "fast";

/// The client key for Jackfield.
pub(crate) const CLIENT_KEY: &str = "client-key-of-the-benchmark";

/// The length of the body of a request and of a whole response, in bytes.
pub(crate) const BODY_BYTES: usize = 1_024;

/// The number of events of a stream, with the role, the finish reason and `[DONE]`.
pub(crate) const EVENTS: usize = 24;

/// The member of a request that wants a stream.
pub(crate) const STREAMED: &str = r#""stream":true"#;

/// The member of a request that wants a pause before each event but the first two.
pub(crate) const PACED: &str = r#""paced":true"#;

/// The form of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseKind {
    /// One body.
    Whole,
    /// A stream, all events at once.
    Burst,
    /// A stream, one event after the other.
    Paced,
}

/// Returns a complete HTTP/1.1 request.
pub(crate) fn request(model: &str, kind: ResponseKind) -> Bytes {
    let flags = match kind {
        ResponseKind::Whole => String::new(),
        ResponseKind::Burst => format!("{STREAMED},"),
        ResponseKind::Paced => format!("{STREAMED},{PACED},"),
    };
    let begin = format!(r#"{{"model":"{model}",{flags}"messages":[{{"role":"user","content":""#);
    let body = filled(&begin, r#""}]}"#);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: benchmark\r\nuser-agent: benchmark\r\n\
         authorization: Bearer {CLIENT_KEY}\r\naccept: application/json\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Bytes::from(head + &body)
}

/// Returns the body of the whole response.
pub(crate) fn response() -> Bytes {
    let begin = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"{MODEL}","choices":[{{"index":0,"finish_reason":"stop","message":{{"role":"assistant","content":""#
    );
    let end = r#""}}],"usage":{"prompt_tokens":250,"completion_tokens":200,"total_tokens":450}}"#;
    Bytes::from(filled(&begin, end))
}

/// Returns the events of a stream.
pub(crate) fn events() -> Vec<String> {
    let chunk = |delta: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
             \"model\":\"{MODEL}\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
             \"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let mut events = vec![chunk(r#"{"role":"assistant","content":""}"#, "null")];
    let words = 3..EVENTS;
    events.extend(words.map(|word| chunk(&format!(r#"{{"content":"word{word} "}}"#), "null")));
    events.push(chunk("{}", "\"stop\""));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// Returns the content length in a head. All servers here write the header name in lower case.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    const FIELD: &[u8] = b"\r\ncontent-length: ";
    let value = &head[memmem::find(head, FIELD)? + FIELD.len()..];
    let end = memchr::memchr(b'\r', value).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).ok()?.parse().ok()
}

/// Puts text between a begin and an end, so that the result has [`BODY_BYTES`] bytes.
fn filled(begin: &str, end: &str) -> String {
    let padding = BODY_BYTES.saturating_sub(begin.len() + end.len());
    let text: String = "some words of a prompt, "
        .chars()
        .cycle()
        .take(padding)
        .collect();
    format!("{begin}{text}{end}")
}
