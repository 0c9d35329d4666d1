//! Properties that all dialects share. The fuzz targets found most of these cases.

use super::*;
use crate::ir::{Malformed, Part, Request, TranslationError, TranslationReport};
use crate::traits::Traits;
use crate::{ErrorClass, RequestHead};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn decode_error(dialect: Dialect, body: &str) -> Option<TranslationError> {
    let head = RequestHead {
        model: "m".into(),
        stream: false,
    };
    let read =
        dialect
            .codec()
            .decode_request(body.as_bytes(), &head, &mut TranslationReport::default());
    read.err()
}

#[test]
fn rejects_media_that_is_not_base64() {
    let cases = [
        (
            Dialect::AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"DATA"}}]}]}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"DATA"}}]}]}"#,
        ),
        (
            Dialect::OpenaiChat,
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,DATA"}}]}]}"#,
        ),
        (
            Dialect::OpenaiChat,
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"filename":"f","file_data":"DATA"}}]}]}"#,
        ),
        (
            Dialect::OpenaiChat,
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav","data":"DATA"}}]}]}"#,
        ),
        (
            Dialect::OpenaiResponses,
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,DATA"}]}]}"#,
        ),
        (
            Dialect::OpenaiResponses,
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_file","filename":"f","file_data":"DATA"}]}]}"#,
        ),
    ];
    for (dialect, body) in cases {
        let error = decode_error(dialect, &body.replace("DATA", "iVBO;w=="));
        assert_eq!(error.map(|it| it.what), Some("must be base64".into()));
        assert_eq!(
            decode_error(dialect, &body.replace("DATA", "iVBORw==")),
            None
        );
        // Base64 without padding, in the URL-safe alphabet.
        assert_eq!(decode_error(dialect, &body.replace("DATA", "-_BORw")), None);
    }
}

#[test]
fn rejects_tool_result_without_call() {
    let cases = [
        (
            Dialect::AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"y"}]}]}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"y"}}]},{"parts":[{"functionResponse":{"name":"x","response":{}}}]}]}"#,
        ),
        (
            Dialect::OpenaiChat,
            r#"{"model":"m","messages":[{"role":"tool","tool_call_id":"x","content":"y"}]}"#,
        ),
        (
            Dialect::OpenaiResponses,
            r#"{"model":"m","input":[{"type":"function_call_output","call_id":"x","output":"y"}]}"#,
        ),
    ];
    for (dialect, body) in cases {
        let error = decode_error(dialect, body).map(|it| it.to_string());
        let error = error.unwrap_or_default();
        assert!(error.contains("no earlier tool call"), "{dialect}: {error}");
    }
}

#[test]
fn rejects_empty_request() {
    for dialect in Dialect::ALL {
        let written = dialect.codec().encode_request(
            &Request::default(),
            &Traits::everything(),
            &mut TranslationReport::default(),
        );
        let field = written.err().map(|it| it.field);
        assert_eq!(field.as_deref(), Some("messages"), "{dialect}");
    }
    let empty = r#"{"contents":[{"role":"user","parts":[]}]}"#;
    let field = decode_error(Dialect::Gemini, empty).map(|it| it.field);
    assert_eq!(field.as_deref(), Some("contents"));
}

#[test]
fn accepts_request_with_only_system_instructions() -> Outcome {
    let request = Request {
        system: vec![Part::text("x")],
        ..Request::default()
    };
    for dialect in Dialect::ALL {
        if dialect != Dialect::OpenaiCompletions {
            dialect.codec().encode_request(
                &request,
                &Traits::everything(),
                &mut TranslationReport::default(),
            )?;
        }
    }
    Ok(())
}

/// A client cannot use such a call, and some clients fail on it.
#[test]
fn rejects_tool_call_without_name() {
    let cases = [
        (
            Dialect::AnthropicMessages,
            r#"{"type":"message","content":[{"type":"tool_use","id":"1","input":{}}]}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"1"}}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":""}}]}}]}"#,
        ),
        (
            Dialect::OpenaiResponses,
            r#"{"output":[{"type":"function_call","call_id":"1","arguments":""}]}"#,
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","name":""}}"#,
        ),
    ];
    for (dialect, response, event) in cases {
        let nameless = Malformed("a tool call has no name");
        assert_eq!(
            dialect.codec().decode_response(response.as_bytes()),
            Err(nameless.clone())
        );
        let read = dialect
            .codec()
            .decoder()
            .event("", event.as_bytes(), &mut Vec::new());
        assert_eq!(read, Err(nameless), "{dialect}");
    }
}

/// The host ends a stream with a message only. The client gets the provider's labels nevertheless.
#[test]
fn failure_has_class_of_reported_error() -> Outcome {
    let events = [
        (
            Dialect::AnthropicMessages,
            "error",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"secret"}}"#,
            ErrorClass::Overloaded,
        ),
        (
            Dialect::Gemini,
            "",
            r#"{"error":{"code":429,"message":"secret","status":"RESOURCE_EXHAUSTED"}}"#,
            ErrorClass::RateLimit,
        ),
        (
            Dialect::OpenaiResponses,
            "response.failed",
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"insufficient_quota","message":"secret"}}}"#,
            ErrorClass::Quota,
        ),
    ];
    for (provider, name, data, class) in events {
        let client = Dialect::OpenaiChat;
        let mut translator = Translator::new(provider, client, ResponseContext::default());
        let mut frames = Vec::new();
        let event = translator.translate_event(name, data.as_bytes(), &mut frames);
        assert!(matches!(event, EventClass::Error(_)), "{data}");
        let error = ProviderError {
            code: Some("upstream_failed".to_owned()),
            ..ProviderError::from_message("redacted")
        };
        translator.fail(&error, &mut frames);
        let last = frames.last().ok_or("no event")?;
        let found = ProviderError::read(&last.data).ok_or("no error")?;
        assert_eq!(
            (found.class(None), &*found.message),
            (class, "redacted"),
            "{data}"
        );
    }
    Ok(())
}
