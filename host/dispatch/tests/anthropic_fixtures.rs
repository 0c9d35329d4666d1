//! Fixtures of a provider with another dialect than the clients': Anthropic messages on the wire,
//! and stages for them.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_dialect::Dialect;
use jackfield_dispatch::{Call, StreamFraming};

use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, Stage};

/// A chat request that every dialect can express.
pub(crate) const CHAT_REQUEST: &str =
    r#"{"model":"model","messages":[{"role":"user","content":"hello"}]}"#;

/// The start of a stream, with the input's usage.
pub(crate) const MESSAGE_START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"upstream-model\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n";

/// The start of a text block.
pub(crate) const BLOCK_START: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";

/// The end of a text block.
pub(crate) const BLOCK_STOP: &str =
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n";

/// The stop reason, and the output's usage.
pub(crate) const MESSAGE_DELTA: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n";

/// The end of the stream.
pub(crate) const MESSAGE_STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// A provider's error event.
pub(crate) const ERROR: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"out of order\"}}\n\n";

/// A complete response.
pub(crate) const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"upstream-model","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":7}}"#;

/// A delta of text.
pub(crate) fn text_delta(text: &str) -> String {
    format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{text:?}}}}}\n\n"
    )
}

/// All events before the end.
pub(crate) fn events_before_end() -> Vec<String> {
    let (start, open) = (MESSAGE_START.to_owned(), BLOCK_START.to_owned());
    vec![start, open, text_delta("one"), text_delta("two")]
}

/// All events of a stream.
pub(crate) fn stream() -> Vec<String> {
    let end = [BLOCK_STOP, MESSAGE_DELTA, MESSAGE_STOP].map(str::to_owned);
    events_before_end().into_iter().chain(end).collect()
}

/// Returns a stage with this many credentials of a provider that accepts Anthropic messages only.
pub(crate) fn stage(credentials: usize, executor: FakeExecutor, scripts: Vec<Script>) -> Stage {
    let executor = executor.accepting(Dialect::AnthropicMessages.name());
    let setting = Setting::new(credentials).executor(executor);
    setting.stage(FakeUpstream::in_order(scripts))
}

/// Returns a call of a chat client.
pub(crate) fn call(stage: &Stage, stream: bool) -> Call {
    Call {
        body: Bytes::from_static(CHAT_REQUEST.as_bytes()),
        ..stage.call(stream)
    }
}

/// Returns a call of a client with the provider's dialect.
pub(crate) fn anthropic_call(stage: &Stage, stream: bool) -> Call {
    let body = r#"{"model":"model","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;
    Call {
        dialect: Dialect::AnthropicMessages,
        model: Arc::from("model"),
        stream: stream.then_some(StreamFraming::Events),
        body: Bytes::from_static(body.as_bytes()),
        ..stage.call(stream)
    }
}
