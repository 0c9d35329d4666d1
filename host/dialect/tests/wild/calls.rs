//! Tool calls as they really stream.

use jackfield_dialect::ir::Part;
use jackfield_dialect::traits::Traits;
use jackfield_dialect::{Dialect, RequestHead, TranslatedRequest, TranslationInput};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::texts::shown_text;
use crate::{Outcome, translate_request, translate_stream, translate_whole};

/// Returns the names and the arguments of the calls in a stream to a client of OpenAI's chat.
fn chat_calls(data: &[Value]) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in data {
        let Some(call) = event.pointer("/choices/0/delta/tool_calls/0") else {
            continue;
        };
        let text = |name: &str| call["function"][name].as_str().unwrap_or_default();
        if call.get("id").is_some() {
            calls.push((text("name").to_owned(), String::new()));
        }
        if let Some((_, arguments)) = calls.last_mut() {
            arguments.push_str(text("arguments"));
        }
    }
    calls
}

pub(crate) fn block_start(index: usize) -> String {
    json!({"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": format!("t{index}"), "name": format!("f{index}"), "input": {}}}).to_string()
}

pub(crate) fn block_delta(index: usize, text: &str) -> String {
    json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": text}}).to_string()
}

pub(crate) fn block_stop(index: usize) -> String {
    json!({"type": "content_block_stop", "index": index}).to_string()
}

pub(crate) fn message_end(reason: &str) -> String {
    json!({"type": "message_delta", "delta": {"stop_reason": reason}}).to_string()
}

/// Servers that imitate Anthropic's API begin a block before the last one ends.
#[test]
fn separates_overlapping_blocks_by_index() {
    let stream = [
        block_start(0),
        block_start(1),
        block_delta(0, r#"{"city":"Ro"#),
        block_delta(1, r#"{"city":"Os"#),
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#
            .to_owned(),
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Hi"}}"#
            .to_owned(),
        block_delta(0, r#"me"}"#),
        block_delta(1, r#"lo"}"#),
        block_stop(2),
        block_stop(0),
        block_stop(1),
        message_end("tool_use"),
    ];
    let data = translate_stream(Dialect::AnthropicMessages, Dialect::OpenaiChat, &stream);
    let data = data.unwrap_or_default();
    let expected = [("f0", r#"{"city":"Rome"}"#), ("f1", r#"{"city":"Oslo"}"#)];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(chat_calls(&data), expected);
    assert_eq!(shown_text(Dialect::OpenaiChat, &data), "Hi");
}

/// Servers may also leave out the ends of blocks, or send a wrong index with the arguments.
#[test]
fn reads_blocks_without_ends_and_indexes() {
    let piece = |at: usize| block_delta(0, &format!("{{\"a\":{at}}}"));
    let stream = [
        block_start(1),
        piece(1),
        block_start(2),
        piece(2),
        message_end("tool_use"),
    ];
    let data = translate_stream(Dialect::AnthropicMessages, Dialect::OpenaiChat, &stream);
    let expected = [("f1", r#"{"a":1}"#), ("f2", r#"{"a":2}"#)];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(data.map(|data| chat_calls(&data)), Ok(expected.to_vec()));
}

/// The report: apache/apisix#13599. Clients of Anthropic's API fail if the input is no object.
#[test]
fn arguments_are_objects_in_streams_and_whole() -> Outcome<()> {
    let arguments = [
        r#"{"city": Rome}"#,
        "42",
        "\"Rome\"",
        "[1]",
        "null",
        "{\"a\":\"\n\"}",
        " ",
        "{\"wei\":1000000000000000000000}",
    ];
    for text in arguments {
        let call = json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": text}});
        let body = json!({"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]});
        let whole = translate_whole(
            Dialect::OpenaiChat,
            Dialect::AnthropicMessages,
            &body.to_string(),
        )?;
        let stream = [
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).to_string(),
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned(),
        ];
        let data = translate_stream(Dialect::OpenaiChat, Dialect::AnthropicMessages, &stream);
        let data = data.unwrap_or_default();
        let pieces = data
            .iter()
            .filter_map(|event| event.pointer("/delta/partial_json")?.as_str());
        let input: Value = serde_json::from_str(&pieces.collect::<String>())?;
        assert!(input.is_object(), "{text}: {input}");
        assert_eq!(whole["content"][0]["input"], input, "{text}");
    }
    Ok(())
}

/// A client that waits for long arguments sees that the stream is alive.
#[test]
fn long_arguments_are_announced_by_pings() {
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(3_000));
    let pieces = text.as_bytes().chunks(100).map(String::from_utf8_lossy);
    let piece = |text: &str| {
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": text}}]}}]}).to_string()
    };
    let mut stream: Vec<String> = pieces.map(|text| piece(&text)).collect();
    stream.push(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned());
    let data = translate_stream(Dialect::OpenaiChat, Dialect::AnthropicMessages, &stream);
    let data = data.unwrap_or_default();
    assert_eq!(
        data.iter().filter(|event| event["type"] == "ping").count(),
        2
    );
    let pieces = data
        .iter()
        .filter_map(|event| event.pointer("/delta/partial_json")?.as_str());
    assert_eq!(pieces.collect::<String>(), text);
}

/// The report: Switchyard#502. Claude Code pairs a call with its result by the id alone.
#[test]
fn missing_and_repeated_ids_are_unique() -> Outcome<()> {
    let call = |id: &str| json!({"id": id, "function": {"name": "f", "arguments": "{}"}});
    let calls = [call(""), call("call_1"), call("a"), call("a")];
    let body =
        json!({"choices": [{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]});
    let mut deltas: Vec<String> = Vec::new();
    for (index, mut call) in calls.into_iter().enumerate() {
        call["index"] = index.into();
        deltas
            .push(json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).to_string());
    }
    deltas.push(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned());
    let head = RequestHead::from_path("m", false)?;
    let source = TranslationInput {
        dialect: Dialect::AnthropicMessages,
        body: br#"{"max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#,
        head: &head,
        model: "m",
        traits: &Traits::everything(),
        thinking: None,
        id: "r1",
        created: 0,
    };
    let translated = TranslatedRequest::translate_content(&source, Dialect::OpenaiChat)?;
    let whole: Value =
        serde_json::from_slice(&translated.translate_response(body.to_string().as_bytes())?)?;
    let expected = ["call_r1_0", "call_r1_1", "a", "a_2"];
    let blocks = whole["content"].as_array().ok_or("no blocks")?;
    let ids: Vec<&str> = blocks
        .iter()
        .filter_map(|block| block["id"].as_str())
        .collect();
    assert_eq!(ids, expected);
    let data = translate_stream(Dialect::OpenaiChat, Dialect::AnthropicMessages, &deltas);
    let data = data.unwrap_or_default();
    let ids = data
        .iter()
        .filter_map(|event| event.pointer("/content_block/id")?.as_str());
    assert_eq!(ids.collect::<Vec<_>>(), expected);
    Ok(())
}

/// The reports: fireconnect#16, BerriAI/litellm#23510, sst/opencode#1279. Kimi starts to count again in each turn.
#[test]
fn ids_of_a_conversation_are_unique() -> Outcome<()> {
    let call = r#"{"role":"assistant","tool_calls":[{"id":"list_dir:0","type":"function","function":{"name":"list_dir","arguments":"{}"}}]}"#;
    let result = r#"{"role":"tool","tool_call_id":"list_dir:0","content":"x"}"#;
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"x"}},{call},{result},{call},{result}]}}"#
    );
    let (sent, _) = translate_request(Dialect::OpenaiChat, Dialect::AnthropicMessages, &body)?;
    let ids = [
        "/messages/1/content/0/id",
        "/messages/2/content/0/tool_use_id",
        "/messages/3/content/0/id",
        "/messages/4/content/0/tool_use_id",
    ];
    let ids = ids.map(|pointer| {
        sent.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    });
    assert_eq!(
        ids,
        ["list_dir_0", "list_dir_0", "list_dir_0_2", "list_dir_0_2"]
    );
    Ok(())
}

/// Amounts of wei have more than 64 bits.
#[test]
fn integers_beyond_64_bits_of_gemini_keep_their_digits() {
    let event = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{ "wei": 123456789012345678901234567890 }}}]},"finishReason":"STOP"}]}"#;
    let expected = r#"{"wei":123456789012345678901234567890}"#;
    let stream = [event.to_owned()];
    let data = translate_stream(Dialect::Gemini, Dialect::OpenaiChat, &stream);
    let calls = data.map(|data| chat_calls(&data));
    assert_eq!(calls, Ok(vec![("f".to_owned(), expected.to_owned())]));
    let response = Dialect::Gemini.codec().decode_response(event.as_bytes());
    let Ok([Part::ToolCall(call)]) = response.as_ref().map(|response| &*response.parts) else {
        panic!("{response:?}");
    };
    assert_eq!(call.arguments, expected);
}

proptest! {
    /// However the pieces of blocks are interleaved, the calls are the same.
    #[test]
    fn interleaved_blocks_are_separate_calls(turns in prop::collection::vec((0_usize..4, 1_usize..7), 0..40)) {
        let texts: Vec<String> = (0..4).map(|at| format!("{{\"a\":[\"{{{at}\"]}}")).collect();
        let mut rest: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut stream: Vec<String> = (0..4).map(block_start).collect();
        for (at, bytes) in turns.into_iter().chain((0..4).map(|at| (at, usize::MAX))) {
            let (piece, after) = rest[at].split_at(bytes.min(rest[at].len()));
            stream.push(block_delta(at, piece));
            rest[at] = after;
        }
        stream.extend((0..4).rev().map(block_stop));
        stream.push(message_end("tool_use"));
        let data = translate_stream(Dialect::AnthropicMessages, Dialect::OpenaiChat, &stream);
        let expected: Vec<_> = texts.into_iter().enumerate().map(|(at, text)| (format!("f{at}"), text)).collect();
        prop_assert_eq!(data.map(|data| chat_calls(&data)), Ok(expected));
    }
}
