//! Tests of the parts of streams.

use serde_json::json;

use super::{
    arguments, call_start, deltas, merge_arguments, reasoning, reasoning_start, signature, text,
};
use crate::Dialect;
use crate::ir::{Delta, Event, FinishReason, MediaSource, Part, PartStart, Signature};

#[test]
fn splits_google_calls_by_id() {
    let call =
        |id: &str| json!({"index": 0, "id": id, "function": {"name": "f", "arguments": "{}"}});
    let events = deltas(&[
        json!({"tool_calls": [call("a"), call("b")]}),
        json!({"tool_calls": [call("b")]}),
    ]);
    let expected = [
        call_start("a", "f"),
        arguments("{}"),
        Event::PartEnd,
        call_start("b", "f"),
        arguments("{}"),
        arguments("{}"),
        Event::PartEnd,
        Event::Finish(FinishReason::ToolCalls),
        Event::Done,
    ];
    assert_eq!(events, expected);
}

#[test]
fn generates_missing_call_ids() {
    let call = |index: u64| json!({"tool_calls": [{"index": index, "function": {"name": "f"}}]});
    let events = deltas(&[call(0), call(1)]);
    assert_eq!(events[0], call_start("call_0", "f"));
    assert_eq!(events[2], call_start("call_1", "f"));
}

#[test]
fn moves_text_inside_call_after_it() {
    let piece = |arguments: &str| {
        let function = json!({"name": "f", "arguments": arguments});
        json!({"tool_calls": [{"index": 0, "id": "1", "function": function}]})
    };
    let events = merge_arguments(deltas(&[
        piece("{"),
        json!({"content": "\n"}),
        piece("}"),
        json!({"content": "x"}),
    ]));
    let expected = [
        call_start("1", "f"),
        arguments("{}"),
        Event::PartEnd,
        Event::PartStart(PartStart::Text),
        text("\nx"),
        Event::PartEnd,
    ];
    assert_eq!(events[..6], expected);
    let long = "x".repeat(70_000);
    let events = deltas(&[piece("{}"), json!({"content": long})]);
    assert_eq!(
        events[2..5],
        [
            Event::PartEnd,
            Event::PartStart(PartStart::Text),
            text(&long)
        ]
    );
}

#[test]
fn wraps_custom_tool_input_in_object() {
    let piece = |input: &str| json!({"tool_calls": [{"index": 0, "custom": {"input": input}}]});
    let first = json!({"tool_calls": [{"index": 0, "id": "1", "type": "custom", "custom": {"name": "p", "input": ""}}]});
    let events = merge_arguments(deltas(&[first, piece("a\""), piece("\nb")]));
    assert_eq!(
        events[..3],
        [
            call_start("1", "p"),
            arguments(r#"{"input":"a\"\nb"}"#),
            Event::PartEnd
        ]
    );
}

#[test]
fn decodes_deprecated_function_call() {
    let piece = |name: &str, arguments: &str| json!({"function_call": {"name": name, "arguments": arguments}});
    let events = merge_arguments(deltas(&[piece("f", ""), piece("", "{"), piece("", "}")]));
    assert_eq!(
        events[..3],
        [call_start("call_0", "f"), arguments("{}"), Event::PartEnd]
    );
}

#[test]
fn decodes_reasoning_details_in_any_order() {
    let text_of = |text: &str| json!({"type": "reasoning.text", "text": text, "index": 0});
    let last = json!({"type": "reasoning.text", "signature": "s", "index": 0});
    let events = deltas(&[
        json!({"reasoning": "a", "reasoning_details": [text_of("a")]}),
        json!({"reasoning_details": [text_of("b")]}),
        json!({"reasoning_details": [last]}),
        json!({"content": "x"}),
    ]);
    let whole = r#"[{"type":"reasoning.text","text":"ab","index":0,"signature":"s"}]"#;
    let expected = [
        reasoning_start(false),
        reasoning("a"),
        reasoning("b"),
        signature(whole),
        Event::PartEnd,
    ];
    assert_eq!(events[..5], expected);
    // Hidden reasoning after another part.
    let hidden = json!({"type": "reasoning.encrypted", "data": "d", "id": "r"});
    let events = deltas(&[
        json!({"content": "x"}),
        json!({"reasoning_details": [hidden]}),
    ]);
    let whole = r#"[{"type":"reasoning.encrypted","data":"d","id":"r"}]"#;
    assert_eq!(
        events[2..6],
        [
            Event::PartEnd,
            reasoning_start(true),
            signature(whole),
            Event::PartEnd
        ]
    );
    // A signature of another dialect, wrapped by Jackfield.
    let foreign = Signature {
        origin: Dialect::Gemini,
        data: "g".to_owned(),
    };
    let sealed = json!({"type": "reasoning.encrypted", "data": foreign.encode_for(Dialect::OpenaiChat), "span": [0, 0]});
    let events = deltas(&[json!({"reasoning_details": [sealed]})]);
    let expected = [
        reasoning_start(false),
        Event::Delta(Delta::Signature(foreign)),
        Event::PartEnd,
    ];
    assert_eq!(events[..3], expected);
}

#[test]
fn decodes_images_citations_and_refusals() {
    let url = json!({"image_url": {"url": "https://a.example/x"}});
    let cited = json!({"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}});
    let events = deltas(&[
        json!({"content": "x"}),
        json!({"content": "", "annotations": [cited]}),
        json!({"images": [url]}),
        json!({"refusal": "No."}),
    ]);
    let [
        Event::PartStart(PartStart::Text),
        _,
        Event::Delta(Delta::Citation(citation)),
        Event::PartEnd,
        rest @ ..,
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(citation.span, Some((0, 1)));
    let [
        Event::PartStart(PartStart::Complete(Part::Image(image))),
        Event::PartEnd,
        rest @ ..,
    ] = rest
    else {
        panic!("{rest:?}");
    };
    assert_eq!(
        image.source,
        MediaSource::Url("https://a.example/x".to_owned())
    );
    assert_eq!(rest[0], Event::PartStart(PartStart::Refusal));
    assert_eq!(rest[3], Event::Finish(FinishReason::Refusal));
}
