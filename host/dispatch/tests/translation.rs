//! Calls whose provider has another dialect than the client.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_credential::{ProviderName, Scope};
use jackfield_dialect::Dialect;
use jackfield_dispatch::limits::WHOLE_RESPONSE_BYTES_MAX;
use jackfield_dispatch::port::Executor;
use jackfield_dispatch::{Call, CallError, Embed, Operation, ResponseBody, StreamFraming};
use serde_json::{Value, json};

use crate::anthropic_fixtures::{
    BLOCK_START, BLOCK_STOP, CHAT_REQUEST, ERROR, MESSAGE, MESSAGE_DELTA, MESSAGE_START, call,
    events_before_end, stage, stream, text_delta,
};
use crate::chat_fixtures::{COMPLETION, DONE, content, error_body, split_final_error};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{Setting, Stage, failure, read_body, text};

fn relaying() -> FakeExecutor {
    FakeExecutor::relaying()
}

fn parse_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Returns what a chat client reads of a stream, and whether the stream was complete.
fn read_chat_stream(events: &str) -> (String, bool) {
    let mut all = String::new();
    for event in events
        .split("\n\n")
        .filter(|event| *event != "data: [DONE]")
    {
        if let Some(data) = event.strip_prefix("data: ") {
            let chunk = parse_json(data);
            all += chunk["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap_or_default();
        }
    }
    (all, events.ends_with(DONE))
}

#[tokio::test(start_paused = true)]
async fn translates_response() {
    let stage = stage(1, relaying(), vec![Script::json(200, MESSAGE)]);
    let response = stage.dispatcher.call(call(&stage, false)).await.unwrap();
    assert_eq!(response.headers["content-type"], "application/json");
    let response = parse_json(&text(Ok(response)).await);
    assert_eq!(response["choices"][0]["message"]["content"], "hi");
    assert_eq!(response["choices"][0]["finish_reason"], "stop");
    let sent: Value = serde_json::from_slice(&stage.upstream.body_of(0)).unwrap();
    assert_eq!(sent["model"], "upstream-model");
    assert!(sent["max_tokens"].is_u64(), "{sent}");
    assert_eq!(stage.counts().success, 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn translates_stream() {
    for executor in [relaying(), FakeExecutor::echoing()] {
        let stage = stage(1, executor, vec![Script::events(stream())]);
        let response = stage.dispatcher.call(call(&stage, true)).await.unwrap();
        assert!(matches!(response.body, ResponseBody::Stream(_)));
        let kind = &response.headers["content-type"];
        assert!(kind.to_str().unwrap().starts_with("text/event-stream"));
        let events = text(Ok(response)).await;
        assert_eq!(
            read_chat_stream(&events),
            ("onetwo".to_owned(), true),
            "{events}"
        );
        assert_eq!(stage.counts().success, 1);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn error_response_records_its_dialect() {
    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"too hot"}}"#;
    let stage = stage(1, relaying(), vec![Script::json(400, body)]);
    let failure = failure(stage.dispatcher.call(call(&stage, false)).await);
    let response = failure.response.unwrap();
    assert_eq!(response.dialect, Dialect::AnthropicMessages);
    assert_eq!(
        (response.body, failure.failure.scope),
        (Bytes::from(body), Scope::Request)
    );
}

#[tokio::test(start_paused = true)]
async fn translated_failure_before_content_fails_over() {
    let large =
        vec![Piece::Chunk(Bytes::from(vec![b' '; 1 << 20])); 2 * (WHOLE_RESPONSE_BYTES_MAX >> 20)];
    let cases = [
        (
            "an error event",
            true,
            Script::events([MESSAGE_START, BLOCK_START, ERROR]),
        ),
        ("an end", true, Script::events([MESSAGE_START, BLOCK_START])),
        ("no event", true, Script::events(["data: {\n\n"])),
        (
            "an error with a good status",
            false,
            Script::json(200, error_body("no", "api_error")),
        ),
        ("no answer", false, Script::json(200, "{}")),
        ("nothing", false, Script::json(200, "")),
        (
            "an encoded response",
            false,
            Script::json(200, MESSAGE).header("content-encoding", "gzip"),
        ),
        (
            "an encoded stream",
            true,
            Script::events(stream()).header("content-encoding", "gzip"),
        ),
        (
            "a large response",
            false,
            Script::response(200, "application/json", large),
        ),
    ];
    for (name, streamed, script) in cases {
        let good = match streamed {
            true => Script::events(stream()),
            false => Script::json(200, MESSAGE),
        };
        let stage = stage(2, relaying(), vec![script, good]);
        let response = stage.dispatcher.call(call(&stage, streamed)).await;
        let given = text(response).await;
        assert!(
            given.contains("one") || given.contains("hi"),
            "{name}: {given}"
        );
        assert_eq!(stage.upstream.credentials(), ["a", "b"], "{name}");
        assert_eq!(
            (stage.counts().failed, stage.counts().success),
            (1, 1),
            "{name}"
        );
        assert!(
            stage.upstream.bytes_read() <= WHOLE_RESPONSE_BYTES_MAX + (2 << 20),
            "{name}"
        );
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn late_failure_ends_stream_with_error_in_client_dialect() {
    let started = || Script::events(events_before_end());
    let chunk = |text: &str| Piece::Chunk(text.to_owned().into());
    let cases = [
        (
            "a connection error",
            started().then(Piece::Break),
            "reading",
        ),
        ("an end", started(), "before it was complete"),
        ("silence", started().then(Piece::Hang), "no byte"),
        (
            "an error",
            started().then(chunk(ERROR)).then(chunk(&text_delta("x"))),
            "out of order",
        ),
        (
            "a malformed event",
            started().then(chunk("event: content_block_delta\ndata: {\n\n")),
            "malformed event",
        ),
    ];
    for (name, script, word) in cases {
        for executor in [relaying(), FakeExecutor::echoing()] {
            let stage = stage(2, executor, vec![script.clone()]);
            let response = stage.dispatcher.call(call(&stage, true)).await.unwrap();
            let (bytes, body_error) = read_body(response).await;
            assert!(body_error.is_none(), "{name}");
            let (before, error) = split_final_error(&bytes);
            assert_eq!(
                read_chat_stream(&before),
                ("onetwo".to_owned(), false),
                "{name}"
            );
            assert!(error.message.contains(word), "{name}: {error:?}");
            assert_eq!(
                (stage.counts().failed, stage.upstream.calls()),
                (1, 1),
                "{name}"
            );
            stage.assert_closed();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn anthropic_client_gets_late_error_as_error_event() {
    let script = Script::events([content("one")]).then(Piece::Break);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let call = crate::anthropic_fixtures::anthropic_call(&stage, true);
    let given = text(stage.dispatcher.call(call).await).await;
    let last = given.trim_end().rsplit("\n\n").next().unwrap();
    let data = last.strip_prefix("event: error\ndata: ");
    let error = parse_json(data.unwrap_or_else(|| panic!("{given}")));
    assert_eq!(
        (&error["type"], given.matches("event: error").count()),
        (&json!("error"), 1)
    );
    assert!(!given.contains("message_stop"), "{given}");
}

#[tokio::test(start_paused = true)]
async fn converts_json_response_to_stream() {
    let stage = stage(1, relaying(), vec![Script::json(200, MESSAGE)]);
    let response = stage.dispatcher.call(call(&stage, true)).await.unwrap();
    let kind = &response.headers["content-type"];
    assert!(kind.to_str().unwrap().starts_with("text/event-stream"));
    assert_eq!(
        read_chat_stream(&text(Ok(response)).await),
        ("hi".to_owned(), true)
    );
    assert_eq!(stage.record()["usage"]["output"], 7);
}

#[tokio::test(start_paused = true)]
async fn adds_missing_stream_terminator() {
    let without_stop = || {
        Script::events(
            events_before_end()
                .into_iter()
                .chain([BLOCK_STOP, MESSAGE_DELTA].map(str::to_owned)),
        )
    };
    for executor in [relaying(), FakeExecutor::echoing()] {
        let stage = stage(1, executor, vec![without_stop()]);
        let events = text(stage.dispatcher.call(call(&stage, true)).await).await;
        assert_eq!(
            read_chat_stream(&events),
            ("onetwo".to_owned(), true),
            "{events}"
        );
        assert_eq!(stage.counts().success, 1);
    }
    // The same without a translation.
    for executor in [relaying(), FakeExecutor::echoing()] {
        let stage = stage(1, executor, vec![without_stop()]);
        let call = crate::anthropic_fixtures::anthropic_call(&stage, true);
        assert_eq!(
            text(stage.dispatcher.call(call).await).await,
            stream().concat()
        );
    }
    let without_done = || Script::events(crate::chat_fixtures::stream().into_iter().take(4));
    for executor in [relaying(), FakeExecutor::echoing()] {
        let setting = Setting::new(1).executor(executor);
        let stage = setting.stage(FakeUpstream::in_order(vec![without_done()]));
        assert_eq!(
            text(stage.stream().await).await,
            crate::chat_fixtures::stream().concat()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn translation_warnings_are_returned_and_logged() {
    let stage = stage(1, relaying(), vec![Script::json(200, MESSAGE)]);
    let body = CHAT_REQUEST.replace("}]}", "}],\"logit_bias\":{\"1\":1}}");
    let call = Call {
        body: body.into(),
        ..call(&stage, false)
    };
    let response = stage.dispatcher.call(call).await.unwrap();
    let fields: Vec<_> = response.warnings.iter().map(|it| &*it.field).collect();
    assert_eq!(fields, ["logit_bias"]);
    assert_eq!(stage.record()["warnings"][0]["field"], "logit_bias");
}

/// Credential `a` belongs to a provider with Anthropic messages, `b` to one with the client's
/// dialect.
fn mixed_dialects(scripts: Vec<Script>) -> Stage {
    let executor = relaying().accepting("anthropic-messages");
    let setting = Setting::new(2)
        .executor(executor)
        .registered(|registration| {
            if registration.credential.id.as_str() == "b" {
                registration.credential.provider = ProviderName::new("other");
            }
        });
    let stage = setting.stage(FakeUpstream::in_order(scripts));
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    let mut other = snapshot.providers[&ProviderName::new("provider")].clone();
    other.executor = Arc::from("other-executor");
    snapshot.providers.insert(ProviderName::new("other"), other);
    let executor: Arc<dyn Executor> = Arc::new(relaying());
    Arc::make_mut(&mut snapshot.plugins)
        .executors
        .insert(Arc::from("other-executor"), executor);
    stage.snapshot.store(Arc::new(snapshot));
    stage
}

#[tokio::test(start_paused = true)]
async fn skips_incompatible_provider() {
    let body = CHAT_REQUEST.replace("}]}", "}],\"n\":2}");
    let stage = mixed_dialects(vec![Script::json(200, COMPLETION)]);
    let call = Call {
        body: body.clone().into(),
        ..call(&stage, false)
    };
    assert_eq!(text(stage.dispatcher.call(call).await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["b"]);
    assert_eq!(stage.upstream.body_of(0), body);
    assert_eq!(stage.record()["warnings"], json!([]));
    assert_eq!(stage.failed_credentials(), Vec::<String>::new());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn untranslatable_request_returns_reason() {
    let stage = stage(2, relaying(), vec![]);
    let call = Call {
        body: CHAT_REQUEST.replace("}]}", "}],\"n\":2}").into(),
        ..call(&stage, false)
    };
    let error = stage.dispatcher.call(call).await.unwrap_err();
    let CallError::Untranslatable(refusal) = error else {
        panic!("{error:?}")
    };
    assert_eq!(refusal.field, "n");
    assert_eq!(stage.failed_credentials(), Vec::<String>::new());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn failover_translates_for_each_dialect() {
    let stage = mixed_dialects(vec![Script::json(500, ""), Script::json(200, COMPLETION)]);
    let response = stage.dispatcher.call(call(&stage, false)).await;
    assert_eq!(text(response).await, COMPLETION);
    let first: Value = serde_json::from_slice(&stage.upstream.body_of(0)).unwrap();
    assert_eq!(first["model"], "upstream-model");
    assert_eq!(stage.upstream.body_of(1), CHAT_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn token_count_is_translated_or_estimated() {
    let executor = || relaying().planning("count-tokens");
    let counted = |stage: &Stage, dialect: Dialect, body: &'static str| Call {
        operation: Operation::CountTokens,
        dialect,
        body: Bytes::from_static(body.as_bytes()),
        ..stage.call(false)
    };
    let contents = r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#;
    let script = Script::json(200, r#"{"input_tokens":42}"#);
    let stage = stage(1, executor(), vec![script]);
    let call = counted(&stage, Dialect::Gemini, contents);
    let response = stage.dispatcher.call(call).await.unwrap();
    assert!(!response.estimated);
    assert_eq!(parse_json(&text(Ok(response)).await)["totalTokens"], 42);

    let setting = Setting::new(1).executor(relaying());
    let stage = setting.stage(FakeUpstream::in_order(vec![]));
    let request_body = r#"{"model":"model","messages":[{"role":"user","content":"hello"}]}"#;
    let call = counted(&stage, Dialect::AnthropicMessages, request_body);
    let response = stage.dispatcher.call(call).await.unwrap();
    assert!(response.estimated);
    let count = parse_json(&text(Ok(response)).await)["input_tokens"].as_u64();
    assert!(
        count.is_some_and(|count| count > 0 && count < 100),
        "{count:?}"
    );
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn translates_embeddings() {
    let executor = FakeExecutor::relaying()
        .accepting("gemini")
        .planning("embed");
    let response = r#"{"embeddings":[{"values":[0.5,-1]}]}"#;
    let upstream = FakeUpstream::in_order(vec![Script::json(200, response)]);
    let stage = Setting::new(1).executor(executor).stage(upstream);
    let call = Call {
        operation: Operation::Embed(Embed::Plain),
        body: Bytes::from_static(br#"{"model":"model","input":"hello"}"#),
        ..stage.call(false)
    };
    let response = parse_json(&text(stage.dispatcher.call(call).await).await);
    assert_eq!(response["data"][0]["embedding"], json!([0.5, -1.0]));
    let sent: Value = serde_json::from_slice(&stage.upstream.body_of(0)).unwrap();
    assert!(sent.to_string().contains("hello"), "{sent}");
    assert_eq!(stage.counts().success, 1);
}

#[tokio::test(start_paused = true)]
async fn gemini_array_contains_all_stream_events() {
    for executor in [relaying(), FakeExecutor::echoing()] {
        let stage = stage(1, executor, vec![Script::events(stream())]);
        let body = br#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#;
        let call = Call {
            dialect: Dialect::Gemini,
            stream: Some(StreamFraming::Array),
            body: Bytes::from_static(body),
            ..stage.call(true)
        };
        let given = parse_json(&text(stage.dispatcher.call(call).await).await);
        let items = given.as_array().unwrap().iter();
        let texts =
            items.filter_map(|it| it["candidates"][0]["content"]["parts"][0]["text"].as_str());
        assert_eq!(texts.collect::<String>(), "onetwo");
    }
}

/// The client's own dialect: relayed, passed through a plugin, and whole from a provider that does
/// not stream.
#[tokio::test(start_paused = true)]
async fn json_array_is_complete_in_every_mode() {
    let item = |text: &str, more: &str| {
        let content = format!("{{\"parts\":[{{\"text\":\"{text}\"}}]}}");
        format!("{{\"candidates\":[{{\"content\":{content}{more}}}]}}")
    };
    let (one, two) = (item("one", ""), item("two", ",\"finishReason\":\"STOP\""));
    let events = || Script::events([format!("data: {one}\n\n"), format!("data: {two}\n\n")]);
    for (executor, script, items) in [
        (relaying(), events(), vec![&one, &two]),
        (FakeExecutor::echoing(), events(), vec![&one, &two]),
        (relaying(), Script::json(200, two.clone()), vec![&two]),
    ] {
        let setting = Setting::new(1).executor(executor.accepting("gemini"));
        let stage = setting.stage(FakeUpstream::in_order(vec![script]));
        let call = Call {
            dialect: Dialect::Gemini,
            stream: Some(StreamFraming::Array),
            body: Bytes::from_static(br#"{"contents":[]}"#),
            ..stage.call(true)
        };
        let given = parse_json(&text(stage.dispatcher.call(call).await).await);
        let items: Vec<Value> = items.into_iter().map(|item| parse_json(item)).collect();
        assert_eq!(given, Value::Array(items));
        stage.assert_closed();
    }
}
