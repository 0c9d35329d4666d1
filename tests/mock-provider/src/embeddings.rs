//! Embeddings: vectors that depend on nothing but the text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::openai_common::violation_error;
use super::request::{RequestError, estimate_tokens, word_count};
use super::schema::{Schema, optional, required};

/// The default number of dimensions.
const DIMENSIONS: usize = 8;

/// The limit of dimensions.
const DIMENSIONS_MAX: i64 = 3072;

/// The limit of texts per request, by OpenAI's reference.
const INPUTS_MAX: usize = 2048;

/// The body of a request, by OpenAI's API reference ("Create embeddings").
static BODY: Schema = Schema::Object(&[
    required("model", Schema::Text),
    required(
        "input",
        Schema::AnyOf(&[
            Schema::Text,
            Schema::List(&Schema::AnyOf(&[
                Schema::Text,
                Schema::Integer(0, i64::MAX),
                Schema::List(&Schema::Integer(0, i64::MAX)),
            ])),
        ]),
    ),
    optional("dimensions", Schema::Integer(1, DIMENSIONS_MAX)),
    optional("encoding_format", Schema::Enum(&["float", "base64"])),
    optional("mock", Schema::Any),
    optional("user", Schema::Text),
]);

/// Returns OpenAI's response to a request for embeddings.
pub(super) fn openai_response(body: &Value) -> Result<Value, RequestError> {
    BODY.validate(body, violation_error)?;
    let inputs = inputs(&body["input"])?;
    let dimensions = body["dimensions"]
        .as_u64()
        .and_then(|it| usize::try_from(it).ok());
    let dimensions = dimensions.unwrap_or(DIMENSIONS);
    let data = inputs.iter().enumerate().map(|(index, input)| {
        let vector = vector(input, dimensions);
        let embedding = if body["encoding_format"] == "base64" {
            let bytes: Vec<u8> = vector.iter().flat_map(|it| it.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    });
    let data: Vec<Value> = data.collect();
    let tokens: u64 = inputs.iter().map(|input| word_count(input)).sum();
    Ok(
        json!({ "object": "list", "data": data, "model": body["model"],
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens } }),
    )
}

/// Returns the texts of an input. An array of token numbers becomes a text of these numbers.
fn inputs(input: &Value) -> Result<Vec<String>, RequestError> {
    let invalid = |reason: &str| Err(RequestError::at("input", reason).with_code("invalid_value"));
    let tokens = |tokens: &[Value]| {
        tokens
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let inputs: Vec<String> = match input {
        Value::Array(items) if items.iter().all(Value::is_number) && !items.is_empty() => {
            vec![tokens(items)]
        }
        Value::Array(items) => {
            let text = |item: &Value| match item {
                Value::Array(inner) => Some(tokens(inner)),
                item => item.as_str().map(str::to_owned),
            };
            let Some(texts) = items.iter().map(text).collect() else {
                return invalid("the items of an array must have one type");
            };
            texts
        }
        text => vec![text.as_str().unwrap_or_default().to_owned()],
    };
    if inputs.is_empty() || inputs.len() > INPUTS_MAX {
        return invalid("an array must have 1 to 2048 items");
    }
    if inputs.iter().any(String::is_empty) {
        return invalid("an input must not be empty");
    }
    Ok(inputs)
}

/// Returns the unit vector of a text.
pub(super) fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let numbers: Vec<f32> = (0..dimensions)
        .map(|index| {
            let digest = Sha256::digest(format!("{index}/{text}"));
            f32::from(digest[0]) - 127.5
        })
        .collect();
    let length = numbers.iter().map(|it| it * it).sum::<f32>().sqrt();
    numbers.iter().map(|it| it / length).collect()
}

/// Returns the vector of a text as Gemini's `ContentEmbedding`.
pub(super) fn gemini_values(text: &str, dimensions: Option<u64>) -> Value {
    let dimensions = dimensions.and_then(|it| usize::try_from(it).ok());
    let dimensions = dimensions
        .unwrap_or(DIMENSIONS)
        .clamp(1, DIMENSIONS_MAX as usize);
    json!({ "values": vector(text, dimensions) })
}

/// Returns the token count of one text.
pub(super) fn tokens(text: &str) -> u64 {
    estimate_tokens([text])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_and_base64_encode_the_same_vector() {
        let embed_as = |format: &str| {
            let body = json!({ "model": "m", "input": ["a", "b c"], "dimensions": 4, "encoding_format": format });
            openai_response(&body).unwrap()
        };
        let (floats, encoded) = (embed_as("float"), embed_as("base64"));
        assert_eq!(floats["usage"]["prompt_tokens"], 3);
        for index in 0..2 {
            let bytes = STANDARD
                .decode(encoded["data"][index]["embedding"].as_str().unwrap())
                .unwrap();
            let numbers: Vec<f32> = bytes
                .chunks(4)
                .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
                .collect();
            assert_eq!(json!(numbers), floats["data"][index]["embedding"]);
            assert_eq!(numbers.len(), 4);
        }
        assert_ne!(floats["data"][0], floats["data"][1]);
    }

    #[test]
    fn rejects_invalid_requests() {
        for (body, field) in [
            (json!({ "model": "m" }), "input"),
            (json!({ "model": "m", "input": [] }), "input"),
            (json!({ "model": "m", "input": "" }), "input"),
            (json!({ "model": "m", "input": ["a", 1] }), "input"),
            (
                json!({ "model": "m", "input": "a", "encoding_format": "int8" }),
                "encoding_format",
            ),
            (
                json!({ "model": "m", "input": "a", "dimensions": 0 }),
                "dimensions",
            ),
            (json!({ "model": "m", "input": "a", "texts": 0 }), "texts"),
        ] {
            assert_eq!(openai_response(&body).unwrap_err().field, field, "{body}");
        }
        assert!(openai_response(&json!({ "model": "m", "input": [[1, 2], [3]] })).is_ok());
    }
}
