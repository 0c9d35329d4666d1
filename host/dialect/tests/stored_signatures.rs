//! Signatures that commit f873a21 wrote for clients: `tests/cases/store/signatures.json`. Clients send them
//! back for as long as they store a conversation. In each case, `held` is the part of an assistant's turn
//! that the client stores, and `expected` is its decoded form.

use std::error::Error;
use std::fs;
use std::path::Path;

use jackfield_dialect::ir::{
    FinishReason, Part, ReasoningPart, Response, ResponseContext, Role, Signature, ToolCall,
    TranslationReport,
};
use jackfield_dialect::{Dialect, RequestHead};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The number of cases. The test checks it, so that a lost case is noticed.
const CASES: usize = 138;

/// One case of the file.
struct Case {
    value: Value,
    client: Dialect,
    expected: Vec<Part>,
}

impl Case {
    fn read(value: Value) -> Outcome<Self> {
        let client = dialect(&value["dialect"])?;
        let expected = value["expected"].as_array().ok_or("no parts")?;
        let expected = expected.iter().map(part).collect::<Outcome<_>>()?;
        Ok(Self {
            value,
            client,
            expected,
        })
    }

    fn place(&self) -> String {
        let Value::Array(wrapped) = &self.value["wrapped"] else {
            return self.value.to_string();
        };
        let (case, form) = (&self.value["case"], &self.value["form"]);
        format!("{case} for {}, {form}: {wrapped:?}", self.client)
    }

    fn held(&self) -> &Value {
        &self.value["held"]
    }
}

fn cases() -> Outcome<Vec<Case>> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/store/signatures.json");
    let values: Vec<Value> = serde_json::from_str(&fs::read_to_string(path)?)?;
    assert_eq!(values.len(), CASES);
    values.into_iter().map(Case::read).collect()
}

fn dialect(name: &Value) -> Outcome<Dialect> {
    let found = name.as_str().and_then(Dialect::parse);
    Ok(found.ok_or_else(|| format!("no dialect {name}"))?)
}

fn part(value: &Value) -> Outcome<Part> {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let signature = &value["signature"];
    let data = signature["data"].as_str().ok_or("no data")?;
    let signature = Some(Signature {
        origin: dialect(&signature["origin"])?,
        data: data.to_owned(),
    });
    Ok(match value["part"].as_str() {
        Some("thought") => Part::Reasoning(ReasoningPart {
            text: text("text"),
            signature,
            redacted: value["redacted"] == true,
        }),
        Some("call") => Part::ToolCall(ToolCall {
            id: text("id"),
            name: text("name"),
            arguments: text("arguments"),
            signature,
        }),
        _ => return Err(format!("no part: {value}").into()),
    })
}

/// Returns the client's next request, with the stored part in its history.
fn next_request(client: Dialect, held: &Value) -> Value {
    match client {
        Dialect::AnthropicMessages => json!({"model": "m", "max_tokens": 99, "messages": [
            {"role": "user", "content": "q"}, {"role": "assistant", "content": held},
        ]}),
        Dialect::Gemini => json!({"contents": [
            {"role": "user", "parts": [{"text": "q"}]}, {"role": "model", "parts": held},
        ]}),
        Dialect::OpenaiResponses => {
            let mut input = vec![json!({"role": "user", "content": "q"})];
            input.extend(held.as_array().cloned().unwrap_or_default());
            json!({"model": "m", "input": input})
        }
        Dialect::OpenaiChat | Dialect::OpenaiCompletions => json!({"model": "m", "messages": [
            {"role": "user", "content": "q"}, held,
        ]}),
    }
}

/// Returns the JSON pointer to the part of a whole response that the client stores.
fn place_in_response(client: Dialect) -> &'static str {
    match client {
        Dialect::AnthropicMessages => "/content",
        Dialect::Gemini => "/candidates/0/content/parts",
        Dialect::OpenaiResponses => "/output",
        Dialect::OpenaiChat | Dialect::OpenaiCompletions => "/choices/0/message",
    }
}

#[test]
fn stored_signatures_decode_as_expected() -> Outcome<()> {
    for case in cases()? {
        let body = next_request(case.client, case.held()).to_string();
        let mut notes = TranslationReport::default();
        let head = RequestHead::from_path("m", false)?;
        let request = case
            .client
            .codec()
            .decode_request(body.as_bytes(), &head, &mut notes)?;
        assert_eq!(notes.warnings(), &[], "{}", case.place());
        let turns = request.turns.into_iter();
        let parts: Vec<Part> = turns
            .filter(|turn| turn.role == Role::Assistant)
            .flat_map(|turn| turn.parts)
            .collect();
        assert_eq!(parts, case.expected, "{}", case.place());
    }
    Ok(())
}

/// The format is unchanged, so that f873a21 can read the signatures after a downgrade. If a later version
/// changes the format, remove this test and keep the other one.
#[test]
fn encoded_signatures_match_stored_ones() -> Outcome<()> {
    let mut written = 0;
    for case in cases()? {
        let wrapped = case.value["wrapped"].as_array().map_or(0, Vec::len);
        if case.value["form"] != "whole" || wrapped == 0 {
            continue;
        }
        let calls = |part: &Part| matches!(part, Part::ToolCall(_));
        let answer = Response {
            finish: if case.expected.iter().any(calls) {
                FinishReason::ToolCalls
            } else {
                FinishReason::Stop
            },
            parts: case.expected.clone(),
            ..Response::default()
        };
        let context = ResponseContext {
            id: "call-1".to_owned(),
            ..ResponseContext::default()
        };
        let body: Value =
            serde_json::from_slice(&case.client.codec().encode_response(&answer, &context))?;
        let found = body.pointer(place_in_response(case.client));
        assert_eq!(found, Some(case.held()), "{}", case.place());
        written += 1;
    }
    assert!(written > CASES / 3, "compared only {written} signatures");
    Ok(())
}
