//! Ends of responses: finish reasons that contradict the parts, calls that are cut off, and empty successes.

use jackfield_dialect::{BodyCheck, Dialect, EventClass, Translator};
use serde_json::{Value, json};

use crate::calls::{block_delta, block_start, message_end};
use crate::{DIALECTS, Outcome, context, translate_stream, translate_whole};

/// Returns the finish reason for a client, and whether the client got a call.
fn finish_and_call(client: Dialect, data: &[Value]) -> (String, bool) {
    let text = serde_json::to_string(data).unwrap_or_default();
    let find = |pointer: &str| {
        let mut words = data
            .iter()
            .filter_map(|event| event.pointer(pointer)?.as_str());
        words.next_back().unwrap_or_default().to_owned()
    };
    match client {
        Dialect::AnthropicMessages => (
            find("/delta/stop_reason") + &find("/stop_reason"),
            text.contains("tool_use\",\"id"),
        ),
        Dialect::Gemini => (
            find("/candidates/0/finishReason"),
            text.contains("functionCall"),
        ),
        Dialect::OpenaiResponses => (
            find("/response/status") + &find("/status"),
            text.contains("function_call\""),
        ),
        Dialect::OpenaiChat | Dialect::OpenaiCompletions => (
            find("/choices/0/finish_reason"),
            text.contains("tool_calls\":"),
        ),
    }
}

/// Finish reasons that contradict the parts, each as a stream and as a whole response.
fn contradictions() -> [(Dialect, Vec<String>, &'static str); 3] {
    [
        // The report: opencode2api#27.
        (
            Dialect::OpenaiChat,
            vec![
                r#"{"choices":[{"index":0,"delta":{"content":"Done."}}]}"#.to_owned(),
                r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned(),
            ],
            r#"{"choices":[{"message":{"content":"Done."},"finish_reason":"tool_calls"}]}"#,
        ),
        // The report: strands-agents#1827, from Bedrock.
        (
            Dialect::AnthropicMessages,
            vec![
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#.to_owned(),
                r#"{"type":"content_block_stop","index":0}"#.to_owned(),
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#.to_owned(),
            ],
            r#"{"content":[{"type":"tool_use","id":"a","name":"f","input":{}}],"stop_reason":"end_turn"}"#,
        ),
        (
            Dialect::AnthropicMessages,
            vec![
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Done."}}"#.to_owned(),
                r#"{"type":"content_block_stop","index":0}"#.to_owned(),
                r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#.to_owned(),
            ],
            r#"{"content":[{"type":"text","text":"Done."}],"stop_reason":"tool_use"}"#,
        ),
    ]
}

#[test]
fn finish_reasons_agree_with_calls() -> Outcome<()> {
    for (provider, stream, body) in contradictions() {
        for client in DIALECTS {
            let data = translate_stream(provider, client, &stream);
            let (reason, has_call) = finish_and_call(client, &data.unwrap_or_default());
            let expected = match (client, has_call) {
                (Dialect::AnthropicMessages, true) => "tool_use",
                (Dialect::AnthropicMessages, false) => "end_turn",
                (Dialect::Gemini, _) => "STOP",
                (Dialect::OpenaiResponses, _) => "completed",
                (_, true) => "tool_calls",
                (_, false) => "stop",
            };
            assert_eq!(reason, expected, "{provider} to {client}");
            let whole = translate_whole(provider, client, body)?;
            let whole = finish_and_call(client, &[whole]);
            assert_eq!(whole, (reason, has_call), "{provider} to {client}, whole");
        }
    }
    Ok(())
}

/// A call that the end cuts off is an error, unless the finish reason explains it.
#[test]
fn cut_calls_are_errors() -> Outcome<()> {
    let cut = |reason: &str| {
        let stream = vec![
            block_start(0),
            block_delta(0, "{\"a\":\"b"),
            message_end(reason),
        ];
        let body = json!({"choices": [{
            "message": {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{\"a\":\"b"}}]},
            "finish_reason": reason,
        }]});
        (stream, body.to_string())
    };
    for client in DIALECTS {
        let (stream, body) = cut("tool_calls");
        let data = translate_stream(Dialect::AnthropicMessages, client, &stream);
        assert!(matches!(data, Err(EventClass::Error(_))), "{client}");
        assert!(
            translate_whole(Dialect::OpenaiChat, client, &body).is_err(),
            "{client}"
        );
        let (stream, body) = cut("max_tokens");
        let data = translate_stream(Dialect::AnthropicMessages, client, &stream);
        let data = data.unwrap_or_default();
        assert!(!data.is_empty(), "{client}");
        let whole = translate_whole(Dialect::OpenaiChat, client, &body)?;
        // These would need an object that the model did not write.
        let needs_object = client == Dialect::Gemini;
        let (_, has_call) = finish_and_call(client, &data);
        assert_eq!(has_call, !needs_object, "{client}");
        let needs_object = needs_object || client == Dialect::AnthropicMessages;
        let (_, has_call) = finish_and_call(client, &[whole]);
        assert_eq!(has_call, !needs_object, "{client}, whole");
    }
    Ok(())
}
/// The reports: sub2api#7098, NousResearch/hermes-agent#83886, router-for-me/CLIProxyAPI#1100.
#[test]
fn empty_successes_of_gemini_fail() {
    let lost = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"","thoughtSignature":"U0lH"}]},"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: x"}]}"#;
    let unexpected = r#"{"candidates":[{"finishReason":"UNEXPECTED_TOOL_CALL"}]}"#;
    let codec = Dialect::Gemini.codec();
    for body in [lost, unexpected] {
        let failed =
            |class: &EventClass| matches!(class, EventClass::Error(error) if error.code.is_some());
        assert!(
            failed(&codec.observer().observe("", body.as_bytes())),
            "{body}"
        );
        let stream = [body.to_owned()];
        let translated = translate_stream(Dialect::Gemini, Dialect::OpenaiChat, &stream);
        assert!(translated.is_err_and(|class| failed(&class)), "{body}");
        assert!(matches!(
            codec.check_body(body.as_bytes()),
            BodyCheck::Error(_)
        ));
        assert!(codec.decode_response(body.as_bytes()).is_err(), "{body}");
    }
    for body in [
        r#"{"candidates":[{"finishReason":"STOP"}]}"#,
        r#"{"candidates":[]}"#,
    ] {
        let mut observer = codec.observer();
        observer.observe("", body.as_bytes());
        assert!(!observer.has_content(), "{body}");
        let mut translator = Translator::new(Dialect::Gemini, Dialect::OpenaiChat, context());
        translator.translate_event("", body.as_bytes(), &mut Vec::new());
        translator.finish(&mut Vec::new());
        assert!(!translator.completed(), "{body}");
        assert_eq!(
            codec.check_body(body.as_bytes()),
            BodyCheck::Empty,
            "{body}"
        );
    }
}

/// After content, clients of other dialects get an error; a client of the same dialect knows the reason.
#[test]
fn lost_call_after_content_fails_translated_streams_only() {
    let text = r#"{"candidates":[{"content":{"parts":[{"text":"Let me"}]}}]}"#.to_owned();
    let lost = r#"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#.to_owned();
    let mut observer = Dialect::Gemini.codec().observer();
    observer.observe("", text.as_bytes());
    assert_eq!(observer.observe("", lost.as_bytes()), EventClass::Content);
    let translated = translate_stream(Dialect::Gemini, Dialect::AnthropicMessages, &[text, lost]);
    assert!(matches!(translated, Err(EventClass::Error(_))));
}

/// The reports: NousResearch/hermes-agent#92161, from GLM and OpenCode Zen; earendil-works/pi#8511, from OpenRouter.
#[test]
fn network_errors_of_chat_fail() {
    for reasons in [
        r#""finish_reason":"network_error""#,
        r#""finish_reason":"stop","native_finish_reason":"network_error""#,
    ] {
        let event = format!(r#"{{"choices":[{{"index":0,"delta":{{"content":""}},{reasons}}}]}}"#);
        let mut observer = Dialect::OpenaiChat.codec().observer();
        let class = observer.observe("", event.as_bytes());
        assert!(matches!(class, EventClass::Error(_)), "{event}");
    }
}
