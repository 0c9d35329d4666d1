//! OpenAI's `POST /v1/embeddings` (<https://platform.openai.com/docs/api-reference/embeddings>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::RequestHead;
use crate::codec::Embeddings;
use crate::embed::{EmbedRequest, EmbedResponse, Encoding};
use crate::ir::{Malformed, ObjectReader, TranslationError, TranslationReport};
use crate::json::{finite_numbers, into_string, long_number, to_vec};

/// A request to a provider.
#[derive(Serialize)]
struct RequestBody<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

/// A response to a client.
#[derive(Serialize)]
struct EmbeddingList<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    usage: EmbeddingUsage,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Value,
}

#[derive(Serialize)]
struct EmbeddingUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// The format of embeddings.
pub(super) struct OpenaiEmbeddings;

impl Embeddings for OpenaiEmbeddings {
    fn decode_request(
        &self,
        body: &[u8],
        head: &RequestHead<'_>,
        report: &mut TranslationReport,
    ) -> Result<EmbedRequest, TranslationError> {
        let mut fields = ObjectReader::from_body(body)?;
        fields.skip("model");
        let texts = match fields.take("input") {
            None => return Err(fields.error("input", "missing")),
            Some(Value::Array(items)) => decode_texts(items)?,
            Some(value) => match into_string(value) {
                Some(text) => vec![text],
                None => {
                    return Err(fields.error("input", "must be a string or an array of strings"));
                }
            },
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

    fn encode_request(
        &self,
        request: &EmbedRequest,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError> {
        if request.task_type.is_some() {
            report.warn_dropped("taskType");
        }
        if request.title.is_some() {
            report.warn_dropped("title");
        }
        Ok(to_vec(&RequestBody {
            model: &request.model,
            input: &request.texts,
            // Not every provider of this API supports base64.
            encoding_format: "float",
            dimensions: request.dimensions,
            user: request.user.as_deref(),
        }))
    }

    fn decode_response(&self, body: &[u8]) -> Result<EmbedResponse, Malformed> {
        let value: Value = serde_json::from_slice(body).map_err(|_| NOT_JSON)?;
        let items = value.get("data").and_then(Value::as_array);
        let items = items.ok_or(Malformed("the response has no `data`"))?;
        let mut vectors = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            let index = item.get("index").and_then(Value::as_u64);
            let index = index.unwrap_or_else(|| u64::try_from(place).unwrap_or(u64::MAX));
            vectors.push((index, decode_vector(item.get("embedding"))?));
        }
        // The API does not document an order.
        vectors.sort_by_key(|(index, _)| *index);
        let tokens = value
            .get("usage")
            .and_then(|usage| usage.get("prompt_tokens")?.as_u64());
        Ok(EmbedResponse {
            vectors: vectors.into_iter().map(|(_, vector)| vector).collect(),
            input_tokens: tokens,
        })
    }

    fn encode_response(&self, response: &EmbedResponse, request: &EmbedRequest) -> Vec<u8> {
        let item = |(index, vector): (usize, &Vec<f32>)| Embedding {
            object: "embedding",
            index,
            embedding: match request.encoding {
                Encoding::Float => json!(vector),
                Encoding::Base64 => {
                    let bytes: Vec<u8> = vector.iter().flat_map(|it| it.to_le_bytes()).collect();
                    STANDARD.encode(bytes).into()
                }
            },
        };
        // The member is required. A provider that does not count tokens leaves it at 0.
        let tokens = response.input_tokens.unwrap_or(0);
        to_vec(&EmbeddingList {
            object: "list",
            data: response.vectors.iter().enumerate().map(item).collect(),
            model: &request.model,
            usage: EmbeddingUsage {
                prompt_tokens: tokens,
                total_tokens: tokens,
            },
        })
    }
}

fn decode_texts(items: Vec<Value>) -> Result<Vec<String>, TranslationError> {
    if items.is_empty() {
        return Err(TranslationError::new("input", "must not be empty"));
    }
    let text = |item| match item {
        Value::String(text) if long_number(&text).is_none() => Ok(text),
        Value::String(_) | Value::Number(_) | Value::Array(_) => Err(TranslationError::new(
            "input",
            "tokens are not portable between providers; send texts",
        )),
        _ => Err(TranslationError::new(
            "input",
            "must be a string or an array of strings",
        )),
    };
    items.into_iter().map(text).collect()
}

fn decode_vector(value: Option<&Value>) -> Result<Vec<f32>, Malformed> {
    match value {
        Some(Value::Array(numbers)) => finite_numbers(numbers).ok_or(INVALID_VECTOR),
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

const NOT_JSON: Malformed = Malformed("the response is not JSON");
const INVALID_VECTOR: Malformed = Malformed("an embedding is not a vector");
