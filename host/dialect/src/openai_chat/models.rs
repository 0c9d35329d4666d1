//! The list of models.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::ModelEntry;
use crate::ir::Malformed;
use crate::json::to_vec;

/// Renders the response to `GET /v1/models`.
pub(crate) fn render_model_list(models: &[ModelEntry<'_>]) -> Bytes {
    let list = OpenaiModelList {
        object: "list",
        data: models.iter().map(OpenaiModel::from).collect(),
    };
    to_vec(&list).into()
}

/// Renders the response to `GET /v1/models/{id}`.
pub(crate) fn render_model(model: &ModelEntry<'_>) -> Bytes {
    to_vec(&OpenaiModel::from(model)).into()
}

/// Decodes the response to `GET /v1/models`. Together's API responds with the list itself (its API reference, "List all
/// models").
pub(crate) fn decode_model_list(body: &[u8]) -> Result<Vec<String>, Malformed> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Listed {
        InObject { data: Vec<Named> },
        Bare(Vec<Named>),
    }
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let listed = serde_json::from_slice(body).map_err(|_| Malformed("it is no list of models"))?;
    let (Listed::InObject { data: models } | Listed::Bare(models)) = listed;
    Ok(models.into_iter().map(|model| model.id).collect())
}

#[derive(Serialize)]
struct OpenaiModelList<'a> {
    object: &'static str,
    data: Vec<OpenaiModel<'a>>,
}

#[derive(Serialize)]
struct OpenaiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

impl<'a> From<&ModelEntry<'a>> for OpenaiModel<'a> {
    fn from(model: &ModelEntry<'a>) -> Self {
        Self {
            id: model.name,
            object: "model",
            created: model.created,
            owned_by: model.owner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_openai_model_list() {
        let entry = |name, owner| ModelEntry {
            name,
            owner,
            created: 7,
        };
        let list = render_model_list(&[entry("a", "x"), entry("b\"", "y")]);
        let expected = r#"{"object":"list","data":[{"id":"a","object":"model","created":7,"owned_by":"x"},{"id":"b\"","object":"model","created":7,"owned_by":"y"}]}"#;
        assert_eq!(list, expected);
        let one = r#"{"id":"a","object":"model","created":7,"owned_by":"x"}"#;
        assert_eq!(render_model(&entry("a", "x")), one);
        assert_eq!(render_model_list(&[]), r#"{"object":"list","data":[]}"#);
        assert_eq!(
            decode_model_list(&list),
            Ok(vec!["a".to_owned(), "b\"".to_owned()])
        );
        let bare = br#"[{"id":"c","type":"chat"}]"#;
        assert_eq!(decode_model_list(bare), Ok(vec!["c".to_owned()]));
        for wrong in [
            "",
            "{}",
            r#"{"data":[{"name":"a"}]}"#,
            r#"{"models":["a"]}"#,
        ] {
            assert!(decode_model_list(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
