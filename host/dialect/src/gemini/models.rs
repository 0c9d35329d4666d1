//! The list of models.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::ModelEntry;
use crate::ir::Malformed;
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

/// Decodes the response to `GET /v1beta/models`, without the models that neither generate content nor embed texts.
pub(crate) fn decode_model_list(body: &[u8]) -> Result<Vec<String>, Malformed> {
    #[derive(Deserialize)]
    struct Listed {
        models: Vec<Named>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        name: String,
        #[serde(default)]
        supported_generation_methods: Vec<String>,
    }
    let listed: Result<Listed, _> = serde_json::from_slice(body);
    let listed = listed.map_err(|_| Malformed("it is no list of models"))?;
    let served = listed.models.into_iter().filter(|model| {
        let mut methods = model.supported_generation_methods.iter();
        methods.len() == 0 || methods.any(|method| SERVED_METHODS.contains(&&**method))
    });
    let names = served.map(|model| match model.name.strip_prefix("models/") {
        Some(name) => name.to_owned(),
        None => model.name,
    });
    Ok(names.collect())
}

/// The methods of models that clients of Jackfield can use.
const SERVED_METHODS: &[&str] = &["generateContent", "embedContent"];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_models_that_clients_can_use() {
        let list = br#"{"models":[
            {"name":"models/a","supportedGenerationMethods":["generateContent","countTokens"]},
            {"name":"models/veo","supportedGenerationMethods":["predictLongRunning"]},
            {"name":"models/e","supportedGenerationMethods":["embedContent"]},
            {"name":"tunedModels/t"}]}"#;
        let names = ["a", "e", "tunedModels/t"].map(str::to_owned);
        assert_eq!(decode_model_list(list), Ok(names.to_vec()));
        assert!(decode_model_list(b"[]").is_err());
    }
}
