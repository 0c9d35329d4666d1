//! Successful responses reach the client unchanged.

use bytes::Bytes;
use jackfield_auth::LeaseCounts;
use jackfield_dispatch::ResponseBody;
use proptest::prelude::*;

use crate::chat_fixtures::{COMPLETION, DONE, FINISH, ROLE, content, stream};
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, property_config, read_body, run_paused, text};

#[tokio::test(start_paused = true)]
async fn relays_response_byte_for_byte() {
    let script = Script::json(200, COMPLETION)
        .header("x-request-id", "r1")
        .header("set-cookie", "a=b")
        .header("content-length", "7");
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let response = stage.whole().await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.headers["x-request-id"], "r1");
    assert_eq!(response.headers["content-type"], "application/json");
    assert_eq!(
        response.headers.len(),
        2,
        "the connection's headers and cookies stay"
    );
    assert!(matches!(&response.body, ResponseBody::Whole(body) if body == COMPLETION));
    let success = LeaseCounts {
        success: 1,
        ..LeaseCounts::default()
    };
    assert_eq!(stage.counts(), success);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn large_response_is_streamed() {
    let filler = "x".repeat(100 << 10);
    let pieces = [
        "{\"choices\":[{}],\"a\":\"",
        &filler,
        &filler,
        &filler,
        "\"}",
    ];
    let whole = pieces.concat();
    let chunks = pieces.map(|piece| Piece::Chunk(Bytes::copy_from_slice(piece.as_bytes())));
    let script = Script::response(200, "application/json", chunks.into()).slowly(SECOND);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let response = stage.whole().await.unwrap();
    assert!(matches!(response.body, ResponseBody::Stream(_)));
    assert_eq!(stage.counts().open, 1, "the stream has not ended");
    assert_eq!(text(Ok(response)).await, whole);
    assert_eq!(stage.counts().success, 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn patch_changes_only_the_model() {
    let stage = Setting::new(1)
        .executor(FakeExecutor::patching())
        .stage(FakeUpstream::in_order(vec![Script::json(200, COMPLETION)]));
    let body =
        "{ \"unknown\" : {\"a\": [1.50, null]},\n\t\"model\" :\"model\" , \"b\":\"\\u00e9\" }";
    let mut call = stage.call(false);
    call.body = Bytes::from_static(body.as_bytes());
    stage.dispatcher.call(call).await.unwrap();
    let expected = body.replace("\"model\" :\"model\"", "\"model\" :\"upstream-model\"");
    assert_eq!(stage.upstream.body_of(0), expected);
}

#[tokio::test(start_paused = true)]
async fn stream_without_done_is_complete_if_all_choices_finished() {
    for (rest, end) in [
        ("", DONE),
        ("data: [DONE]", ""),
        ("data: [DONE]\n", ""),
        (": bye\n", "\n\ndata: [DONE]\n\n"),
        ("\n", DONE),
    ] {
        let events = [ROLE, &content("one"), FINISH, rest];
        let script = Script::events(events);
        let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
        assert_eq!(
            text(stage.stream().await).await,
            [&events.concat(), end].concat(),
            "{rest:?}"
        );
        assert_eq!(stage.counts().success, 1, "{rest:?}");
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn drops_partial_event_after_finish() {
    let whole = [ROLE, &content("one"), FINISH].concat();
    let half = "data: {\"choices\":[],\"usage\":{\"prompt_to";
    let script = Script::events([whole.clone(), half.to_owned()]);
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
    let expected = [&whole, DONE].concat();
    assert_eq!(text(stage.stream().await).await, expected);
    assert_eq!(stage.counts().success, 1);
}

/// An event or a comment, including unusual forms.
fn block() -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    let words = "[a-zé\\\\n\u{1F600} ]{0,12}";
    let block = prop_oneof![
        words.prop_map(|text| format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":{text:?}}}}}],\"new\":{{\"x\":1}}}}\n\n"
        )),
        words.prop_map(|text| format!(
            "data:{{\"choices\":[{{\"index\":1,\"text\":{text:?}}}]}}\nid: {text}\n\n"
        )),
        words.prop_map(|text| format!(": {text}\n\n")),
        words.prop_map(|text| format!(": {text}\nunknown: 1\n")),
        Just("event: ping\ndata: {}\n\n".to_owned()),
        Just("data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":1}}\n\n".to_owned()),
    ];
    (block, end).prop_map(|(block, end)| block.replace('\n', end))
}

/// The same bytes, split at these positions.
fn cut(bytes: &Bytes, places: &[prop::sample::Index]) -> Vec<Piece> {
    let mut places: Vec<usize> = places.iter().map(|at| at.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let pieces = places.windows(2);
    pieces
        .map(|ends| Piece::Chunk(bytes.slice(ends[0]..ends[1])))
        .collect()
}

proptest! {
    #![proptest_config(property_config())]

    #[test]
    fn relays_stream_byte_for_byte_for_any_chunking(
        blocks in prop::collection::vec(block(), 0..12),
        mark in any::<bool>(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let mark = if mark { "\u{feff}" } else { "" };
        let last = [content("last").as_str(), FINISH, DONE].concat().replace('\n', end);
        let body = Bytes::from([mark, &blocks.concat(), &last].concat());
        let script = Script::response(200, "text/event-stream", cut(&body, &places));
        run_paused(async {
            let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
            let (bytes, body_error) = read_body(stage.stream().await.unwrap()).await;
            prop_assert!(body_error.is_none());
            prop_assert_eq!(bytes, body);
            prop_assert_eq!(stage.counts().success, 1);
            stage.assert_closed();
            Ok(())
        })?;
    }

    #[test]
    fn interrupted_stream_is_relayed_up_to_last_complete_event(
        at in any::<prop::sample::Index>(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let events = [vec![content("one"), content("two")], stream()].concat();
        let whole = events.concat();
        // After the first event, so that the stream is committed, and before the end of the finish
        // event.
        let (first, last) = (events[0].len(), whole.len() - DONE.len() - 1);
        let at = first + at.index(last - first);
        let mut expected = String::new();
        for event in &events {
            if expected.len() + event.len() > at { break }
            expected.push_str(event);
        }
        let pieces = cut(&Bytes::from(whole).slice(..at), &places);
        let script = Script::response(200, "text/event-stream", pieces).then(Piece::Break);
        run_paused(async {
            let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![script]));
            let (bytes, body_error) = read_body(stage.stream().await.unwrap()).await;
            prop_assert!(body_error.is_none());
            prop_assert_eq!(crate::chat_fixtures::split_final_error(&bytes).0, expected);
            prop_assert_eq!(stage.counts().failed, 1);
            stage.assert_closed();
            Ok(())
        })?;
    }
}
