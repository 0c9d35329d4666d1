//! Gemini's methods: which one a path names.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::Response;
use serde_json::{Value, json};

use super::check::{check, check_count, check_embed, check_embeds};
use super::render::{events, items, whole};
use crate::practice::PracticeProvider;
use crate::practice::answer::Answer;
use crate::practice::asked::{Asked, Wrong};
use crate::practice::embeddings::{gemini_values, tokens};
use crate::practice::serve::{EVENTS, Path, Received};
use crate::practice::voice::{Trouble, Voice};

/// Answers a call of `MODEL:METHOD`.
pub(in crate::practice) async fn method(
    provider: &Arc<PracticeProvider>,
    target: &str,
    received: Received,
) -> Response<Body> {
    let (model, method) = target.rsplit_once(':').unwrap_or((target, ""));
    let sse = received.query("alt") == Some("sse");
    let events: fn(&Asked, &Answer) -> Vec<Bytes> = if sse { events } else { items };
    let stream_type = if sse { EVENTS } else { "application/json" };
    match method {
        "generateContent" | "streamGenerateContent" => {
            let stream = method == "streamGenerateContent";
            let model = model.to_owned();
            let path = Path {
                voice: if sse || !stream {
                    Voice::Gemini
                } else {
                    Voice::GeminiArray
                },
                check: Box::new(move |body| check(body, &model, stream)),
                whole,
                events,
                stream_type,
            };
            provider.serve(path, received).await
        }
        "countTokens" | "embedContent" | "batchEmbedContents" => {
            let answer = |body| small(method, model, body);
            provider.serve_small(Voice::Gemini, &received, answer)
        }
        _ => Voice::Gemini.refuse(&Trouble {
            status: 404,
            message: format!("there is no method {method}"),
            ..Trouble::default()
        }),
    }
}

/// A method that is answered with a few numbers.
fn small(method: &str, model: &str, body: Value) -> Result<Value, Wrong> {
    match method {
        "countTokens" => Ok(json!({ "totalTokens": check_count(body)? })),
        "embedContent" => {
            let (text, dimensions) = check_embed(body)?;
            Ok(json!({ "embedding": gemini_values(&text, dimensions),
                "usageMetadata": { "promptTokenCount": tokens(&text) } }))
        }
        _ => {
            let asked = check_embeds(body, model)?;
            let values = asked
                .iter()
                .map(|(text, dimensions)| gemini_values(text, *dimensions));
            Ok(json!({ "embeddings": values.collect::<Vec<_>>() }))
        }
    }
}
