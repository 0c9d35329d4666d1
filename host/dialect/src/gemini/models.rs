//! The list of models.

use bytes::Bytes;
use serde::Serialize;

use crate::codec::ModelEntry;
use crate::json::to_vec;

/// The response to `GET /v1beta/models`.
pub(crate) fn render_model_list(models: &[ModelEntry<'_>]) -> Bytes {
    let models = models.iter().map(GeminiModel::from).collect();
    to_vec(&GeminiModelList { models }).into()
}

/// The response to `GET /v1beta/models/{name}`.
pub(crate) fn render_model(model: &ModelEntry<'_>) -> Bytes {
    to_vec(&GeminiModel::from(model)).into()
}

#[derive(Serialize)]
struct GeminiModelList<'a> {
    models: Vec<GeminiModel<'a>>,
}

/// A model. The API has no member for the owner, so the description names it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    name: String,
    display_name: &'a str,
    description: String,
    supported_generation_methods: &'static [&'static str],
}

impl<'a> From<&ModelEntry<'a>> for GeminiModel<'a> {
    fn from(model: &ModelEntry<'a>) -> Self {
        Self {
            name: format!("models/{}", model.name),
            display_name: model.name,
            description: format!("Served by {}.", model.owner),
            supported_generation_methods: GENERATION_METHODS,
        }
    }
}

/// All methods of the API: Jackfield does not know which of them a model supports.
const GENERATION_METHODS: &[&str] = &[
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
];
