//! Calls whose provider speaks another dialect than their client.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_credential::{ProviderName, Scope};
use jackfield_dialect::Dialect;
use jackfield_dispatch::limits::WHOLE_RESPONSE_BYTES_MAX;
use jackfield_dispatch::port::Executor;
use jackfield_dispatch::{ResponseBody, Call, CallError, Embed, StreamFraming, Operation};
use serde_json::{Value, json};

use crate::anthropic::{
    ASKED, CLOSE, ENOUGH, ERROR, MESSAGE, OPEN, START, begun, call, piece, stage, stream,
};
use crate::plugins::FakeExecutor;
use crate::stage::{Setting, Stage, failure, gathered, text};
use crate::upstream::{FakeUpstream, Piece, Script};
use crate::wire::{COMPLETION, DONE, content, error_body, terminal};

fn relaying() -> FakeExecutor {
    FakeExecutor::relaying()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What a chat client reads of a stream, and whether it is told the end.
fn said(events: &str) -> (String, bool) {
    let mut all = String::new();
    for event in events
        .split("\n\n")
        .filter(|event| *event != "data: [DONE]")
    {
        if let Some(data) = event.strip_prefix("data: ") {
            let chunk = json_of(data);
            all += chunk["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap_or_default();
        }
    }
    (all, events.ends_with(DONE))
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_comes_in_the_clients_dialect() {
    let stage = stage(1, relaying(), vec![Script::json(200, MESSAGE)]);
    let answer = stage.dispatcher.call(call(&stage, false)).await.unwrap();
    assert_eq!(answer.headers["content-type"], "application/json");
    let answer = json_of(&text(Ok(answer)).await);
    assert_eq!(answer["choices"][0]["message"]["content"], "hi");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let sent: Value = serde_json::from_slice(&stage.upstream.body_of(0)).unwrap();
    assert_eq!(sent["model"], "upstream-model");
    assert!(sent["max_tokens"].is_u64(), "{sent}");
    assert_eq!(stage.counts().success, 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn a_stream_comes_in_the_clients_dialect() {
    for executor in [relaying(), FakeExecutor::echoing()] {
        let stage = stage(1, executor, vec![Script::events(stream())]);
        let answer = stage.dispatcher.call(call(&stage, true)).await.unwrap();
        assert!(matches!(answer.body, ResponseBody::Stream(_)));
        let kind = &answer.headers["content-type"];
        assert!(kind.to_str().unwrap().starts_with("text/event-stream"));
        let events = text(Ok(answer)).await;
        assert_eq!(said(&events), ("onetwo".to_owned(), true), "{events}");
        assert_eq!(stage.counts().success, 1);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_answer_says_which_dialect_it_is_in() {
    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"too hot"}}"#;
    let stage = stage(1, relaying(), vec![Script::json(400, body)]);
    let failure = failure(stage.dispatcher.call(call(&stage, false)).await);
    let answer = failure.response.unwrap();
    assert_eq!(answer.dialect, Dialect::AnthropicMessages);
    assert_eq!(
        (answer.body, failure.failure.scope),
        (Bytes::from(body), Scope::Request)
    );
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_the_first_content_fails_over() {
    let large =
        vec![Piece::Chunk(Bytes::from(vec![b' '; 1 << 20])); 2 * (WHOLE_RESPONSE_BYTES_MAX >> 20)];
    let cases = [
        ("an error event", true, Script::events([START, OPEN, ERROR])),
        ("an end", true, Script::events([START, OPEN])),
        ("no event", true, Script::events(["data: {\n\n"])),
        (
            "an error with a good status",
            false,
            Script::json(200, error_body("no", "api_error")),
        ),
        ("no answer", false, Script::json(200, "{}")),
        ("nothing", false, Script::json(200, "")),
        (
            "an encoded answer",
            false,
            Script::json(200, MESSAGE).header("content-encoding", "gzip"),
        ),
        (
            "an encoded stream",
            true,
            Script::events(stream()).header("content-encoding", "gzip"),
        ),
        (
            "a large answer",
            false,
            Script::answer(200, "application/json", large),
        ),
    ];
    for (name, streamed, script) in cases {
        let good = match streamed {
            true => Script::events(stream()),
            false => Script::json(200, MESSAGE),
        };
        let stage = stage(2, relaying(), vec![script, good]);
        let answer = stage.dispatcher.call(call(&stage, streamed)).await;
        let given = text(answer).await;
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
            stage.upstream.pulled() <= WHOLE_RESPONSE_BYTES_MAX + (2 << 20),
            "{name}"
        );
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_after_it_ends_the_stream_with_one_error_in_the_clients_words() {
    let begun = || Script::events(begun());
    let chunk = |text: &str| Piece::Chunk(text.to_owned().into());
    let cases = [
        ("a break", begun().then(Piece::Break), "reading"),
        ("an end", begun(), "before it was complete"),
        ("silence", begun().then(Piece::Hang), "no byte"),
        (
            "an error",
            begun().then(chunk(ERROR)).then(chunk(&piece("x"))),
            "out of order",
        ),
        (
            "nonsense",
            begun().then(chunk("event: content_block_delta\ndata: {\n\n")),
            "no sense",
        ),
    ];
    for (name, script, word) in cases {
        for executor in [relaying(), FakeExecutor::echoing()] {
            let stage = stage(2, executor, vec![script.clone()]);
            let answer = stage.dispatcher.call(call(&stage, true)).await.unwrap();
            let (bytes, broken) = gathered(answer).await;
            assert!(broken.is_none(), "{name}");
            let (before, error) = terminal(&bytes);
            assert_eq!(said(&before), ("onetwo".to_owned(), false), "{name}");
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
async fn an_anthropic_client_is_told_a_late_error_by_its_own_event() {
    let script = Script::events([content("one")]).then(Piece::Break);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let call = crate::anthropic::native(&stage, true);
    let given = text(stage.dispatcher.call(call).await).await;
    let last = given.trim_end().rsplit("\n\n").next().unwrap();
    let data = last.strip_prefix("event: error\ndata: ");
    let error = json_of(data.unwrap_or_else(|| panic!("{given}")));
    assert_eq!(
        (&error["type"], given.matches("event: error").count()),
        (&json!("error"), 1)
    );
    assert!(!given.contains("message_stop"), "{given}");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_stream_is_told_as_a_stream() {
    let stage = stage(1, relaying(), vec![Script::json(200, MESSAGE)]);
    let answer = stage.dispatcher.call(call(&stage, true)).await.unwrap();
    let kind = &answer.headers["content-type"];
    assert!(kind.to_str().unwrap().starts_with("text/event-stream"));
    assert_eq!(said(&text(Ok(answer)).await), ("hi".to_owned(), true));
    assert_eq!(stage.record()["usage"]["output"], 7);
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_the_end_that_its_provider_forgot() {
    let without_stop = || {
        Script::events(
            begun()
                .into_iter()
                .chain([CLOSE, ENOUGH].map(str::to_owned)),
        )
    };
    for executor in [relaying(), FakeExecutor::echoing()] {
        let stage = stage(1, executor, vec![without_stop()]);
        let events = text(stage.dispatcher.call(call(&stage, true)).await).await;
        assert_eq!(said(&events), ("onetwo".to_owned(), true), "{events}");
        assert_eq!(stage.counts().success, 1);
    }
    // Without a translation just the same.
    for executor in [relaying(), FakeExecutor::echoing()] {
        let stage = stage(1, executor, vec![without_stop()]);
        let call = crate::anthropic::native(&stage, true);
        assert_eq!(
            text(stage.dispatcher.call(call).await).await,
            stream().concat()
        );
    }
    let unended = || Script::events(crate::wire::stream().into_iter().take(4));
    for executor in [relaying(), FakeExecutor::echoing()] {
        let setting = Setting::new(1).executor(executor);
        let stage = setting.stage(FakeUpstream::in_order(vec![unended()]));
        assert_eq!(
            text(stage.stream().await).await,
            crate::wire::stream().concat()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_cannot_be_told_is_told_with_the_answer_and_in_the_record() {
    let stage = stage(1, relaying(), vec![Script::json(200, MESSAGE)]);
    let body = ASKED.replace("}]}", "}],\"logit_bias\":{\"1\":1}}");
    let call = Call {
        body: body.into(),
        ..call(&stage, false)
    };
    let answer = stage.dispatcher.call(call).await.unwrap();
    let fields: Vec<_> = answer.warnings.iter().map(|it| &*it.field).collect();
    assert_eq!(fields, ["logit_bias"]);
    assert_eq!(stage.record()["warnings"][0]["field"], "logit_bias");
}

/// Credential `a` of a provider that speaks Anthropic's messages, `b` of one that speaks the client's.
fn mixed(scripts: Vec<Script>) -> Stage {
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
    snapshot
        .executors
        .insert(Arc::from("other-executor"), executor);
    stage.snapshot.store(Arc::new(snapshot));
    stage
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_cannot_be_told_the_request_is_passed_over() {
    let body = ASKED.replace("}]}", "}],\"n\":2}");
    let stage = mixed(vec![Script::json(200, COMPLETION)]);
    let call = Call {
        body: body.clone().into(),
        ..call(&stage, false)
    };
    assert_eq!(text(stage.dispatcher.call(call).await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["b"]);
    assert_eq!(stage.upstream.body_of(0), body);
    assert_eq!(stage.record()["warnings"], json!([]));
    assert_eq!(stage.blamed(), Vec::<String>::new());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_be_told_it_the_client_learns_why() {
    let stage = stage(2, relaying(), vec![]);
    let call = Call {
        body: ASKED.replace("}]}", "}],\"n\":2}").into(),
        ..call(&stage, false)
    };
    let error = stage.dispatcher.call(call).await.unwrap_err();
    let CallError::Untranslatable(refusal) = error else {
        panic!("{error:?}")
    };
    assert_eq!(refusal.field, "n");
    assert_eq!(stage.blamed(), Vec::<String>::new());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn a_failover_over_two_dialects_tells_each_its_own() {
    let stage = mixed(vec![Script::json(500, ""), Script::json(200, COMPLETION)]);
    let answer = stage.dispatcher.call(call(&stage, false)).await;
    assert_eq!(text(answer).await, COMPLETION);
    let first: Value = serde_json::from_slice(&stage.upstream.body_of(0)).unwrap();
    assert_eq!(first["model"], "upstream-model");
    assert_eq!(stage.upstream.body_of(1), ASKED);
}

#[tokio::test(start_paused = true)]
async fn a_count_is_translated_where_somebody_counts_and_estimated_elsewhere() {
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
    let answer = stage.dispatcher.call(call).await.unwrap();
    assert!(!answer.estimated);
    assert_eq!(json_of(&text(Ok(answer)).await)["totalTokens"], 42);

    let setting = Setting::new(1).executor(relaying());
    let stage = setting.stage(FakeUpstream::in_order(vec![]));
    let asked = r#"{"model":"model","messages":[{"role":"user","content":"hello"}]}"#;
    let call = counted(&stage, Dialect::AnthropicMessages, asked);
    let answer = stage.dispatcher.call(call).await.unwrap();
    assert!(answer.estimated);
    let count = json_of(&text(Ok(answer)).await)["input_tokens"].as_u64();
    assert!(
        count.is_some_and(|count| count > 0 && count < 100),
        "{count:?}"
    );
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn vectors_are_translated() {
    let executor = FakeExecutor::relaying()
        .accepting("gemini")
        .planning("embed");
    let answer = r#"{"embeddings":[{"values":[0.5,-1]}]}"#;
    let upstream = FakeUpstream::in_order(vec![Script::json(200, answer)]);
    let stage = Setting::new(1).executor(executor).stage(upstream);
    let call = Call {
        operation: Operation::Embed(Embed::Plain),
        body: Bytes::from_static(br#"{"model":"model","input":"hello"}"#),
        ..stage.call(false)
    };
    let answer = json_of(&text(stage.dispatcher.call(call).await).await);
    assert_eq!(answer["data"][0]["embedding"], json!([0.5, -1.0]));
    let sent: Value = serde_json::from_slice(&stage.upstream.body_of(0)).unwrap();
    assert!(sent.to_string().contains("hello"), "{sent}");
    assert_eq!(stage.counts().success, 1);
}

#[tokio::test(start_paused = true)]
async fn a_gemini_clients_array_holds_what_a_stream_says() {
    for executor in [relaying(), FakeExecutor::echoing()] {
        let stage = stage(1, executor, vec![Script::events(stream())]);
        let body = br#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#;
        let call = Call {
            dialect: Dialect::Gemini,
            stream: Some(StreamFraming::Array),
            body: Bytes::from_static(body),
            ..stage.call(true)
        };
        let given = json_of(&text(stage.dispatcher.call(call).await).await);
        let items = given.as_array().unwrap().iter();
        let texts =
            items.filter_map(|it| it["candidates"][0]["content"]["parts"][0]["text"].as_str());
        assert_eq!(texts.collect::<String>(), "onetwo");
    }
}

/// The client's own dialect, but for how its stream is framed: relayed, led through a guest, and given whole
/// by a provider that does not stream.
#[tokio::test(start_paused = true)]
async fn an_array_is_whole_whoever_writes_it() {
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
        let given = json_of(&text(stage.dispatcher.call(call).await).await);
        let items: Vec<Value> = items.into_iter().map(|item| json_of(item)).collect();
        assert_eq!(given, Value::Array(items));
        stage.assert_closed();
    }
}
