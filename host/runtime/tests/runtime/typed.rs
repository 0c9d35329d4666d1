//! Executors that speak no dialect: they read the conversation, and return events.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_dialect::ir::{Delta, Event, PartStart};
use jackfield_dialect::item_events::{ItemReader, TypedEvent};
use jackfield_dialect::traits::Traits;
use jackfield_dialect::{Dialect, RequestHead, TranslatedRequest, TranslationInput};
use jackfield_dispatch::plan::{COMMON_FORM, Context, Frame, Planned, PlannedBody};
use jackfield_dispatch::port::{Executor, FaultKind};
use jackfield_test_support::{acme_guest, guest};
use serde_json::{Value, json};

use crate::harness::{
    as_executor, assert_fault, context, executor, expect_fault, head, load, load_remembering,
};

/// The context of a call with this request in the dialect `openai-chat`.
fn call(model: &str, body: &Value) -> Context {
    let (request, _) = TranslatedRequest::read_common(&TranslationInput {
        dialect: Dialect::OpenaiChat,
        body: body.to_string().as_bytes(),
        head: &RequestHead {
            model: model.into(),
            stream: false,
        },
        model,
        traits: &Traits::everything(),
        thinking: None,
        id: "call",
        created: 0,
    })
    .expect("a request");
    Context {
        dialect: COMMON_FORM,
        conversation: Some(Arc::new(request)),
        ..context(model)
    }
}

fn request() -> Value {
    json!({
        "model": "acme-1",
        "max_tokens": 64,
        "temperature": 0.5,
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "What is the weather?" },
            { "role": "assistant", "content": "I look.", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "weather", "arguments": "{\"city\":\"Rome\"}" } },
            ] },
            { "role": "tool", "tool_call_id": "c1", "content": "sunny" },
        ],
        "tools": [{ "type": "function", "function": {
            "name": "weather", "description": "Tells it.", "parameters": { "type": "object" },
        } }],
    })
}

async fn prepare(executor: &dyn Executor, context: &Context) -> Planned {
    let planned = executor.prepare(context, &Bytes::new()).await;
    planned.unwrap_or_else(|rejection| panic!("no plan: {rejection:?}"))
}

fn body(planned: &Planned) -> Value {
    let PlannedBody::Bytes(body) = &planned.request.body else {
        panic!("{:?}", planned.request.body);
    };
    serde_json::from_slice(body).expect("JSON")
}

/// What each executor for the made-up provider must do, whatever its language.
async fn check_acme(executor: &dyn Executor) {
    let context = call("acme-1", &request());
    let planned = prepare(executor, &context).await;
    assert_eq!(planned.request.url.path(), "/v1/generate");
    assert_eq!(
        body(&planned),
        json!({
            "model": "acme-1", "stream": false, "system": "Be brief.", "limit": 64, "heat": 0.5,
            "messages": [
                { "who": "user", "text": "What is the weather?" },
                { "who": "model", "text": "I look." },
                { "who": "model", "call": { "id": "c1", "tool": "weather", "input": { "city": "Rome" } } },
                { "who": "tool", "id": "c1", "text": "sunny" },
            ],
            "tools": [{ "name": "weather", "about": "Tells it.", "schema": { "type": "object" } }],
        })
    );
    check_responses(executor, &context).await;
    let response = Bytes::from_static(br#"{"problem":"busy","why":"try later","wait":2}"#);
    let (none, head) = (Bytes::new(), head(503, &[]));
    let judged = executor.judge(&context, &none, &head, &response);
    let failure = judged.await.expect("no fault").failure;
    assert_eq!(
        (failure.kind.as_ref(), failure.message.as_str()),
        ("overloaded", "try later")
    );
    assert_eq!(failure.retry_after.map(|it| it.as_secs()), Some(2));
}

async fn check_responses(executor: &dyn Executor, context: &Context) {
    let whole = r#"{"think":"so","say":"Hello","calls":[{"id":"c2","tool":"weather","input":{"a":1}}],"end":"call","in":5,"out":7}"#;
    let (events, failed) = answer(executor, context, &[whole]).await;
    assert_eq!(failed, None);
    assert_eq!(
        summary(&events),
        "reasoning: so; text: Hello; call c2 weather: {\"a\":1}; 5/7 ToolCalls"
    );
    let lines = [
        r#"{"say":"Hel"}"#,
        r#"{"say":"lo"}"#,
        r#"{"end":"limit","in":1,"out":2}"#,
    ];
    let (events, failed) = answer(executor, context, &lines).await;
    assert_eq!(failed, None);
    assert_eq!(summary(&events), "text: Hello; 1/2 Length");
    let lines = [
        r#"{"say":"Hel"}"#,
        r#"{"problem":"busy","why":"try later"}"#,
    ];
    let (events, failed) = answer(executor, context, &lines).await;
    assert_eq!(summary(&events), "text: Hel; ");
    assert_eq!(failed.as_deref(), Some("try later"));
}

/// Pushes lines, one at a time, and returns the events and the message of a failure.
async fn answer(
    executor: &dyn Executor,
    context: &Context,
    lines: &[&str],
) -> (Vec<TypedEvent>, Option<String>) {
    let none = Bytes::new();
    let reply = executor.reply(context, &none, Bytes::new());
    let mut reply = reply.await.expect("a reply");
    reply.head(head(200, &[])).await.expect("a head");
    let mut events = Vec::new();
    for line in lines {
        let frame = Frame {
            name: String::new(),
            data: Bytes::copy_from_slice(line.as_bytes()),
        };
        let output = reply.push(vec![frame], false).await.expect("no fault");
        events.extend(output.events);
        if let Some(failure) = output.failure {
            return (events, Some(failure.failure.message));
        }
        if output.done {
            return (events, None);
        }
    }
    panic!("the answer has no end: {events:?}");
}

/// What the host makes of events: the items in order, then the usage and the end.
fn summary(events: &[TypedEvent]) -> String {
    let mut reader = ItemReader::new(Dialect::OpenaiChat, "call");
    let mut read = Vec::new();
    for event in events {
        reader.read(event.clone(), &mut read).expect("no fault");
    }
    let (mut out, mut end) = (Vec::new(), String::new());
    for event in read {
        match event {
            Event::PartStart(PartStart::Text) => out.push("text: ".to_owned()),
            Event::PartStart(PartStart::Reasoning { .. }) => out.push("reasoning: ".to_owned()),
            Event::PartStart(PartStart::ToolCall { id, name, .. }) => {
                out.push(format!("call {id} {name}: "));
            }
            Event::Delta(
                Delta::Text(piece) | Delta::Reasoning(piece) | Delta::Arguments(piece),
            ) => {
                out.last_mut().expect("an item").push_str(&piece);
            }
            Event::Usage(usage) => end += &format!("{}/{} ", usage.input, usage.output),
            Event::Finish(reason) => end += &format!("{reason:?}"),
            Event::Start { .. } | Event::PartEnd => {}
            other => panic!("{other:?}"),
        }
    }
    out.push(end);
    out.join("; ")
}

#[tokio::test]
async fn rust_executor_of_an_invented_provider() {
    check_acme_in("rust").await;
}

#[tokio::test]
async fn javascript_executor_of_an_invented_provider() {
    check_acme_in("javascript").await;
}

#[tokio::test]
async fn python_executor_of_an_invented_provider() {
    check_acme_in("python").await;
}

/// A picture of a megabyte is common. Executors that write their own body fit the limits of time and memory with it, also
/// in the slowest language.
#[tokio::test]
async fn writes_a_body_of_a_megabyte_in_every_language() {
    for language in ["rust", "javascript", "python"] {
        let plugin = load("acme", acme_guest(language)).await;
        let executor = as_executor(&plugin);
        // Text of one byte a character, of two, of three, and with an escape in JSON.
        for unit in ["a", "\u{e9}", "\u{65e5}", "say \"\n"] {
            let text = unit.repeat((1 << 20) / unit.len());
            let request = json!({ "messages": [{ "role": "user", "content": text }] });
            let planned = prepare(&*executor, &call("acme-1", &request)).await;
            let messages = &body(&planned)["messages"];
            assert!(
                messages[0]["text"] == text,
                "{language} changes a text of {unit:?}"
            );
        }
        assert_eq!(plugin.counts().faults, 0, "{language}");
    }
}

async fn check_acme_in(language: &str) {
    let plugin = load("acme", acme_guest(language)).await;
    check_acme(&*as_executor(&plugin)).await;
    assert_eq!(plugin.counts().faults, 0);
}

#[tokio::test]
async fn events_and_plans_that_no_host_can_use_are_faults() {
    let executor = executor("typed_faults").await;
    let context = call("after-failed", &request());
    let state = Bytes::from_static(b"after-failed");
    let mut reply = executor
        .reply(&context, &Bytes::new(), state)
        .await
        .expect("a reply");
    reply.head(head(200, &[])).await.expect("a head");
    let fault = expect_fault(reply.push(Vec::new(), true).await);
    let detail = "event 3 of a push, `failed`, is not the last";
    assert_fault(&fault, "typed_faults", FaultKind::InvalidOutput, detail);
    // In another dialect the component has no export for the response.
    let other = Context {
        dialect: "openai-chat",
        ..call("m", &request())
    };
    let fault = expect_fault(executor.prepare(&other, &Bytes::new()).await);
    let detail = "its plan has the response `whole` or `frames`, but it does not export `reply`";
    assert_fault(&fault, "typed_faults", FaultKind::InvalidOutput, detail);
}

#[tokio::test]
async fn small_parts_of_the_conversation_are_reads_with_values() {
    let plugin = load_remembering("typed_faults", guest("typed_faults")).await;
    let executor = as_executor(&plugin);
    let with_system = |system: &str, text: &str| {
        let mut body = request();
        body["messages"][0]["content"] = json!(system);
        body["messages"][1]["content"] = json!(text);
        body
    };
    let first = prepare(&*executor, &call("m", &with_system("a", "x"))).await;
    assert!(!first.is_remembered());
    // The turns were not read, so they may differ.
    assert!(
        prepare(&*executor, &call("m", &with_system("a", "y")))
            .await
            .is_remembered()
    );
    let other = prepare(&*executor, &call("m", &with_system("b", "x"))).await;
    assert!(!other.is_remembered());
    assert_ne!(other.request.body, first.request.body);
    for _ in 0..2 {
        let planned = prepare(&*executor, &call("turns", &with_system("a", "x"))).await;
        assert!(!planned.is_remembered(), "the turns are good for once");
    }
}

#[tokio::test]
async fn typed_executors_see_bodies_and_responses() {
    let plugin = load("acme", guest("acme")).await;
    let words: Vec<_> = plugin.sees().words().collect();
    assert_eq!(words, ["body", "error-bodies", "responses"]);
}
