//! Embeddings through both APIs, there and back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{EmbedRequest, EmbedResponse, Encoding};
use crate::ir::{Malformed, TranslationError, TranslationReport};
use crate::{Dialect, Embeddings, RequestHead};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn openai() -> &'static dyn Embeddings {
    Dialect::OpenaiChat.codec().embeddings().unwrap()
}

fn gemini() -> &'static dyn Embeddings {
    Dialect::Gemini.codec().embeddings().unwrap()
}

fn request_head() -> RequestHead<'static> {
    RequestHead {
        model: "m".into(),
        stream: false,
    }
}

fn decode_openai(
    body: &Value,
    report: &mut TranslationReport,
) -> Result<EmbedRequest, TranslationError> {
    openai().decode_request(body.to_string().as_bytes(), &request_head(), report)
}

fn decode_gemini(
    body: &Value,
    report: &mut TranslationReport,
) -> Result<EmbedRequest, TranslationError> {
    gemini().decode_request(body.to_string().as_bytes(), &request_head(), report)
}

#[test]
fn refuses_numbers_of_any_length_as_texts() {
    for number in ["7", "7777777777777777777777777"] {
        let bodies = [
            format!(r#"{{"input":{number}}}"#),
            format!(r#"{{"input":[{number}]}}"#),
        ];
        for body in bodies {
            let read = openai().decode_request(
                body.as_bytes(),
                &request_head(),
                &mut TranslationReport::default(),
            );
            assert_eq!(read.unwrap_err().field, "input");
        }
        let body = format!(r#"{{"requests":[{{"content":{number}}}]}}"#);
        let read = gemini().decode_request(
            body.as_bytes(),
            &request_head(),
            &mut TranslationReport::default(),
        );
        assert_eq!(read.unwrap_err().field, "requests[0].content");
    }
}

#[test]
fn translates_openai_request_to_gemini() -> Outcome {
    let mut report = TranslationReport::default();
    let body = json!({"model": "m", "input": ["a", "b"], "dimensions": 2, "encoding_format": "base64", "user": "u", "x": 1});
    let request = decode_openai(&body, &mut report)?;
    let written: Value = serde_json::from_slice(&gemini().encode_request(&request, &mut report)?)?;
    let item = |text: &str| json!({"model": "models/m", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2});
    assert_eq!(written, json!({"requests": [item("a"), item("b")]}));
    let named: Vec<_> = report.warnings().iter().map(|it| &*it.field).collect();
    assert_eq!(named, ["x", "user"]);

    let response =
        gemini().decode_response(br#"{"embeddings":[{"values":[0.5,-1]},{"values":[2,0.1]}]}"#)?;
    let written: Value = serde_json::from_slice(&openai().encode_response(&response, &request))?;
    assert_eq!(written["data"][0]["embedding"], "AAAAPwAAgL8=");
    assert_eq!(written["data"][1]["index"], 1);
    assert_eq!(
        written["usage"],
        json!({"prompt_tokens": 0, "total_tokens": 0})
    );
    Ok(())
}

#[test]
fn translates_gemini_request_to_openai() -> Outcome {
    let mut report = TranslationReport::default();
    let content = json!({"parts": [{"text": "a"}, {"text": "b"}]});
    let one = json!({"content": content, "task_type": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 3});
    let request = decode_gemini(&one, &mut report)?;
    assert_eq!(
        (request.texts.as_slice(), request.list),
        (&["a\nb".to_owned()][..], false)
    );
    let written: Value = serde_json::from_slice(&openai().encode_request(&request, &mut report)?)?;
    assert_eq!(
        written,
        json!({"model": "m", "input": ["a\nb"], "encoding_format": "float", "dimensions": 3})
    );
    let named: Vec<_> = report.warnings().iter().map(|it| &*it.field).collect();
    assert_eq!(named, ["taskType", "title"]);

    let response = json!({"data": [{"index": 0, "embedding": [0.1, 0.2, 0.3]}], "usage": {"prompt_tokens": 4}});
    let response = openai().decode_response(response.to_string().as_bytes())?;
    let written: Value = serde_json::from_slice(&gemini().encode_response(&response, &request))?;
    assert_eq!(
        written["embedding"]["values"].as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(written["usageMetadata"]["promptTokenCount"], 4);
    Ok(())
}

#[test]
fn rejects_untranslatable_members_by_name() {
    let text = json!({"parts": [{"text": "a"}]});
    let field =
        |outcome: Result<EmbedRequest, TranslationError>| outcome.map_err(|error| error.field);
    let refused = |field: &str| Err(field.to_owned());
    for (body, name) in [
        (json!({"input": [1, 2]}), "input"),
        (json!({"input": [[1], [2]]}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": {}}), "input"),
        (json!({}), "input"),
        (
            json!({"input": "a", "encoding_format": "int8"}),
            "encoding_format",
        ),
    ] {
        assert_eq!(
            field(decode_openai(&body, &mut TranslationReport::default())),
            refused(name),
            "{body}"
        );
    }
    for (body, name) in [
        (json!({}), "content"),
        (json!({"content": {"parts": []}}), "content.parts"),
        (
            json!({"content": {"parts": [{"inlineData": {}}]}}),
            "content.parts[0].text",
        ),
        (json!({"requests": []}), "requests"),
        (
            json!({"requests": [{"content": text}, {"content": text, "title": "T"}]}),
            "requests[1].title",
        ),
    ] {
        assert_eq!(
            field(decode_gemini(&body, &mut TranslationReport::default())),
            refused(name),
            "{body}"
        );
    }
    let many = EmbedRequest {
        texts: vec![String::new(); 101],
        ..EmbedRequest::default()
    };
    let refused = gemini().encode_request(&many, &mut TranslationReport::default());
    assert_eq!(refused.unwrap_err().field, "input");
}

#[test]
fn rejects_malformed_responses() {
    for body in [
        "",
        "{}",
        r#"{"data":[{"embedding":"AAA="}]}"#,
        r#"{"data":[{"embedding":[null]}]}"#,
    ] {
        assert!(openai().decode_response(body.as_bytes()).is_err(), "{body}");
    }
    for body in [
        "[]",
        "{}",
        r#"{"embedding":{}}"#,
        r#"{"embeddings":[{"values":["a"]}]}"#,
    ] {
        assert!(gemini().decode_response(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn sorts_vectors_by_index() -> Result<(), Malformed> {
    let body = r#"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":"AACAPw=="}]}"#;
    let response = openai().decode_response(body.as_bytes())?;
    assert_eq!(response.vectors, [[1.0], [2.0]]);
    Ok(())
}

proptest! {
    #[test]
    fn round_trips(
        texts in prop::collection::vec(".{1,8}", 1..4),
        dimensions in prop::option::of(1_u64..4096),
        vector in prop::collection::vec(-1e6_f32..1e6, 1..5),
        base64 in any::<bool>(),
        tokens in 0_u64..1_000_000,
    ) {
        let mut report = TranslationReport::default();
        let encoding = if base64 { Encoding::Base64 } else { Encoding::Float };
        let request = EmbedRequest { model: "m".to_owned(), texts, dimensions, encoding, list: true, ..EmbedRequest::default() };
        let response = EmbedResponse { vectors: vec![vector; request.texts.len()], input_tokens: Some(tokens) };
        let fail = |error: &dyn std::fmt::Display| TestCaseError::fail(error.to_string());

        let sent = openai().encode_request(&request, &mut report).map_err(|e| fail(&e))?;
        let float = EmbedRequest { encoding: Encoding::Float, ..request.clone() };
        prop_assert_eq!(&openai().decode_request(&sent, &request_head(), &mut report).map_err(|e| fail(&e))?, &float);
        let sent = gemini().encode_request(&request, &mut report).map_err(|e| fail(&e))?;
        prop_assert_eq!(&gemini().decode_request(&sent, &request_head(), &mut report).map_err(|e| fail(&e))?, &float);
        prop_assert!(report.warnings().is_empty());

        let written = openai().encode_response(&response, &request);
        prop_assert_eq!(&openai().decode_response(&written).map_err(|e| fail(&e))?, &response);
        let written = gemini().encode_response(&response, &request);
        prop_assert_eq!(&gemini().decode_response(&written).map_err(|e| fail(&e))?, &response);
    }

    #[test]
    fn never_panics(body in prop::collection::vec(any::<u8>(), 0..48), text in "[\\[\\]{}\",:a-z0-9]{0,32}") {
        for body in [&body[..], text.as_bytes()] {
            let _ = openai().decode_request(body, &request_head(), &mut TranslationReport::default()).is_ok();
            let _ = gemini().decode_request(body, &request_head(), &mut TranslationReport::default()).is_ok();
            let _ = openai().decode_response(body).is_ok();
            let _ = gemini().decode_response(body).is_ok();
        }
    }
}
