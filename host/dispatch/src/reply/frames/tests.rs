//! A plugin's frames never depend on how the bytes were split into chunks.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn frames(mode: ResponseMode, bytes: &Bytes, places: &[Index]) -> Vec<Frame> {
    let mut places: Vec<usize> = places.iter().map(|at| at.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let mut splitter = FrameSplitter::new(mode);
    let mut frames = Vec::new();
    for ends in places.windows(2) {
        let chunk = bytes.slice(ends[0]..ends[1]);
        splitter.split(Some(chunk), &mut frames).unwrap();
    }
    splitter.split(None, &mut frames).unwrap();
    frames
}

const ARRAY: ResponseMode = ResponseMode::Frames(Framing::JsonArray);
const LINES: ResponseMode = ResponseMode::Frames(Framing::Lines);
const RAW: ResponseMode = ResponseMode::Frames(Framing::Raw);
const SSE: ResponseMode = ResponseMode::Frames(Framing::Sse);

/// JSON values whose strings have brackets, quotes and backslashes.
fn item() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i32>().prop_map(serde_json::Value::from),
        r#"[\[\]{}",:\\ a]{0,8}"#.prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            prop::collection::hash_map("[a\"]{1,2}", inner, 0..3)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn data(frames: &[Frame]) -> Vec<&[u8]> {
    frames.iter().map(|frame| &frame.data[..]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_do_not_depend_on_chunk_boundaries(
        text in "(data: |event: |: |[a-c]|\n|\r\n|\r|\n\n){0,40}",
        places in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let bytes = Bytes::from(text);
        for mode in [LINES, SSE, ResponseMode::Whole] {
            prop_assert_eq!(frames(mode, &bytes, &places), frames(mode, &bytes, &[]));
        }
        let raw = frames(RAW, &bytes, &places);
        prop_assert_eq!(data(&raw).concat(), bytes);
    }

    #[test]
    fn items_of_an_array_do_not_depend_on_chunk_boundaries(
        items in prop::collection::vec(item(), 0..6),
        space in "[ \\n]{0,2}",
        places in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let texts: Vec<String> = items.iter().map(|item| format!("{space}{item:#}{space}")).collect();
        let bytes = Bytes::from(format!("{space}[{}]{space}", texts.join(",")));
        let found = frames(ARRAY, &bytes, &places);
        let found: Vec<serde_json::Value> =
            found.iter().map(|frame| serde_json::from_slice(&frame.data).unwrap()).collect();
        prop_assert_eq!(found, items);
    }

    #[test]
    fn no_bytes_panic_in_an_array(text in r#"[\[\]{}",:\\ a1]{0,40}"#) {
        let mut splitter = FrameSplitter::new(ARRAY);
        let mut frames = Vec::new();
        let _ = splitter.split(Some(text.into()), &mut frames);
        let _ = splitter.split(None, &mut frames);
    }

    #[test]
    fn line_ends_at_line_feed_or_end_of_body(
        text in "([a-c\r]|\n|\r\n){0,40}",
        places in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let lines = text.split_inclusive('\n').map(|line| {
            let line = line.strip_suffix('\n').unwrap_or(line);
            line.strip_suffix('\r').unwrap_or(line).as_bytes()
        });
        let found = frames(LINES, &Bytes::from(text.clone()), &places);
        prop_assert_eq!(data(&found), lines.collect::<Vec<_>>());
    }
}

#[test]
fn events_have_their_name_and_their_data() {
    let bytes = Bytes::from_static(b": x\n\nevent: a\ndata: 1\ndata: 2\n\ndata:\n\ndata: cut off");
    let events = frames(SSE, &bytes, &[]);
    let expected = [("a", &b"1\n2"[..]), ("", b"")];
    let found: Vec<(&str, &[u8])> = events
        .iter()
        .map(|event| (&*event.name, &event.data[..]))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn whole_response_is_one_frame_even_if_empty() {
    assert_eq!(
        data(&frames(ResponseMode::Whole, &Bytes::new(), &[])),
        [b""]
    );
    assert!(frames(LINES, &Bytes::new(), &[]).is_empty());
}

#[test]
fn rejects_line_longer_than_limit() {
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    let mut splitter = FrameSplitter::new(LINES);
    let mut frames = Vec::new();
    let mut taken = 0;
    while splitter.split(Some(chunk.clone()), &mut frames).is_ok() {
        taken += chunk.len();
        assert!(taken <= WHOLE_RESPONSE_BYTES_MAX);
    }
    assert_eq!((taken, frames.len()), (WHOLE_RESPONSE_BYTES_MAX, 0));
}

#[test]
fn what_is_no_array_is_refused() {
    for (text, part) in [
        ("", "cut off"),
        ("[", "cut off"),
        ("[1", "cut off"),
        ("[1,", "cut off"),
        ("[\"]", "cut off"),
        ("{\"error\":{}}", "begin with `[`"),
        ("[,1]", "item is missing"),
        ("[1,]", "item is missing"),
        ("[1}]", "opens nothing"),
        ("[] x", "after its end"),
    ] {
        let mut splitter = FrameSplitter::new(ARRAY);
        let mut frames = Vec::new();
        let split = splitter
            .split(Some(Bytes::from(text)), &mut frames)
            .and_then(|()| splitter.split(None, &mut frames));
        let Err(StreamError::Upstream(failure)) = split else {
            panic!("{text}: {split:?}");
        };
        assert!(
            failure.message.contains(part),
            "{text}: {}",
            failure.message
        );
    }
}
