//! Responses in another form than the requested one, or under a wrong content type.

use jackfield_dialect::Dialect;
use jackfield_dispatch::{Call, ClientResponse, StreamFraming};
use serde_json::{Value, json};

use crate::anthropic_fixtures::{self, MESSAGE};
use crate::chat_fixtures::{COMPLETION, DONE, ERROR, ROLE, content, stream};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{Setting, Stage, text};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream; charset=utf-8";

fn stage(scripts: Vec<Script>) -> Stage {
    let credentials = scripts.len();
    Setting::new(credentials).stage(FakeUpstream::in_order(scripts))
}

fn gemini(script: Script) -> Stage {
    let executor = FakeExecutor::relaying().accepting(Dialect::Gemini.name());
    Setting::new(1)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![script]))
}

fn gemini_call(stage: &Stage, stream: Option<StreamFraming>) -> Call {
    Call {
        dialect: Dialect::Gemini,
        stream,
        body: r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#.into(),
        ..stage.call(false)
    }
}

/// Returns the content type and the text of a response.
async fn read(response: ClientResponse) -> (String, String) {
    let kind = response.headers["content-type"].to_str().unwrap();
    (kind.to_owned(), text(Ok(response)).await)
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_one_whatever_its_content_type() {
    for kind in [
        "text/plain",
        JSON,
        "application/octet-stream",
        "",
        "text/html",
    ] {
        for begin in ["", "\n\n", "\u{feff}", ": comment\n\n", "id: 1\n"] {
            let whole = [begin, &stream().concat()].concat();
            for size in [1, 3, whole.len()] {
                let pieces = whole.as_bytes().chunks(size);
                let pieces = pieces.map(|piece| Piece::Chunk(piece.to_vec().into()));
                let script = Script::response(200, kind, pieces.collect());
                let stage = stage(vec![script]);
                let (kind, given) = read(stage.stream().await.unwrap()).await;
                assert_eq!((kind.as_str(), given), (EVENTS, whole.clone()));
                assert_eq!(stage.counts().success, 1);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_translated_stream_is_one_whatever_its_content_type() {
    let events = anthropic_fixtures::stream().concat();
    let script = Script::response(200, "text/plain", vec![Piece::Chunk(events.into())]);
    let stage = anthropic_fixtures::stage(1, FakeExecutor::relaying(), vec![script]);
    let call = anthropic_fixtures::call(&stage, true);
    let (kind, given) = read(stage.dispatcher.call(call).await.unwrap()).await;
    assert_eq!(kind, EVENTS);
    assert!(given.ends_with(DONE), "{given}");
}

#[tokio::test(start_paused = true)]
async fn json_for_a_stream_becomes_a_stream() {
    for kind in [JSON, "text/event-stream", "text/plain"] {
        let script = Script::response(200, kind, vec![Piece::Chunk(COMPLETION.into())]);
        let stage = stage(vec![script]);
        let (kind, given) = read(stage.stream().await.unwrap()).await;
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        assert!(
            given.starts_with("data: {") && given.ends_with(DONE),
            "{given}"
        );
        assert_eq!(given.matches(r#""content":"hi""#).count(), 1, "{given}");
        assert_eq!(stage.counts().success, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn json_in_the_dialect_of_anthropic_becomes_a_stream() {
    let scripts = vec![Script::json(200, MESSAGE)];
    let stage = anthropic_fixtures::stage(1, FakeExecutor::relaying(), scripts);
    let call = anthropic_fixtures::anthropic_call(&stage, true);
    let (kind, given) = read(stage.dispatcher.call(call).await.unwrap()).await;
    assert_eq!(kind, EVENTS);
    for event in ["message_start", "content_block_delta", "message_stop"] {
        assert_eq!(
            given.matches(&format!("event: {event}\n")).count(),
            1,
            "{given}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn json_of_gemini_becomes_its_chunks() {
    let chunk = "{\n\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"hi\"}]}, \"finishReason\": \"STOP\"}], \"unknown\": 1}";
    let array = format!("[{chunk}\n,\n{chunk}]");
    let item = parse(chunk);
    for (body, items) in [(chunk, vec![&item]), (&array, vec![&item, &item])] {
        let stage = gemini(Script::json(200, body.to_owned()));
        let call = gemini_call(&stage, Some(StreamFraming::Array));
        let (kind, given) = read(stage.dispatcher.call(call).await.unwrap()).await;
        assert_eq!((kind.as_str(), parse(&given)), (JSON, json!(items)));
        let stage = gemini(Script::json(200, body.to_owned()));
        let call = gemini_call(&stage, Some(StreamFraming::Events));
        let (kind, given) = read(stage.dispatcher.call(call).await.unwrap()).await;
        assert_eq!(kind, EVENTS);
        let lines = given.lines().filter(|line| !line.is_empty());
        let lines: Vec<Value> = lines.map(|line| parse(&line["data: ".len()..])).collect();
        assert_eq!(json!(lines), json!(items));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_not_requested_becomes_a_whole_response() {
    for kind in ["text/event-stream", "text/plain", JSON] {
        for events in [stream().concat(), stream()[..4].concat()] {
            let script = Script::response(200, kind, vec![Piece::Chunk(events.into())]);
            let stage = stage(vec![script]);
            let (_, given) = read(stage.whole().await.unwrap()).await;
            let choice = &parse(&given)["choices"][0];
            assert_eq!(choice["message"]["content"], "onetwo", "{given}");
            assert_eq!(choice["finish_reason"], "stop", "{given}");
            assert_eq!(stage.counts().success, 1);
        }
    }
    let script = Script::events(stream());
    let stage = stage(vec![script]);
    assert_eq!(read(stage.whole().await.unwrap()).await.0, JSON);
}

#[tokio::test(start_paused = true)]
async fn a_large_stream_that_was_not_requested_becomes_a_whole_response() {
    let word = "x".repeat(1 << 10);
    let mut events = vec![content(&word); 600];
    events.extend(stream());
    let stage = stage(vec![Script::events(events)]);
    let given = parse(&text(stage.whole().await).await);
    let text = given["choices"][0]["message"]["content"].as_str();
    assert_eq!(text.map(str::len), Some((600 << 10) + "onetwo".len()));
}

#[tokio::test(start_paused = true)]
async fn a_translated_stream_that_was_not_requested_becomes_a_whole_response() {
    let scripts = vec![Script::events(anthropic_fixtures::stream())];
    let stage = anthropic_fixtures::stage(1, FakeExecutor::relaying(), scripts);
    let call = anthropic_fixtures::call(&stage, false);
    let (kind, given) = read(stage.dispatcher.call(call).await.unwrap()).await;
    assert_eq!(kind, JSON);
    let given = parse(&given);
    assert_eq!(given["choices"][0]["message"]["content"], "onetwo");
    assert_eq!(given["usage"]["completion_tokens"], 7);
    assert_eq!(stage.record()["usage"]["output"], 7);
}

#[tokio::test(start_paused = true)]
async fn an_unrequested_stream_that_fails_is_not_delivered() {
    for failing in [
        Script::events([ROLE, ERROR]),
        Script::events([content("one")]),
        Script::events([content("one").as_str(), "data: oops\n\n"]),
        Script::events([ROLE, DONE]),
        Script::events([content("one")]).then(Piece::Break),
    ] {
        let stage = stage(vec![failing, Script::json(200, COMPLETION)]);
        assert_eq!(text(stage.whole().await).await, COMPLETION);
        assert_eq!(stage.counts().failed, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_encoding_that_was_not_requested_fails_in_words() {
    for streamed in [true, false] {
        let odd = Script::events(stream()).header("content-encoding", "x-odd");
        let good = match streamed {
            true => Script::events(stream()),
            false => Script::json(200, COMPLETION),
        };
        let stage = stage(vec![odd, good]);
        let call = stage.call(streamed);
        text(stage.dispatcher.call(call).await).await;
        let attempt = stage.record()["steps"]
            .as_array()
            .and_then(|steps| steps.iter().find(|step| step["step"] == "attempt").cloned());
        let attempt = attempt.unwrap();
        let message = attempt["message"].as_str().unwrap();
        assert!(message.contains("content-encoding \"x-odd\""), "{attempt}");
        assert_eq!(attempt["scope"], "provider");
    }
}
