//! Tests of the calls of streams: pieces that are interleaved, and in any order.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{arguments, call_start, deltas, merge_arguments};
use crate::ir::{Delta, Event, Malformed, PartStart};
use crate::openai_chat::{decoder, json_strategy};

fn call_pieces(pieces: &[Value]) -> Vec<Event> {
    let of = |piece: &Value| json!({"tool_calls": [piece]});
    merge_arguments(deltas(&pieces.iter().map(of).collect::<Vec<_>>()))
}

/// Returns the id, the name and the arguments of each call.
fn calls(events: &[Event]) -> Vec<(String, String, String)> {
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for event in events {
        match (event, calls.last_mut()) {
            (Event::PartStart(PartStart::ToolCall { id, name, .. }), _) => {
                calls.push((id.clone(), name.clone(), String::new()));
            }
            (Event::Delta(Delta::Arguments(text)), Some(call)) => call.2.push_str(text),
            _ => {}
        }
    }
    calls
}

/// The report: QwenLM/Qwen-Agent#943.
#[test]
fn separates_interleaved_calls_by_index() {
    let start = |index: u64, id: &str, name: &str| json!({"index": index, "id": id, "function": {"name": name, "arguments": ""}});
    let more = |index: u64, text: &str| json!({"index": index, "function": {"arguments": text}});
    let events = call_pieces(&[
        start(0, "call_a", "get_weather"),
        start(1, "call_b", "get_time"),
        more(0, "{\"city\":"),
        more(1, "{\"city\":"),
        more(0, "\"Rome\"}"),
        more(1, "\"Oslo\"}"),
    ]);
    let expected = [
        call_start("call_a", "get_weather"),
        arguments(r#"{"city":"Rome"}"#),
        Event::PartEnd,
        call_start("call_b", "get_time"),
        arguments(r#"{"city":"Oslo"}"#),
        Event::PartEnd,
    ];
    assert_eq!(events[..6], expected);
}

/// The reports: diegosouzapw/OmniRoute#6730, router-for-me/CLIProxyAPI#2926.
#[test]
fn reads_id_name_and_arguments_in_any_order() {
    let id = json!({"index": 0, "id": "call_a", "type": "function"});
    let name = json!({"index": 0, "function": {"name": "get_weather"}});
    let input = json!({"index": 0, "function": {"arguments": "{}"}});
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let pieces = order.map(|at| [&id, &name, &input][at].clone());
        let expected = [
            call_start("call_a", "get_weather"),
            arguments("{}"),
            Event::PartEnd,
        ];
        assert_eq!(call_pieces(&pieces)[..3], expected, "{order:?}");
    }
}

#[test]
fn joins_names_in_pieces_and_ignores_repeated_ones() {
    let piece = |name: &str, text: &str| json!({"index": 0, "id": "a", "function": {"name": name, "arguments": text}});
    let expected = [call_start("a", "get_weather"), arguments("{}")];
    let events = call_pieces(&[piece("get_", ""), piece("weather", ""), piece("", "{}")]);
    assert_eq!(events[..2], expected);
    let repeated = [
        ("get_weather", ""),
        ("get_weather", "{"),
        ("get_weather", "}"),
    ];
    let events = call_pieces(&repeated.map(|(name, text)| piece(name, text)));
    assert_eq!(events[..2], expected);
}

#[test]
fn separates_whole_calls_without_ids_and_indexes() {
    let call = json!({"function": {"name": "f", "arguments": "{}"}});
    let events = call_pieces(&[call.clone(), call]);
    assert_eq!(calls(&events).len(), 2);
}

/// The report: dirac-run/dirac#215, from Nebius and Cerebras.
#[test]
fn joins_pieces_whose_index_counts_the_pieces() {
    let start = json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}});
    let more = |index: u64, text: &str| json!({"index": index, "function": {"arguments": text}});
    let events = call_pieces(&[start, more(1, "\"x\":"), more(2, "1}")]);
    let expected = ("a".to_owned(), "f".to_owned(), r#"{"x":1}"#.to_owned());
    assert_eq!(calls(&events), [expected]);
}

#[test]
fn ignores_call_that_is_repeated_at_the_end() {
    let call = |index: u64, id: &str| json!({"index": index, "id": id, "function": {"name": "f", "arguments": "{}"}});
    let events = call_pieces(&[call(0, "a"), call(1, "b"), call(0, "a")]);
    assert_eq!(calls(&events).len(), 2);
}

#[test]
fn rejects_piece_of_ended_call() {
    let mut decoder = decoder();
    let mut read = |delta: Value| {
        let chunk = json!({"choices": [{"delta": delta}]}).to_string();
        decoder.event("", chunk.as_bytes(), &mut Vec::new())
    };
    let mut piece = |index: u64, name: &str, arguments: &str| {
        let function = json!({"name": name, "arguments": arguments});
        let id = if name.is_empty() { "" } else { "id" };
        read(json!({"tool_calls": [{"index": index, "id": id, "function": function}]}))
    };
    assert!(piece(0, "f", "{}").is_ok());
    assert!(piece(1, "g", "{").is_ok());
    assert!(piece(0, "", " ").is_ok());
    let error = Malformed("a piece belongs to a tool call that is not open");
    assert_eq!(piece(0, "", "}"), Err(error));
}

#[test]
fn rejects_call_without_name() {
    let mut decoder = decoder();
    let mut read = |delta: Value| {
        let chunk = json!({"choices": [{"delta": delta}]}).to_string();
        decoder.event("", chunk.as_bytes(), &mut Vec::new())
    };
    let unnamed = json!({"index": 0, "id": "a", "function": {"arguments": "{}"}});
    assert!(read(json!({"tool_calls": [unnamed]})).is_ok());
    assert_eq!(
        read(json!({"reasoning": "x"})),
        Err(Malformed::UNNAMED_CALL)
    );
}

#[test]
fn bounds_calls_that_wait() {
    let mut decoder = decoder();
    let mut piece = |index: u64, arguments: &str| {
        let function = json!({"name": "f", "arguments": arguments});
        let call = json!({"index": index, "id": index.to_string(), "function": function});
        let chunk = json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string();
        decoder.event("", chunk.as_bytes(), &mut Vec::new())
    };
    let long = "x".repeat(3 << 20);
    assert!(piece(0, "{").is_ok());
    assert!(piece(0, &long).is_ok() && piece(0, &long).is_ok());
    assert!(piece(1, &long).is_ok());
    assert_eq!(
        piece(1, &long),
        Err(Malformed("too many bytes of tool calls wait"))
    );
}

proptest! {
    /// Any interleaving of the pieces gives the same calls.
    #[test]
    fn interleaving_does_not_change_calls(
        inputs in prop::collection::vec(json_strategy::object(), 1..5),
        turns in prop::collection::vec((0_usize..5, 1_usize..9), 0..40),
    ) {
        let texts: Vec<String> = inputs.iter().map(Value::to_string).collect();
        let mut rest: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut pieces: Vec<Value> = (0..texts.len()).map(|index| {
            json!({"index": index, "id": format!("id{index}"), "function": {"name": "f"}})
        }).collect();
        let whole = (0..texts.len()).map(|at| (at, usize::MAX));
        for (at, bytes) in turns.into_iter().chain(whole) {
            let at = at % texts.len();
            let end = rest[at].ceil_char_boundary(bytes.min(rest[at].len()));
            let (piece, after) = rest[at].split_at(end);
            pieces.push(json!({"index": at, "function": {"arguments": piece}}));
            rest[at] = after;
        }
        let found = calls(&call_pieces(&pieces));
        let expected: Vec<_> = texts.into_iter().enumerate().map(|(index, text)| {
            (format!("id{index}"), "f".to_owned(), text)
        }).collect();
        prop_assert_eq!(found, expected);
    }
}
