//! Texts with half of a surrogate pair, and bytes that are no UTF-8.

use jackfield_dialect::{Dialect, EventClass, Translator};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{DIALECTS, Outcome, context, translate_request, translate_stream, translate_whole};

/// Returns a stream of texts, each a JSON text with its quotes.
fn text_stream(provider: Dialect, texts: &[&str]) -> Vec<String> {
    let events = |event: fn(&str) -> String| texts.iter().map(move |text| event(text));
    let mut stream: Vec<String> = Vec::new();
    match provider {
        Dialect::AnthropicMessages => {
            stream.push(r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned());
            stream.extend(events(|text| format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{text}}}}}"#)));
            stream.push(r#"{"type":"content_block_stop","index":0}"#.to_owned());
            stream
                .push(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#.to_owned());
        }
        Dialect::Gemini => {
            stream.extend(events(|text| {
                format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":{text}}}]}}}}]}}"#)
            }));
            stream.push(r#"{"candidates":[{"finishReason":"STOP"}]}"#.to_owned());
        }
        Dialect::OpenaiResponses => {
            stream.push(r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}"#.to_owned());
            stream.extend(events(|text| format!(r#"{{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":{text}}}"#)));
            stream.push(r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message"}}"#.to_owned());
            stream.push(r#"{"type":"response.completed","response":{"output":[{"type":"message"}],"status":"completed"}}"#.to_owned());
        }
        Dialect::OpenaiChat | Dialect::OpenaiCompletions => {
            stream.extend(events(|text| {
                format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{text}}}}}]}}"#)
            }));
            stream
                .push(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned());
        }
    }
    stream
}

/// Returns the text that a client shows of a stream.
pub(crate) fn shown_text(client: Dialect, data: &[Value]) -> String {
    let pointer = match client {
        Dialect::AnthropicMessages => "/delta/text",
        Dialect::Gemini => "/candidates/0/content/parts/0/text",
        Dialect::OpenaiResponses => "/delta",
        Dialect::OpenaiChat | Dialect::OpenaiCompletions => "/choices/0/delta/content",
    };
    let texts = data
        .iter()
        .filter_map(|event| event.pointer(pointer)?.as_str());
    texts.collect()
}

/// The reports: elizaOS/eliza#30904, rakazo#416.
#[test]
fn joins_surrogate_pairs_split_over_events() {
    let halves = [
        r#""a\ud83d""#,
        r#""\ude00!\ud83d""#,
        r#""b\ude00""#,
        r#""\ud83d""#,
    ];
    for provider in DIALECTS {
        for client in DIALECTS {
            let data = translate_stream(provider, client, &text_stream(provider, &halves));
            let text = data.map(|data| shown_text(client, &data));
            let expected = Ok("a😀!\u{fffd}b\u{fffd}\u{fffd}".to_owned());
            assert_eq!(text, expected, "{provider} to {client}");
        }
    }
}

/// A byte that is no UTF-8 does not end a stream, relayed or translated.
#[test]
fn replaces_bytes_that_are_no_utf8() {
    let event = b"{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\xff\"}}]}";
    let mut observer = Dialect::OpenaiChat.codec().observer();
    assert_eq!(observer.observe("", event), EventClass::Content);
    let mut translator = Translator::new(Dialect::OpenaiChat, Dialect::Gemini, context());
    let mut frames = Vec::new();
    let class = translator.translate_event("", event, &mut frames);
    assert_eq!(class, EventClass::Content);
    assert!(String::from_utf8_lossy(&frames[0].data).contains("a\u{fffd}"));
}

/// The report: claude-code-trace#88. Claude Code before 2.1.132 cut the output of tools so.
#[test]
fn replaces_lone_surrogates_in_requests_and_whole_responses() -> Outcome<()> {
    let body = r#"{"max_tokens":9,"messages":[{"role":"user","content":"cut \ud83d"}]}"#;
    let (sent, _) = translate_request(Dialect::AnthropicMessages, Dialect::OpenaiChat, body)?;
    assert_eq!(sent["messages"][0]["content"], "cut \u{fffd}");
    let body = r#"{"choices":[{"message":{"content":"\ud83d","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":\"\\ud83d\"}"}}]},"finish_reason":"tool_calls"}]}"#;
    let whole = translate_whole(Dialect::OpenaiChat, Dialect::AnthropicMessages, body)?;
    assert_eq!(whole["content"][0]["text"], "\u{fffd}");
    assert_eq!(whole["content"][1]["input"], json!({"x": "\u{fffd}"}));
    Ok(())
}

proptest! {
    /// However a text of UTF-16 is split over events, clients of all dialects show the same.
    #[test]
    fn split_texts_are_shown_whole(text in "[a😀é]{1,8}", cuts in prop::collection::vec(1_usize..4, 1..8)) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let (mut rest, mut pieces) = (&units[..], Vec::new());
        let mut sizes = cuts.iter().cycle();
        while let Some(size) = sizes.next().filter(|_| !rest.is_empty()) {
            let (piece, after) = rest.split_at(rest.len().min(*size));
            let escapes: String = piece.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            pieces.push(format!("\"{escapes}\""));
            rest = after;
        }
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        for provider in DIALECTS {
            for client in DIALECTS {
                let data = translate_stream(provider, client, &text_stream(provider, &pieces));
                prop_assert_eq!(data.map(|data| shown_text(client, &data)), Ok(text.clone()));
            }
        }
    }
}
