//! What calls hold of responses counts against the memory of all calls.

use std::future::Future;

use bytes::Bytes;
use jackfield_dialect::Dialect;
use jackfield_dispatch::plan::{Framing, ResponseMode};
use jackfield_dispatch::{Call, CallError};
use tokio::time::sleep;

use crate::chat_fixtures::{COMPLETION, ROLE, content};
use crate::fake_plugins::{FakeExecutor, FakeReply};
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, Stage, read_body};

/// What a provider sends at a time, in bytes.
const CHUNK: usize = 100 << 10;

/// How much of it a provider sends before it pauses.
const CHUNKS: usize = 20;

fn stage(executor: FakeExecutor, script: Script) -> Stage {
    Setting::new(2)
        .one_round()
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![script]))
}

fn chunks(begin: &str, chunk: impl Into<Bytes>) -> Script {
    let mut pieces = vec![Piece::Chunk(Bytes::copy_from_slice(begin.as_bytes()))];
    pieces.extend(vec![Piece::Chunk(chunk.into()); CHUNKS]);
    pieces.push(Piece::Hang);
    let kind = if begin.starts_with(ROLE) {
        "text/event-stream"
    } else {
        "application/json"
    };
    Script::response(200, kind, pieces)
}

/// Runs a call until its provider pauses, and returns what is held then.
async fn held_during<T>(stage: &Stage, call: impl Future<Output = T>) -> usize {
    let mut call = Box::pin(call);
    tokio::select! {
        biased;
        _ = &mut call => panic!("the call ended"),
        () = sleep(SECOND) => {}
    }
    stage.dispatcher.memory().held()
}

#[tokio::test(start_paused = true)]
async fn responses_that_are_not_complete_count() {
    let padding = " ".repeat(CHUNK);
    let event = content(&"x".repeat(CHUNK));
    let echoing = |framing| {
        FakeExecutor::replying(ResponseMode::Frames(framing), |_| Ok(FakeReply::echoing()))
    };
    let whole = FakeExecutor::replying(ResponseMode::Whole, |_| Ok(FakeReply::echoing()));
    for (what, executor, script) in [
        // Translated, so that it is held however long it is.
        (
            "a whole response",
            FakeExecutor::relaying(),
            chunks("{", padding.clone()),
        ),
        (
            "a whole response for a plugin",
            whole,
            chunks("{", padding.clone()),
        ),
        (
            "a line without end",
            echoing(Framing::Lines),
            chunks("{", padding.clone()),
        ),
        (
            "an event without end",
            echoing(Framing::Sse),
            chunks("data: ", padding),
        ),
        (
            "a stream that a plugin collects into a whole response",
            echoing(Framing::Sse),
            chunks(ROLE, event.clone()),
        ),
        (
            "a stream that the host collects into a whole response",
            FakeExecutor::relaying(),
            chunks(ROLE, event),
        ),
    ] {
        let stage = stage(executor, script);
        let call = Call {
            dialect: Dialect::AnthropicMessages,
            body: Bytes::from_static(
                br#"{"model":"model","max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#,
            ),
            ..stage.call(false)
        };
        let held = held_during(&stage, stage.dispatcher.call(call)).await;
        assert!(held >= CHUNKS * CHUNK, "{what}: {held}");
        assert_eq!(stage.dispatcher.memory().held(), 0, "{what}");
        stage.assert_closed();
    }
}

/// The last event of a stream of `openai-responses` repeats the whole response; the other APIs have the arguments of a
/// call in one event, or are given them checked.
#[tokio::test(start_paused = true)]
async fn what_a_stream_holds_for_a_later_event_counts() {
    let text = content(&"x".repeat(CHUNK));
    let call = |function: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,{function}}}]}}}}]}}\n\n"
        )
    };
    let named = call(r#""id":"c","function":{"name":"f","arguments":"{\"a\":\""}"#);
    let begin = [ROLE, &named].concat();
    let piece = format!(r#""function":{{"arguments":"{}"}}"#, "x".repeat(CHUNK));
    let arguments = call(&piece);
    let anthropic = r#"{"model":"model","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"a"}]}"#;
    for (dialect, body, begin, chunk) in [
        (
            Dialect::OpenaiResponses,
            r#"{"model":"model","input":"a","stream":true}"#,
            ROLE,
            &text,
        ),
        (Dialect::AnthropicMessages, anthropic, &begin, &arguments),
        (
            Dialect::Gemini,
            r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"#,
            &begin,
            &arguments,
        ),
    ] {
        for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
            let stage = stage(executor, chunks(begin, chunk.clone()));
            let call = Call {
                dialect,
                body: Bytes::from_static(body.as_bytes()),
                ..stage.call(true)
            };
            let response = stage.dispatcher.call(call);
            let read = Box::pin(async { read_body(response.await.unwrap()).await });
            let held = held_during(&stage, read).await;
            assert!(held >= CHUNKS * CHUNK, "{dialect:?}: {held}");
            assert_eq!(stage.dispatcher.memory().held(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_memory_the_call_fails_and_no_credential_is_blamed() {
    for mode in [ResponseMode::Whole, ResponseMode::Frames(Framing::Lines)] {
        let executor = FakeExecutor::replying(mode, |_| Ok(FakeReply::echoing()));
        let stage = stage(
            executor,
            chunks("{", COMPLETION.repeat(CHUNK / COMPLETION.len())),
        );
        stage.dispatcher.memory().set_max(1 << 20);
        let error = stage.whole().await.unwrap_err();
        assert!(matches!(error, CallError::MemoryFull(_)), "{error:?}");
        assert_eq!(stage.counts().failed, 0);
        assert_eq!(stage.upstream.calls(), 1);
        assert_eq!(stage.dispatcher.memory().held(), 0);
        stage.assert_closed();
    }
}
