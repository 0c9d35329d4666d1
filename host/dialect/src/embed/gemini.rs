//! Google's `models/{model}:embedContent`, one text, and `:batchEmbedContents`, several
//! (<https://ai.google.dev/api/embeddings>). The model is the path's; a batch repeats it in each item.

use serde_json::{Map, Value, json};

use super::{EmbedAnswer, EmbedRequest, Encoding};
use crate::Asked;
use crate::gemini::{body as members_of, nested, object};
use crate::interlingua::{Fields, Malformed, Notes, Refusal};

/// Reads a client's request of either form: one with `requests` is a batch.
///
/// # Errors
/// If it is not what the API documents, has something but text in it, or a batch whose items ask for
/// different things.
pub fn decode_request(
    body: &[u8],
    asked: &Asked<'_>,
    notes: &mut Notes,
) -> Result<EmbedRequest, Refusal> {
    let mut fields = members_of(body)?;
    let Some(items) = fields.take("requests") else {
        let mut request = item(fields, notes)?;
        asked.model.as_ref().clone_into(&mut request.model);
        return Ok(request);
    };
    fields.skip("model");
    fields.warn_of_rest(notes);
    let Value::Array(items) = items else {
        return Err(Refusal::new("requests", "must be an array"));
    };
    let mut whole: Option<EmbedRequest> = None;
    for (index, value) in items.into_iter().enumerate() {
        let path = format!("requests[{index}]");
        let read = item(object(value, path.clone())?, notes)?;
        match &mut whole {
            None => whole = Some(read),
            Some(whole) => join(whole, read, &path)?,
        }
    }
    let mut request = whole.ok_or_else(|| Refusal::new("requests", "empty"))?;
    asked.model.as_ref().clone_into(&mut request.model);
    request.list = true;
    Ok(request)
}

/// Adds an item to a batch: what it asks for must be what the others do.
fn join(whole: &mut EmbedRequest, item: EmbedRequest, path: &str) -> Result<(), Refusal> {
    let member = if item.dimensions != whole.dimensions {
        "outputDimensionality"
    } else if item.task_type != whole.task_type {
        "taskType"
    } else if item.title != whole.title {
        "title"
    } else {
        whole.texts.extend(item.texts);
        return Ok(());
    };
    Err(Refusal::new(
        format!("{path}.{member}"),
        "must be the same for all texts of a batch that is translated",
    ))
}

fn item(mut fields: Fields, notes: &mut Notes) -> Result<EmbedRequest, Refusal> {
    fields.skip("model");
    let content = fields.take("content");
    let content = content.ok_or_else(|| fields.refusal("content", "missing"))?;
    let text = text(content, &fields.at("content"), notes)?;
    let mut options = Map::new();
    if let Some(mut config) = nested(&mut fields, "embedContentConfig")? {
        for name in ["taskType", "title", "outputDimensionality"] {
            if let Some(value) = config.take(name) {
                options.insert(name.to_owned(), value);
            }
        }
        config.warn_of_rest(notes);
    }
    let mut options = Fields::of(options.into(), fields.at("embedContentConfig"))?;
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
    fields.warn_of_rest(notes);
    Ok(request)
}

/// The text of a content. Its parts become one vector together.
fn text(content: Value, path: &str, notes: &mut Notes) -> Result<String, Refusal> {
    if let Value::String(text) = content {
        return Ok(text);
    }
    let mut fields = object(content, path)?;
    fields.skip("role");
    let place = fields.at("parts");
    let mut texts = Vec::new();
    for (index, part) in fields.list("parts")?.into_iter().enumerate() {
        let mut part = object(part, format!("{place}[{index}]"))?;
        let text = part.string("text")?;
        texts.push(text.ok_or_else(|| part.refusal("text", "only texts can be embedded"))?);
        part.warn_of_rest(notes);
    }
    fields.warn_of_rest(notes);
    if texts.is_empty() {
        return Err(Refusal::new(place, "empty"));
    }
    Ok(texts.join("\n"))
}

/// Writes a request to a provider: always a batch, whose answer is a list like OpenAI's.
///
/// # Errors
/// If there are more texts than the API takes at once.
pub fn encode_request(request: &EmbedRequest, notes: &mut Notes) -> Result<Vec<u8>, Refusal> {
    if request.texts.len() > TEXTS_MAX {
        return Err(Refusal::new(
            "input",
            "the provider takes 100 texts at once; send fewer",
        ));
    }
    if request.user.is_some() {
        notes.dropped("user");
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

/// Reads a provider's answer of either form.
///
/// # Errors
/// If it is none.
pub fn decode_answer(body: &[u8]) -> Result<EmbedAnswer, Malformed> {
    let value: Value =
        serde_json::from_slice(body).map_err(|_| Malformed("the answer is not JSON"))?;
    let vectors = match (value.get("embeddings"), value.get("embedding")) {
        (Some(Value::Array(items)), _) => items.iter().map(values).collect::<Result<_, _>>()?,
        (_, Some(item)) => vec![values(item)?],
        _ => return Err(Malformed("the answer has no embeddings")),
    };
    let usage = value.get("usageMetadata");
    Ok(EmbedAnswer {
        vectors,
        input_tokens: usage.and_then(|usage| usage.get("promptTokenCount")?.as_u64()),
    })
}

/// Writes an answer to a client that asked `request`, in the form that goes with it.
#[must_use]
pub fn encode_answer(answer: &EmbedAnswer, request: &EmbedRequest) -> Vec<u8> {
    let mut items = answer
        .vectors
        .iter()
        .map(|vector| json!({"values": vector}));
    let mut body = if request.list {
        json!({"embeddings": items.collect::<Vec<_>>()})
    } else {
        json!({"embedding": items.next().unwrap_or_else(|| json!({"values": []}))})
    };
    if let Some(tokens) = answer.input_tokens {
        body["usageMetadata"] = json!({"promptTokenCount": tokens});
    }
    body.to_string().into_bytes()
}

fn values(item: &Value) -> Result<Vec<f32>, Malformed> {
    let values = item.get("values").and_then(Value::as_array);
    numbers(values.ok_or(Malformed("an embedding is no vector"))?)
}

/// A vector's numbers.
#[expect(
    clippy::cast_possible_truncation,
    reason = "models compute in 32 bits or fewer; the longer spelling is the JSON writer's"
)]
pub(super) fn numbers(numbers: &[Value]) -> Result<Vec<f32>, Malformed> {
    let number = |number: &Value| Some(number.as_f64()? as f32).filter(|it| it.is_finite());
    let numbers: Option<_> = numbers.iter().map(number).collect();
    numbers.ok_or(Malformed("an embedding is no vector"))
}

/// The most texts of one batch, as the API answers when there are more.
const TEXTS_MAX: usize = 100;
