//! The lists of models, in each dialect. The mock provider also serves models that are not listed.

use serde_json::{Value, json};

/// The names of the listed models.
const MODELS: [&str; 2] = ["mock-large", "mock-small"];

/// OpenAI's list.
pub(super) fn openai_models() -> Value {
    json!({ "object": "list", "data": MODELS.map(openai_model) })
}

fn openai_model(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 1, "owned_by": "mock" })
}

/// Anthropic's list.
pub(super) fn anthropic_models() -> Value {
    json!({ "data": MODELS.map(anthropic_model), "has_more": false,
        "first_id": MODELS[0], "last_id": MODELS[1] })
}

fn anthropic_model(name: &str) -> Value {
    json!({ "type": "model", "id": name, "display_name": name, "lifecycle": "active",
        "created_at": "2026-01-02T03:04:05Z" })
}

/// Gemini's list.
pub(super) fn gemini_models() -> Value {
    json!({ "models": MODELS.map(gemini_model) })
}

fn gemini_model(name: &str) -> Value {
    json!({
        "name": format!("models/{name}"),
        "version": "1",
        "displayName": name,
        "description": "It returns responses by rule.",
        "inputTokenLimit": 100_000,
        "outputTokenLimit": 10_000,
        "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
    })
}
