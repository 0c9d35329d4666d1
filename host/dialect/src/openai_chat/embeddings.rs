//! OpenAI's `POST /v1/embeddings` (<https://platform.openai.com/docs/api-reference/embeddings>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::RequestHead;
use crate::codec::Embeddings;
use crate::embed::{EmbedRequest, EmbedResponse, Encoding};
use crate::ir::{Malformed, ObjectReader, TranslationError, TranslationReport};

/// The format of embeddings.
pub(super) struct Format;

impl Embeddings for Format {
    fn decode_request(
        &self,
        body: &[u8],
        head: &RequestHead<'_>,
        report: &mut TranslationReport,
    ) -> Result<EmbedRequest, TranslationError> {
        decode_request(body, head, report)
    }

    fn encode_request(
        &self,
        request: &EmbedRequest,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError> {
        Ok(encode_request(request, report))
    }

    fn decode_response(&self, body: &[u8]) -> Result<EmbedResponse, Malformed> {
        decode_response(body)
    }

    fn encode_response(&self, response: &EmbedResponse, request: &EmbedRequest) -> Vec<u8> {
        encode_response(response, request)
    }
}

/// Reads a client's request.
///
/// # Errors
/// If it is not what the API documents, or has tokens in place of texts.
fn decode_request(
    body: &[u8],
    head: &RequestHead<'_>,
    report: &mut TranslationReport,
) -> Result<EmbedRequest, TranslationError> {
    let mut fields = ObjectReader::from_body(body)?;
    fields.skip("model");
    let texts = match fields.take("input") {
        None => return Err(fields.error("input", "missing")),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => decode_texts(items)?,
        Some(_) => return Err(fields.error("input", "must be a string or an array of strings")),
    };
    let encoding = match fields.string("encoding_format")?.as_deref() {
        None | Some("float") => Encoding::Float,
        Some("base64") => Encoding::Base64,
        Some(_) => return Err(fields.error("encoding_format", "must be float or base64")),
    };
    let request = EmbedRequest {
        model: head.model.clone().into_owned(),
        texts,
        dimensions: fields.count("dimensions")?,
        encoding,
        task_type: None,
        title: None,
        user: fields.string("user")?,
        list: true,
    };
    fields.warn_unread(report);
    Ok(request)
}

fn decode_texts(items: Vec<Value>) -> Result<Vec<String>, TranslationError> {
    if items.is_empty() {
        return Err(TranslationError::new("input", "empty"));
    }
    let text = |item| match item {
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => Err(TranslationError::new(
            "input",
            "tokens mean nothing to another provider; send texts",
        )),
        _ => Err(TranslationError::new(
            "input",
            "must be a string or an array of strings",
        )),
    };
    items.into_iter().map(text).collect()
}

/// Writes a request to a provider. It always asks for numbers: not every provider of this API knows
/// another spelling.
fn encode_request(request: &EmbedRequest, report: &mut TranslationReport) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("model".to_owned(), request.model.as_str().into());
    body.insert("input".to_owned(), json!(request.texts));
    body.insert("encoding_format".to_owned(), "float".into());
    if let Some(dimensions) = request.dimensions {
        body.insert("dimensions".to_owned(), dimensions.into());
    }
    if let Some(user) = &request.user {
        body.insert("user".to_owned(), user.as_str().into());
    }
    if request.task_type.is_some() {
        report.warn_dropped("taskType");
    }
    if request.title.is_some() {
        report.warn_dropped("title");
    }
    Value::Object(body).to_string().into_bytes()
}

/// Reads a provider's answer, in either spelling, whatever order its items have.
///
/// # Errors
/// If it is none.
fn decode_response(body: &[u8]) -> Result<EmbedResponse, Malformed> {
    let value: Value = serde_json::from_slice(body).map_err(|_| NOT_JSON)?;
    let items = value.get("data").and_then(Value::as_array);
    let items = items.ok_or(Malformed("the answer has no `data`"))?;
    let mut vectors = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let index = item.get("index").and_then(Value::as_u64);
        let index = index.unwrap_or_else(|| u64::try_from(place).unwrap_or(u64::MAX));
        vectors.push((index, decode_vector(item.get("embedding"))?));
    }
    vectors.sort_by_key(|(index, _)| *index);
    let tokens = value
        .get("usage")
        .and_then(|usage| usage.get("prompt_tokens")?.as_u64());
    Ok(EmbedResponse {
        vectors: vectors.into_iter().map(|(_, vector)| vector).collect(),
        input_tokens: tokens,
    })
}

/// Writes an answer to a client that asked `request`. Tokens that nobody counted are 0.
fn encode_response(response: &EmbedResponse, request: &EmbedRequest) -> Vec<u8> {
    let item = |(index, vector): (usize, &Vec<f32>)| {
        let embedding = match request.encoding {
            Encoding::Float => json!(vector),
            Encoding::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|it| it.to_le_bytes()).collect();
                STANDARD.encode(bytes).into()
            }
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = response.vectors.iter().enumerate().map(item).collect();
    let tokens = response.input_tokens.unwrap_or(0);
    let body = json!({
        "object": "list",
        "data": data,
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    });
    body.to_string().into_bytes()
}

fn decode_vector(value: Option<&Value>) -> Result<Vec<f32>, Malformed> {
    match value {
        Some(Value::Array(numbers)) => crate::gemini::embeddings::decode_numbers(numbers),
        Some(Value::String(text)) => {
            let bytes = STANDARD.decode(text).map_err(|_| INVALID_VECTOR)?;
            let (floats, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(INVALID_VECTOR);
            }
            let floats = floats.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let finite = floats.map(|float| float.is_finite().then_some(float));
            finite.collect::<Option<_>>().ok_or(INVALID_VECTOR)
        }
        _ => Err(INVALID_VECTOR),
    }
}

const NOT_JSON: Malformed = Malformed("the answer is not JSON");
const INVALID_VECTOR: Malformed = Malformed("an embedding is no vector");
