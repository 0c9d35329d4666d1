//! What holds for every dialect alike. Most of it was found by the fuzz targets.

use super::*;

use crate::interlingua::Part;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn refused(dialect: Dialect, body: &str) -> Option<Refusal> {
    let asked = Asked {
        model: "m".into(),
        stream: false,
    };
    let read = dialect.decode_request(body.as_bytes(), &asked, &mut Notes::default());
    read.err()
}

#[test]
fn media_that_is_no_base64_is_refused() {
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
        let wrong = refused(dialect, &body.replace("DATA", "iVBO;w=="));
        assert_eq!(wrong.map(|it| it.what), Some("must be base64".into()));
        assert_eq!(refused(dialect, &body.replace("DATA", "iVBORw==")), None);
        // Without padding, and in the alphabet for addresses.
        assert_eq!(refused(dialect, &body.replace("DATA", "-_BORw")), None);
    }
}

#[test]
fn a_result_that_answers_no_call_is_refused() {
    let cases = [
        (
            Dialect::AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"y"}]}]}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"contents":[{"parts":[{"functionResponse":{"name":"x","response":{}}}]}]}"#,
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
        let refusal = refused(dialect, body).map(|it| it.to_string());
        let refusal = refusal.unwrap_or_default();
        assert!(refusal.contains("before it"), "{dialect}: {refusal}");
    }
}

#[test]
fn a_request_that_says_nothing_is_refused() {
    for dialect in Dialect::ALL {
        let written = dialect.encode_request(&Request::default(), &mut Notes::default());
        let refusal = written.err().map(|it| it.field);
        assert_eq!(refusal.as_deref(), Some("messages"), "{dialect}");
    }
    let empty = r#"{"contents":[{"role":"user","parts":[]}]}"#;
    let refusal = refused(Dialect::Gemini, empty).map(|it| it.field);
    assert_eq!(refusal.as_deref(), Some("contents"));
}

#[test]
fn a_request_of_instructions_alone_is_one() -> Outcome {
    let request = Request {
        system: vec![Part::text("x")],
        ..Request::default()
    };
    for dialect in Dialect::ALL {
        if dialect != Dialect::OpenaiCompletions {
            dialect.encode_request(&request, &mut Notes::default())?;
        }
    }
    Ok(())
}

/// A client could do nothing with it, and some would fail over it.
#[test]
fn a_call_without_a_name_is_malformed() {
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
    for (dialect, answer, event) in cases {
        let nameless = Malformed("a tool call has no name");
        assert_eq!(
            dialect.decode_answer(answer.as_bytes()),
            Err(nameless.clone())
        );
        let read = dialect
            .decoder()
            .event("", event.as_bytes(), &mut Vec::new());
        assert_eq!(read, Err(nameless), "{dialect}");
    }
}
