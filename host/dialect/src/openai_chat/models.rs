//! The list of models.

use bytes::Bytes;
use serde::Serialize;

use crate::json::to_vec;

/// The answer to `GET /v1/models`: for each model its name and its owner; `created` is in seconds since
/// the Unix epoch.
#[must_use]
pub fn model_list<'a>(names: impl Iterator<Item = (&'a str, &'a str)>, created: u64) -> Bytes {
    to_vec(&ModelList {
        object: "list",
        data: names.map(|name| Model::of(name, created)).collect(),
    })
    .into()
}

/// The answer to `GET /v1/models/{id}`: one model of [`model_list`].
#[must_use]
pub fn model(name: &str, owner: &str, created: u64) -> Bytes {
    to_vec(&Model::of((name, owner), created)).into()
}

#[derive(Serialize)]
struct ModelList<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

impl<'a> Model<'a> {
    const fn of((id, owned_by): (&'a str, &'a str), created: u64) -> Self {
        Self {
            id,
            object: "model",
            created,
            owned_by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_openai_model_list() {
        let list = model_list([("a", "x"), ("b\"", "y")].into_iter(), 7);
        let expected = r#"{"object":"list","data":[{"id":"a","object":"model","created":7,"owned_by":"x"},{"id":"b\"","object":"model","created":7,"owned_by":"y"}]}"#;
        assert_eq!(list, expected);
        let one = r#"{"id":"a","object":"model","created":7,"owned_by":"x"}"#;
        assert_eq!(model("a", "x", 7), one);
        assert_eq!(
            model_list(std::iter::empty(), 0),
            r#"{"object":"list","data":[]}"#
        );
    }
}
