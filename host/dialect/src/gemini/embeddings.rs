//! Embeddings: `models/{model}:embedContent` for one text, `models/{model}:batchEmbedContents` for several
//! (<https://ai.google.dev/api/embeddings>). The model is in the path; a batch repeats it in each item.

use serde_json::{Map, Value, json};

use crate::RequestHead;
use crate::codec::Embeddings;
use crate::embed::{EmbedRequest, EmbedResponse, Encoding};
use crate::gemini::request::members::{body as members_of, nested, object};
use crate::ir::{Malformed, ObjectReader, TranslationError, TranslationReport};
use crate::json::{finite_numbers, long_number};

/// The format of embeddings. A request with `requests` is a batch; requests to a provider always are, because
/// the response is a list then, as in OpenAI's API.
pub(super) struct GeminiEmbeddings;

impl Embeddings for GeminiEmbeddings {
    fn decode_request(
        &self,
        body: &[u8],
        head: &RequestHead<'_>,
        report: &mut TranslationReport,
    ) -> Result<EmbedRequest, TranslationError> {
        let mut fields = members_of(body)?;
        let Some(items) = fields.take("requests") else {
            let mut request = decode_item(fields, report)?;
            head.model.as_ref().clone_into(&mut request.model);
            return Ok(request);
        };
        fields.skip("model");
        fields.warn_unread(report);
        let Value::Array(items) = items else {
            return Err(TranslationError::new("requests", "must be an array"));
        };
        let mut batch: Option<EmbedRequest> = None;
        for (index, value) in items.into_iter().enumerate() {
            let path = format!("requests[{index}]");
            let read = decode_item(object(value, path.clone())?, report)?;
            match &mut batch {
                None => batch = Some(read),
                Some(batch) => append_item(batch, read, &path)?,
            }
        }
        let mut request = batch.ok_or_else(|| TranslationError::new("requests", "empty"))?;
        head.model.as_ref().clone_into(&mut request.model);
        request.list = true;
        Ok(request)
    }

    fn encode_request(
        &self,
        request: &EmbedRequest,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError> {
        if request.texts.len() > TEXTS_MAX {
            return Err(TranslationError::new(
                "input",
                "the provider accepts at most 100 texts in one request; send fewer",
            ));
        }
        if request.user.is_some() {
            report.warn_dropped("user");
        }
        let name = request.model.as_str();
        let name = name.strip_prefix("models/").unwrap_or(name);
        let item = |text: &String| {
            let mut item = json!({
                "model": format!("models/{name}"),
                "content": {"parts": [{"text": text}]},
            });
            if let Some(task_type) = &request.task_type {
                item["taskType"] = task_type.as_str().into();
            }
            if let Some(title) = &request.title {
                item["title"] = title.as_str().into();
            }
            if let Some(dimensions) = request.dimensions {
                item["outputDimensionality"] = dimensions.into();
            }
            item
        };
        let requests: Vec<Value> = request.texts.iter().map(item).collect();
        Ok(json!({"requests": requests}).to_string().into_bytes())
    }

    fn decode_response(&self, body: &[u8]) -> Result<EmbedResponse, Malformed> {
        let value: Value = serde_json::from_slice(body).map_err(|_| Malformed("it is not JSON"))?;
        let vectors = match (value.get("embeddings"), value.get("embedding")) {
            (Some(Value::Array(items)), _) => {
                items.iter().map(decode_values).collect::<Result<_, _>>()?
            }
            (_, Some(item)) => vec![decode_values(item)?],
            _ => return Err(Malformed("it has no embeddings")),
        };
        let usage = value.get("usageMetadata");
        Ok(EmbedResponse {
            vectors,
            input_tokens: usage.and_then(|usage| usage.get("promptTokenCount")?.as_u64()),
        })
    }

    fn encode_response(&self, response: &EmbedResponse, request: &EmbedRequest) -> Vec<u8> {
        let mut items = response
            .vectors
            .iter()
            .map(|vector| json!({"values": vector}));
        let mut body = if request.list {
            json!({"embeddings": items.collect::<Vec<_>>()})
        } else {
            json!({"embedding": items.next().unwrap_or_else(|| json!({"values": []}))})
        };
        if let Some(tokens) = response.input_tokens {
            body["usageMetadata"] = json!({"promptTokenCount": tokens});
        }
        body.to_string().into_bytes()
    }
}

/// Adds the text of an item to a batch, whose items must have the same options.
fn append_item(
    batch: &mut EmbedRequest,
    item: EmbedRequest,
    path: &str,
) -> Result<(), TranslationError> {
    let member = if item.dimensions != batch.dimensions {
        "outputDimensionality"
    } else if item.task_type != batch.task_type {
        "taskType"
    } else if item.title != batch.title {
        "title"
    } else {
        batch.texts.extend(item.texts);
        return Ok(());
    };
    Err(TranslationError::new(
        format!("{path}.{member}"),
        "must be the same in all items of a translated batch",
    ))
}

fn decode_item(
    mut fields: ObjectReader,
    report: &mut TranslationReport,
) -> Result<EmbedRequest, TranslationError> {
    fields.skip("model");
    let content = fields.take("content");
    let content = content.ok_or_else(|| fields.error("content", "missing"))?;
    let text = content_text(content, &fields.member_path("content"), report)?;
    let mut options = Map::new();
    if let Some(mut config) = nested(&mut fields, "embedContentConfig")? {
        for name in ["taskType", "title", "outputDimensionality"] {
            if let Some(value) = config.take(name) {
                options.insert(name.to_owned(), value);
            }
        }
        config.warn_unread(report);
    }
    let mut options =
        ObjectReader::from_value(options.into(), fields.member_path("embedContentConfig"))?;
    let unspecified = |word: &String| word != "TASK_TYPE_UNSPECIFIED";
    let request = EmbedRequest {
        texts: vec![text],
        dimensions: fields
            .count("outputDimensionality")?
            .or(options.count("outputDimensionality")?),
        encoding: Encoding::Float,
        task_type: fields
            .string("taskType")?
            .or(options.string("taskType")?)
            .filter(unspecified),
        title: fields.string("title")?.or(options.string("title")?),
        ..EmbedRequest::default()
    };
    fields.warn_unread(report);
    Ok(request)
}

/// Returns the text of a content. All its parts get one vector.
fn content_text(
    content: Value,
    path: &str,
    report: &mut TranslationReport,
) -> Result<String, TranslationError> {
    let mut fields = match content {
        Value::String(text) if long_number(&text).is_none() => return Ok(text),
        content => object(content, path)?,
    };
    fields.skip("role");
    let place = fields.member_path("parts");
    let mut texts = Vec::new();
    for (index, part) in fields.list("parts")?.into_iter().enumerate() {
        let mut part = object(part, format!("{place}[{index}]"))?;
        let text = part.string("text")?;
        texts.push(text.ok_or_else(|| part.error("text", "only texts can be embedded"))?);
        part.warn_unread(report);
    }
    fields.warn_unread(report);
    if texts.is_empty() {
        return Err(TranslationError::new(place, "empty"));
    }
    Ok(texts.join("\n"))
}

fn decode_values(item: &Value) -> Result<Vec<f32>, Malformed> {
    let values = item.get("values").and_then(Value::as_array);
    let vector = values.and_then(|values| finite_numbers(values));
    vector.ok_or(Malformed("an embedding is not a vector"))
}

/// The most texts of one batch. The API's error for larger ones names this limit.
const TEXTS_MAX: usize = 100;
