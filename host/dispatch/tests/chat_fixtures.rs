//! Fixtures of chat streams on the wire, and a client that reads them.

use bytes::Bytes;
use jackfield_dialect::sse::SseReader;
use jackfield_dialect::{Dialect, EventClass, ProviderError};

/// The first chunk of most streams: no content yet.
pub(crate) const ROLE: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n";

/// The last chunk with a choice: the finish reason.
pub(crate) const FINISH: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

/// The end of the stream.
pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// A provider's error event.
pub(crate) const ERROR: &str =
    "data: {\"error\":{\"message\":\"out of order\",\"type\":\"server_error\"}}\n\n";

/// A completion that is not a stream.
pub(crate) const COMPLETION: &str = r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"extra":{"b":[1, 2]}}"#;

/// Returns a chunk with content.
pub(crate) fn content(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text:?}}}}}]}}\n\n")
}

/// Returns all events of a stream.
pub(crate) fn stream() -> Vec<String> {
    let (role, finish, done) = (ROLE.to_owned(), FINISH.to_owned(), DONE.to_owned());
    vec![role, content("one"), content("two"), finish, done]
}

/// Returns the body of an error response.
pub(crate) fn error_body(message: &str, kind: &str) -> String {
    format!("{{\"error\":{{\"message\":{message:?},\"type\":{kind:?}}}}}")
}

/// Returns the text before the single error event that a stream ends with, and the error.
pub(crate) fn split_final_error(bytes: &[u8]) -> (String, ProviderError) {
    let mut reader = SseReader::default();
    reader.push(Bytes::copy_from_slice(bytes));
    let mut observer = Dialect::OpenaiChat.codec().observer();
    let mut before = Vec::new();
    let mut errors = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        assert!(errors.is_empty(), "an event follows the error");
        match observer.observe(event.name(), &event.data) {
            EventClass::Error(error) => errors.push(error),
            _ => before.extend_from_slice(&event.raw),
        }
    }
    assert_eq!(reader.take_buffered(), "", "an incomplete event");
    let text = String::from_utf8(before).unwrap();
    (text, errors.pop().unwrap())
}
