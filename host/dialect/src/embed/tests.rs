//! Embeddings through both APIs, there and back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{EmbedAnswer, EmbedRequest, Encoding, gemini, openai};
use crate::Asked;
use crate::interlingua::{Malformed, Notes, Refusal};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn asked() -> Asked<'static> {
    Asked {
        model: "m".into(),
        stream: false,
    }
}

fn of_openai(body: &Value, notes: &mut Notes) -> Result<EmbedRequest, Refusal> {
    openai::decode_request(body.to_string().as_bytes(), &asked(), notes)
}

fn of_gemini(body: &Value, notes: &mut Notes) -> Result<EmbedRequest, Refusal> {
    gemini::decode_request(body.to_string().as_bytes(), &asked(), notes)
}

#[test]
fn openais_request_reaches_google() -> Outcome {
    let mut notes = Notes::default();
    let body = json!({"model": "m", "input": ["a", "b"], "dimensions": 2, "encoding_format": "base64", "user": "u", "x": 1});
    let request = of_openai(&body, &mut notes)?;
    let written: Value = serde_json::from_slice(&gemini::encode_request(&request, &mut notes)?)?;
    let item = |text: &str| json!({"model": "models/m", "content": {"parts": [{"text": text}]}, "outputDimensionality": 2});
    assert_eq!(written, json!({"requests": [item("a"), item("b")]}));
    let named: Vec<_> = notes.warnings().iter().map(|it| &*it.field).collect();
    assert_eq!(named, ["x", "user"]);

    let answer =
        gemini::decode_answer(br#"{"embeddings":[{"values":[0.5,-1]},{"values":[2,0.1]}]}"#)?;
    let written: Value = serde_json::from_slice(&openai::encode_answer(&answer, &request))?;
    assert_eq!(written["data"][0]["embedding"], "AAAAPwAAgL8=");
    assert_eq!(written["data"][1]["index"], 1);
    assert_eq!(
        written["usage"],
        json!({"prompt_tokens": 0, "total_tokens": 0})
    );
    Ok(())
}

#[test]
fn googles_request_reaches_openai() -> Outcome {
    let mut notes = Notes::default();
    let content = json!({"parts": [{"text": "a"}, {"text": "b"}]});
    let one = json!({"content": content, "task_type": "RETRIEVAL_DOCUMENT", "title": "T", "outputDimensionality": 3});
    let request = of_gemini(&one, &mut notes)?;
    assert_eq!(
        (request.texts.as_slice(), request.list),
        (&["a\nb".to_owned()][..], false)
    );
    let written: Value = serde_json::from_slice(&openai::encode_request(&request, &mut notes))?;
    assert_eq!(
        written,
        json!({"model": "m", "input": ["a\nb"], "encoding_format": "float", "dimensions": 3})
    );
    let named: Vec<_> = notes.warnings().iter().map(|it| &*it.field).collect();
    assert_eq!(named, ["taskType", "title"]);

    let answer = json!({"data": [{"index": 0, "embedding": [0.1, 0.2, 0.3]}], "usage": {"prompt_tokens": 4}});
    let answer = openai::decode_answer(answer.to_string().as_bytes())?;
    let written: Value = serde_json::from_slice(&gemini::encode_answer(&answer, &request))?;
    assert_eq!(
        written["embedding"]["values"].as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(written["usageMetadata"]["promptTokenCount"], 4);
    Ok(())
}

#[test]
fn what_cannot_be_translated_is_refused_by_name() {
    let text = json!({"parts": [{"text": "a"}]});
    let field = |outcome: Result<EmbedRequest, Refusal>| outcome.map_err(|refusal| refusal.field);
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
            field(of_openai(&body, &mut Notes::default())),
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
            field(of_gemini(&body, &mut Notes::default())),
            refused(name),
            "{body}"
        );
    }
    let many = EmbedRequest {
        texts: vec![String::new(); 101],
        ..EmbedRequest::default()
    };
    let refused = gemini::encode_request(&many, &mut Notes::default());
    assert_eq!(refused.unwrap_err().field, "input");
}

#[test]
fn answers_that_are_none_are_malformed() {
    for body in [
        "",
        "{}",
        r#"{"data":[{"embedding":"AAA="}]}"#,
        r#"{"data":[{"embedding":[null]}]}"#,
    ] {
        assert!(openai::decode_answer(body.as_bytes()).is_err(), "{body}");
    }
    for body in [
        "[]",
        "{}",
        r#"{"embedding":{}}"#,
        r#"{"embeddings":[{"values":["a"]}]}"#,
    ] {
        assert!(gemini::decode_answer(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn items_are_put_in_order() -> Result<(), Malformed> {
    let body = r#"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":"AACAPw=="}]}"#;
    let answer = openai::decode_answer(body.as_bytes())?;
    assert_eq!(answer.vectors, [[1.0], [2.0]]);
    Ok(())
}

proptest! {
    #[test]
    fn there_and_back_is_the_same(
        texts in prop::collection::vec(".{1,8}", 1..4),
        dimensions in prop::option::of(1_u64..4096),
        vector in prop::collection::vec(-1e6_f32..1e6, 1..5),
        base64 in any::<bool>(),
        tokens in 0_u64..1_000_000,
    ) {
        let mut notes = Notes::default();
        let encoding = if base64 { Encoding::Base64 } else { Encoding::Float };
        let request = EmbedRequest { model: "m".to_owned(), texts, dimensions, encoding, list: true, ..EmbedRequest::default() };
        let answer = EmbedAnswer { vectors: vec![vector; request.texts.len()], input_tokens: Some(tokens) };
        let wrong = |error: &dyn std::fmt::Display| TestCaseError::fail(error.to_string());

        let sent = openai::encode_request(&request, &mut notes);
        let float = EmbedRequest { encoding: Encoding::Float, ..request.clone() };
        prop_assert_eq!(&openai::decode_request(&sent, &asked(), &mut notes).map_err(|e| wrong(&e))?, &float);
        let sent = gemini::encode_request(&request, &mut notes).map_err(|e| wrong(&e))?;
        prop_assert_eq!(&gemini::decode_request(&sent, &asked(), &mut notes).map_err(|e| wrong(&e))?, &float);
        prop_assert!(notes.warnings().is_empty());

        let written = openai::encode_answer(&answer, &request);
        prop_assert_eq!(&openai::decode_answer(&written).map_err(|e| wrong(&e))?, &answer);
        let written = gemini::encode_answer(&answer, &request);
        prop_assert_eq!(&gemini::decode_answer(&written).map_err(|e| wrong(&e))?, &answer);
    }

    #[test]
    fn no_input_panics(body in prop::collection::vec(any::<u8>(), 0..48), text in "[\\[\\]{}\",:a-z0-9]{0,32}") {
        for body in [&body[..], text.as_bytes()] {
            let _ = openai::decode_request(body, &asked(), &mut Notes::default()).is_ok();
            let _ = gemini::decode_request(body, &asked(), &mut Notes::default()).is_ok();
            let _ = openai::decode_answer(body).is_ok();
            let _ = gemini::decode_answer(body).is_ok();
        }
    }
}
