//! What one provider signed never reaches another one, and a refusal of signatures is tried once more without
//! them, by the same credential.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_credential::ProviderName;
use jackfield_dialect::Dialect;
use jackfield_dispatch::plan::{PlannedBody, ResponseMode};
use jackfield_dispatch::{Call, CallError, Operation};
use serde_json::{Value, json};

use crate::anthropic_fixtures::{MESSAGE, MESSAGE_START, stream, text_delta};
use crate::chat_fixtures::error_body;
use crate::fake_plugins::{FakeExecutor, planned};
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{Setting, Stage, failure, text};

/// Anthropic's sentence: router-for-me/CLIProxyAPI#1584.
const REFUSAL: &str = "messages.1.content.0: Invalid `signature` in `thinking` block";

/// The URL of another provider.
const OTHER: &str = "https://other.test/v1";

/// A stage of Anthropic's dialect whose credentials all belong to one provider.
fn stage(credentials: usize, scripts: Vec<Script>) -> Stage {
    let executor = FakeExecutor::relaying().accepting(Dialect::AnthropicMessages.name());
    let setting = Setting::new(credentials).executor(executor);
    setting.stage(FakeUpstream::in_order(scripts))
}

/// The same, where credential `b` belongs to a provider of another host.
fn two_hosts(scripts: Vec<Script>) -> Stage {
    let executor = FakeExecutor::new(|context| {
        let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
        if context.credential.provider.as_str() == "other" {
            plan.request.url = OTHER.parse().unwrap();
        }
        Ok(plan)
    })
    .accepting(Dialect::AnthropicMessages.name());
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
    other.base_url = Arc::new(OTHER.parse().unwrap());
    snapshot.providers.insert(ProviderName::new("other"), other);
    stage.snapshot.store(Arc::new(snapshot));
    stage
}

/// A turn of thinking with this signature, and the question that follows it.
fn history(signature: &str) -> String {
    format!(
        r#"{{"model":"model","max_tokens":9,"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","content":[{{"type":"thinking","thinking":"t","signature":"{signature}"}},{{"type":"text","text":"b"}}]}},{{"role":"user","content":"c"}}]}}"#
    )
}

/// The same without the thinking.
const CLEAN: &str = r#"{"model":"model","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}"#;

fn call(stage: &Stage, body: &str, streamed: bool) -> Call {
    Call {
        dialect: Dialect::AnthropicMessages,
        body: body.to_owned().into(),
        ..stage.call(streamed)
    }
}

/// A response with thinking that its provider signed.
fn signed_message(signature: &str) -> String {
    let thinking =
        format!(r#""content":[{{"type":"thinking","thinking":"t","signature":"{signature}"}},"#);
    MESSAGE.replace(r#""content":["#, &thinking)
}

/// The same as a stream.
fn signed_stream(signature: &str) -> Vec<String> {
    let event = |data: Value| {
        format!(
            "event: {}\ndata: {data}\n\n",
            data["type"].as_str().unwrap()
        )
    };
    let delta = json!({"type": "signature_delta", "signature": signature});
    let start = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}});
    let mut events = vec![
        MESSAGE_START.to_owned(),
        event(start),
        event(json!({"type": "content_block_delta", "index": 0, "delta": delta})),
    ];
    events.extend(stream().into_iter().skip(1));
    events
}

fn sent(stage: &Stage, request: usize) -> String {
    String::from_utf8(stage.upstream.body_of(request).to_vec()).unwrap()
}

fn warnings(stage: &Stage) -> Vec<String> {
    let warnings = stage.record()["warnings"].clone();
    let fields = warnings.as_array().unwrap().iter();
    let fields = fields.map(|warning| warning["field"].as_str().unwrap().to_owned());
    fields.collect()
}

#[tokio::test(start_paused = true)]
async fn wrapped_signature_is_not_sent() {
    let wrapped = history("amFja2ZpZWxkOjE6Z2VtaW5pOlUwbEg=");
    for operation in [Operation::Generate, Operation::CountTokens] {
        let script = match operation {
            Operation::CountTokens => Script::json(200, r#"{"input_tokens":5}"#),
            _ => Script::json(200, MESSAGE),
        };
        let mut setting = Setting::new(1);
        setting.executor = FakeExecutor::relaying()
            .accepting(Dialect::AnthropicMessages.name())
            .planning("count-tokens");
        let stage = setting.stage(FakeUpstream::in_order(vec![script]));
        let call = Call {
            operation,
            ..call(&stage, &wrapped, false)
        };
        let response = stage.dispatcher.call(call).await.unwrap();
        assert_eq!(response.warnings[0].field, "messages.thinking");
        text(Ok(response)).await;
        assert_eq!(sent(&stage, 0), CLEAN);
        assert_eq!(warnings(&stage), ["messages.thinking"]);
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_signature_is_sent_as_it_is() {
    let body = history("EqQB");
    let stage = stage(1, vec![Script::json(200, MESSAGE)]);
    let response = stage.dispatcher.call(call(&stage, &body, false)).await;
    assert!(response.unwrap().warnings.is_empty());
    assert_eq!(sent(&stage, 0), body);
}

#[tokio::test(start_paused = true)]
async fn signature_of_another_host_is_not_sent_by_failover() {
    for streamed in [false, true] {
        let signed = match streamed {
            true => Script::events(signed_stream("EqQB")),
            false => Script::json(200, signed_message("EqQB")),
        };
        let again = match streamed {
            true => Script::events(stream()),
            false => Script::json(200, MESSAGE),
        };
        let outage = || Script::json(503, error_body("no", "overloaded_error"));
        let stage = two_hosts(vec![signed, again.clone(), outage(), again]);
        let (first, second) = (history("EqQA"), history("EqQB"));
        for body in [&first, &second, &second] {
            let response = stage.dispatcher.call(call(&stage, body, streamed)).await;
            text(response).await;
        }
        assert_eq!(stage.upstream.credentials(), ["a", "a", "a", "b"]);
        // Its own provider gets it back.
        assert_eq!(sent(&stage, 1), second);
        assert_eq!(sent(&stage, 2), second);
        assert_eq!(sent(&stage, 3), CLEAN, "streamed: {streamed}");
        assert_eq!(warnings(&stage), ["messages.thinking"]);
    }
}

/// A response that is too large to be held back, as with images, is read on its way.
#[tokio::test(start_paused = true)]
async fn signature_in_a_large_response_is_remembered() {
    for position in ["before", "after"] {
        let image = format!(r#"{{"type":"text","text":"{}"}}"#, "A".repeat(700 << 10));
        let signed = signed_message("EqQB");
        let large = match position {
            "before" => signed.replace(r#""content":["#, &format!(r#""content":[{image},"#)),
            _ => signed.replace(
                r#""signature":"EqQB"},"#,
                &format!(r#""signature":"EqQB"}},{image},"#),
            ),
        };
        assert!(large.len() > 700 << 10);
        let pieces = large.as_bytes().chunks(10_007);
        let pieces = pieces.map(|piece| Piece::Chunk(Bytes::copy_from_slice(piece)));
        let whole = Script::response(200, "application/json", pieces.collect());
        let outage = Script::json(503, error_body("no", "overloaded_error"));
        let stage = two_hosts(vec![whole, outage, Script::json(200, MESSAGE)]);
        let response = stage
            .dispatcher
            .call(call(&stage, &history("EqQA"), false))
            .await;
        assert_eq!(text(response).await, large);
        let response = stage
            .dispatcher
            .call(call(&stage, &history("EqQB"), false))
            .await;
        text(response).await;
        assert_eq!(stage.upstream.credentials(), ["a", "a", "b"]);
        assert_eq!(sent(&stage, 2), CLEAN, "{position}");
    }
}

#[tokio::test(start_paused = true)]
async fn refused_signatures_are_removed_and_no_credential_is_blamed() {
    let refusals = [
        Script::json(400, error_body(REFUSAL, "invalid_request_error")),
        // Some gateways wrap the status.
        Script::json(500, error_body(REFUSAL, "api_error")),
    ];
    for refusal in refusals {
        let ok = || Script::json(200, MESSAGE);
        let stage = stage(2, vec![refusal, ok(), ok(), ok()]);
        let body = history("EqQB");
        let response = stage.dispatcher.call(call(&stage, &body, false)).await;
        assert_eq!(text(response).await, MESSAGE);
        assert_eq!(stage.upstream.credentials(), ["a", "a"]);
        assert_eq!(
            (sent(&stage, 0), sent(&stage, 1)),
            (body.clone(), CLEAN.to_owned())
        );
        assert_eq!(warnings(&stage), ["messages.thinking"]);
        let counts = stage.counts();
        assert_eq!(
            (counts.success, counts.failed, counts.inconclusive),
            (1, 0, 0)
        );
        assert!(stage.cooling().is_empty() && stage.failed_credentials().is_empty());
        let record = stage.record();
        let steps = record["steps"].as_array().unwrap();
        let refused = steps
            .iter()
            .find(|step| step["step"] == "signatures-refused");
        assert_eq!(refused.unwrap()["error"], REFUSAL);
        // The next turn is cleaned at once, and what the provider signs from now on passes.
        let response = stage.dispatcher.call(call(&stage, &body, false)).await;
        text(response).await;
        assert_eq!(sent(&stage, 2), CLEAN);
        let own = history("EqQC");
        text(stage.dispatcher.call(call(&stage, &own, false)).await).await;
        assert_eq!(sent(&stage, 3), own);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_in_a_stream_counts_before_the_commit() {
    let error =
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": REFUSAL}});
    let event = format!("event: error\ndata: {error}\n\n");
    let refused = Script::events([MESSAGE_START.to_owned(), event]);
    let stage = stage(1, vec![refused, Script::events(stream_of("hi"))]);
    let response = stage
        .dispatcher
        .call(call(&stage, &history("EqQB"), true))
        .await;
    assert!(text(response).await.contains("hi"));
    assert_eq!(sent(&stage, 1), CLEAN);
    assert_eq!(stage.counts().failed, 0);
}

fn stream_of(words: &str) -> Vec<String> {
    let mut events = stream();
    events.insert(2, text_delta(words));
    events
}

#[tokio::test(start_paused = true)]
async fn second_refusal_is_the_clients_error() {
    let refusal = || Script::json(400, error_body(REFUSAL, "invalid_request_error"));
    let stage = stage(2, vec![refusal(), refusal(), Script::json(200, MESSAGE)]);
    let body = history("EqQB");
    let refused = failure(stage.dispatcher.call(call(&stage, &body, false)).await);
    assert_eq!(refused.failure.message, REFUSAL);
    assert_eq!(stage.upstream.credentials(), ["a", "a"]);
    // Nothing is learned of a refusal that was not about the signatures.
    text(stage.dispatcher.call(call(&stage, &body, false)).await).await;
    assert_eq!(sent(&stage, 2), body);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn refusal_of_a_request_without_signatures_is_no_second_try() {
    let stage = stage(
        2,
        vec![Script::json(
            400,
            error_body(REFUSAL, "invalid_request_error"),
        )],
    );
    let result = stage.dispatcher.call(call(&stage, CLEAN, false)).await;
    assert!(matches!(result, Err(CallError::Upstream(_))), "{result:?}");
    assert_eq!(stage.upstream.calls(), 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn calls_without_signature_get_the_placeholder_after_a_refusal() {
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}"#;
    let answer = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP"}]}"#;
    let message = "Function call is missing a thought_signature in functionCall parts.";
    let refusal = json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}});
    let executor = FakeExecutor::relaying().accepting(Dialect::Gemini.name());
    let ok = || Script::json(200, answer);
    let scripts = vec![Script::json(400, refusal.to_string()), ok(), ok()];
    let setting = Setting::new(1).executor(executor);
    let stage = setting.stage(FakeUpstream::in_order(scripts));
    for _ in 0..2 {
        let call = Call {
            dialect: Dialect::Gemini,
            ..call(&stage, body, false)
        };
        assert_eq!(text(stage.dispatcher.call(call).await).await, answer);
    }
    assert_eq!(stage.upstream.calls(), 3);
    assert!(sent(&stage, 1).contains("skip_thought_signature_validator"));
    assert_eq!(sent(&stage, 2), sent(&stage, 1));
}
