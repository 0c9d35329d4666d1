//! The list of models.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::json::to_vec;

/// The answer to `GET /v1beta/models`, from each model's name and its owner. The API has no word for an
/// owner; it stands in the description.
#[must_use]
pub fn model_list<'a>(names: impl Iterator<Item = (&'a str, &'a str)>) -> Bytes {
    let models: Vec<Value> = names.map(|(name, owner)| model_json(name, owner)).collect();
    to_vec(&json!({"models": models})).into()
}

/// The answer to `GET /v1beta/models/{name}`.
#[must_use]
pub fn model(name: &str, owner: &str) -> Bytes {
    to_vec(&model_json(name, owner)).into()
}

fn model_json(name: &str, owner: &str) -> Value {
    json!({
        "name": format!("models/{name}"),
        "displayName": name,
        "description": format!("Served by {owner}."),
        "supportedGenerationMethods": GENERATION_METHODS,
    })
}

/// What can be asked of a model: a name may stand for any kind of them.
const GENERATION_METHODS: [&str; 5] = [
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
];
