//! What becomes of an executor's events: their order, their faults, and any events at all.

use proptest::prelude::*;

use super::*;
use crate::ir::{Delta, Part, PartStart};
use crate::{ResponseBuilder, Usage};

fn begin(index: u32, kind: &str) -> ItemEvent {
    ItemEvent::Begin(ItemBegin {
        index,
        kind: kind.to_owned(),
        name: "tool".to_owned(),
        ..ItemBegin::default()
    })
}

fn delta(index: u32, kind: &str, text: &str) -> ItemEvent {
    ItemEvent::Delta {
        index,
        kind: kind.to_owned(),
        data: ItemData::Text(text.to_owned()),
    }
}

fn finish(reason: &str) -> ItemEvent {
    ItemEvent::Finish {
        candidate: 0,
        reason: reason.to_owned(),
        stop_sequence: None,
    }
}

fn read(events: Vec<ItemEvent>) -> Result<Vec<Event>, ItemError> {
    let mut reader = ItemReader::new(Dialect::OpenaiChat, "call");
    let mut out = Vec::new();
    for event in events {
        reader.read(event, &mut out)?;
    }
    reader.end(&mut out)?;
    assert_eq!(reader.held_bytes(), 0);
    Ok(out)
}

fn problem(events: Vec<ItemEvent>) -> String {
    read(events).expect_err("a fault").to_string()
}

#[test]
fn interleaved_items_come_out_one_after_the_other() {
    let out = read(vec![
        ItemEvent::Response(vec![("id".to_owned(), "r1".to_owned())]),
        begin(7, "text"),
        begin(3, "call"),
        delta(3, "arguments", "{\"a\""),
        delta(7, "text", "he"),
        delta(3, "arguments", ":1}"),
        ItemEvent::End(3),
        delta(7, "text", "llo"),
        finish("stop"),
        ItemEvent::Usage(Usage {
            output: 2,
            ..Usage::default()
        }),
    ]);
    let mut builder = ResponseBuilder::default();
    for event in out.expect("no fault") {
        builder.add(event);
    }
    let response = builder.finish().expect("a complete response");
    assert_eq!(response.id, "r1");
    assert_eq!(response.finish, FinishReason::ToolCalls);
    assert_eq!(response.usage.map(|usage| usage.output), Some(2));
    let [Part::Text { text, .. }, Part::ToolCall(call)] = &response.parts[..] else {
        panic!("{:?}", response.parts);
    };
    assert_eq!(text, "hello");
    assert_eq!(call.arguments, r#"{"a":1}"#);
    assert!(!call.id.is_empty());
}

#[test]
fn each_fault_names_its_event() {
    let cases = [
        (
            vec![delta(1, "text", "a")],
            "event 1 of its response, `delta`: the item 1 was not begun",
        ),
        (
            vec![begin(1, "text"), ItemEvent::End(1), delta(1, "text", "a")],
            "event 3 of its response, `delta`: the item 1 has ended",
        ),
        (
            vec![begin(1, "text"), ItemEvent::End(1), ItemEvent::End(1)],
            "event 3 of its response, `end`: the item 1 has ended",
        ),
        (
            vec![begin(1, "text"), begin(1, "text")],
            "event 2 of its response, `begin`: the item 1 was begun before",
        ),
        (
            vec![begin(1, "video")],
            "event 1 of its response, `begin`: this host does not know items of the kind \"video\"",
        ),
        (
            vec![begin(1, "text"), delta(1, "arguments", "a")],
            "event 2 of its response, `delta`: a delta of the kind \"arguments\" for an item of the kind `text`",
        ),
        (
            vec![begin(1, "image"), delta(1, "data", "?")],
            "event 2 of its response, `delta`: the text is not base64",
        ),
        (
            vec![begin(1, "text")],
            "event 2 of its response, `finish`: it is missing: the response has ended",
        ),
        (
            vec![finish("stop"), begin(1, "text")],
            "event 2 of its response, `begin`: it comes after `finish`",
        ),
        (
            vec![begin(1, "text"), ItemEvent::Response(Vec::new())],
            "event 2 of its response, `response`: it must be the first event, and there is one at most",
        ),
        (
            vec![
                begin(1, "call"),
                delta(1, "arguments", "{\"a\""),
                finish("stop"),
            ],
            "event 3 of its response, `finish`: the arguments of the call 1 are not complete, and the reason of \
             `finish` does not explain it",
        ),
        (
            vec![ItemEvent::Begin(ItemBegin {
                candidate: 1,
                kind: "text".to_owned(),
                ..ItemBegin::default()
            })],
            "event 1 of its response, `begin`: the candidate is 1, but this host knows the candidate 0 only",
        ),
        (
            vec![ItemEvent::Begin(ItemBegin {
                kind: "call".to_owned(),
                ..ItemBegin::default()
            })],
            "event 1 of its response, `begin`: the call has no name",
        ),
    ];
    for (events, expected) in cases {
        assert_eq!(problem(events), expected);
    }
}

#[test]
fn a_cut_call_needs_a_reason_and_an_empty_one_becomes_an_object() {
    let cut = vec![
        begin(1, "call"),
        delta(1, "arguments", "{\"a\""),
        finish("length"),
    ];
    let out = read(cut).expect("no fault");
    assert!(out.contains(&Event::Finish(FinishReason::Length)));
    let empty = read(vec![begin(1, "call"), finish("tool-calls")]).expect("no fault");
    assert!(empty.contains(&Event::Delta(Delta::Arguments("{}".to_owned()))));
}

#[test]
fn media_are_written_when_they_end() {
    let bytes = ItemEvent::Delta {
        index: 0,
        kind: "data".to_owned(),
        data: ItemData::Bytes(Bytes::from_static(b"\x00\x01")),
    };
    let out = read(vec![
        begin(0, "image"),
        bytes,
        delta(0, "data", "AgM="),
        finish("stop"),
    ]);
    let out = out.expect("no fault");
    let Some(Event::PartStart(PartStart::Complete(Part::Image(media)))) = out.get(1) else {
        panic!("{out:?}");
    };
    assert_eq!(
        media.source,
        crate::ir::MediaSource::Base64("AAECAw==".to_owned())
    );
}

fn any_event() -> impl Strategy<Value = ItemEvent> {
    let index = 0_u32..4;
    let kinds = prop_oneof!["text", "reasoning", "call", "image"];
    let pieces = prop_oneof!["text", "arguments", "opaque", "data"];
    prop_oneof![
        4 => (index.clone(), kinds).prop_map(|(index, kind)| begin(index, &kind)),
        8 => (index.clone(), pieces, "[a-z{}]{0,4}")
            .prop_map(|(index, kind, text)| delta(index, &kind, &text)),
        2 => index.prop_map(ItemEvent::End),
        1 => Just(finish("stop")),
        1 => Just(ItemEvent::Usage(Usage::default())),
        1 => Just(ItemEvent::Response(Vec::new())),
    ]
}

proptest! {
    /// Whatever an executor returns: no panic, and what comes out is in the order of the common form.
    #[test]
    fn any_events_come_out_in_order(events in prop::collection::vec(any_event(), 0..40)) {
        let mut reader = ItemReader::new(Dialect::Gemini, "call");
        let mut out = Vec::new();
        for event in events {
            if reader.read(event, &mut out).is_err() {
                break;
            }
        }
        let (mut started, mut open, mut finished) = (false, false, false);
        for event in out {
            match event {
                Event::Start { .. } => prop_assert!(!std::mem::replace(&mut started, true)),
                Event::PartStart(_) => prop_assert!(started && !finished && !std::mem::replace(&mut open, true)),
                Event::Delta(delta) => prop_assert!(open && !delta.is_empty()),
                Event::PartEnd => prop_assert!(std::mem::take(&mut open)),
                Event::Finish(_) => prop_assert!(!open && !std::mem::replace(&mut finished, true)),
                Event::Usage(_) => prop_assert!(started),
                Event::Done | Event::Error(_) => prop_assert!(false),
            }
        }
    }
}
