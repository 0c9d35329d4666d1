//! What is asked and answered: the bytes of one chat, whole and as a stream.

use bytes::Bytes;
use memchr::memmem;

/// The model as the provider names it. Asked for by this name, a body passes as it is.
pub(crate) const MODEL: &str = "gpt-test";

/// The model as clients may name it, too. Asked for by this name, a body is patched on its way.
pub(crate) const ALIAS: &str = "fast";

/// What a client presents to Jackfield.
pub(crate) const CLIENT_KEY: &str = "client-key-of-the-benchmark";

/// The length of each request's body, in bytes, and of each whole answer's.
pub(crate) const BODY_BYTES: usize = 1_024;

/// Events of a stream, with the role, the finish reason and `[DONE]`.
pub(crate) const EVENTS: usize = 24;

/// What the body of a request says when it wants a stream.
pub(crate) const STREAMED: &str = r#""stream":true"#;

/// What the body of a request says when it wants a pause before each event but the first two.
pub(crate) const PACED: &str = r#""paced":true"#;

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseKind {
    /// In one piece.
    Whole,
    /// As events, all at once.
    Burst,
    /// As events, one after the other.
    Paced,
}

/// A whole HTTP/1.1 request.
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

/// The body of the whole answer.
pub(crate) fn response() -> Bytes {
    let begin = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"{MODEL}","choices":[{{"index":0,"finish_reason":"stop","message":{{"role":"assistant","content":""#
    );
    let end = r#""}}],"usage":{"prompt_tokens":250,"completion_tokens":200,"total_tokens":450}}"#;
    Bytes::from(filled(&begin, end))
}

/// The events of a stream.
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

/// The length that a head declares. Everybody here writes the field's name in lower case.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    const FIELD: &[u8] = b"\r\ncontent-length: ";
    let value = &head[memmem::find(head, FIELD)? + FIELD.len()..];
    let end = memchr::memchr(b'\r', value).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).ok()?.parse().ok()
}

/// Text between a begin and an end that makes both of them [`BODY_BYTES`] long.
fn filled(begin: &str, end: &str) -> String {
    let padding = BODY_BYTES.saturating_sub(begin.len() + end.len());
    let text: String = "some words of a prompt, "
        .chars()
        .cycle()
        .take(padding)
        .collect();
    format!("{begin}{text}{end}")
}
