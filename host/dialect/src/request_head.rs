//! The members of a client's request that the host acts on in every dialect.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json::{members, string};
use crate::limits::MODEL_BYTES_MAX;

/// The members of a request that the host acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// The model that the client asks for. Not empty, at most [`MODEL_BYTES_MAX`] bytes.
    pub model: Cow<'a, str>,
    /// Whether to stream the response.
    pub stream: bool,
}

impl<'a> RequestHead<'a> {
    /// Reads a body of a dialect that has both members in the body. One pass; allocates only if the
    /// model's name has escapes.
    ///
    /// # Errors
    ///
    /// If the body is not a JSON object, or one of the members is missing, of the wrong type, or
    /// duplicate. The message is for the client.
    pub fn read(body: &'a [u8]) -> Result<Self, RequestError> {
        let text = std::str::from_utf8(body).map_err(|_| RequestError::NotUtf8)?;
        let found = members(text, [MODEL, STREAM]).map_err(json_error)?;
        if let Some(param) = found.duplicate {
            return Err(RequestError::Duplicate { param });
        }
        let [model, stream] = found.values;
        Ok(Self {
            model: read_model(model)?,
            stream: read_flag(STREAM, stream)?,
        })
    }

    /// Takes both from the path of a request, for dialects that have them there.
    ///
    /// # Errors
    ///
    /// If the name is empty or too long.
    pub fn from_path(model: &'a str, stream: bool) -> Result<Self, RequestError> {
        Ok(Self {
            model: validate_model(Cow::Borrowed(model))?,
            stream,
        })
    }
}

/// Why a request is rejected. The text tells the client what to change.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A member is duplicate: providers differ in which of the two they use.
    #[error("{param}: given twice; send it once")]
    Duplicate {
        /// The member.
        param: &'static str,
    },
    /// A member is empty that must not be.
    #[error("{param}: empty")]
    Empty {
        /// The member.
        param: &'static str,
    },
    /// A required member is missing.
    #[error("{param}: missing")]
    Missing {
        /// The member.
        param: &'static str,
    },
    /// The body is not JSON.
    #[error("the body is not JSON: see line {line}, column {column}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The body is JSON, but not an object.
    #[error("the body must be a JSON object")]
    NotObject,
    /// The body is not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// A member is too long.
    #[error("{param}: longer than {bytes_max} bytes")]
    TooLong {
        /// The member.
        param: &'static str,
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// A member is of the wrong type.
    #[error("{param}: must be {expected}")]
    InvalidType {
        /// The member.
        param: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

impl RequestError {
    /// The invalid member; `None` for the whole body.
    #[must_use]
    pub const fn param(&self) -> Option<&'static str> {
        match self {
            Self::Duplicate { param }
            | Self::Empty { param }
            | Self::Missing { param }
            | Self::TooLong { param, .. }
            | Self::InvalidType { param, .. } => Some(param),
            Self::NotJson { .. } | Self::NotObject | Self::NotUtf8 => None,
        }
    }
}

fn json_error(source: serde_json::Error) -> RequestError {
    if source.is_data() {
        return RequestError::NotObject;
    }
    RequestError::NotJson {
        line: source.line(),
        column: source.column(),
        source,
    }
}

fn read_model(raw: Option<&RawValue>) -> Result<Cow<'_, str>, RequestError> {
    let raw = raw.ok_or(RequestError::Missing { param: MODEL })?;
    let model = string(raw).ok_or(RequestError::InvalidType {
        param: MODEL,
        expected: "a string",
    })?;
    validate_model(model)
}

fn validate_model(model: Cow<'_, str>) -> Result<Cow<'_, str>, RequestError> {
    if model.is_empty() {
        return Err(RequestError::Empty { param: MODEL });
    }
    if model.len() > MODEL_BYTES_MAX {
        return Err(RequestError::TooLong {
            param: MODEL,
            bytes_max: MODEL_BYTES_MAX,
        });
    }
    Ok(model)
}

/// Reads a boolean. Null and a missing member count as false, as in OpenAI's API.
fn read_flag(param: &'static str, raw: Option<&RawValue>) -> Result<bool, RequestError> {
    match raw.map(RawValue::get) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(RequestError::InvalidType {
            param,
            expected: "true, false or null",
        }),
    }
}

const MODEL: &str = "model";
const STREAM: &str = "stream";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn borrows_model_name_from_body() -> Result<(), RequestError> {
        assert!(matches!(
            RequestHead::read(br#"{"model":"gpt"}"#)?.model,
            Cow::Borrowed("gpt")
        ));
        assert_eq!(
            RequestHead::read(br#"{"mod\u0065l":"g\u0070t"}"#)?.model,
            "gpt"
        );
        Ok(())
    }

    proptest! {
        #[test]
        fn never_panics_on_any_body(body in prop::collection::vec(any::<u8>(), 0..64), text in "[{}\",:a-z_\\\\ ]{0,32}") {
            let _ = RequestHead::read(&body).is_ok();
            let _ = RequestHead::read(text.as_bytes()).is_ok();
        }

        #[test]
        fn ignores_other_members(name in "[a-z]{1,8}", value in any::<u8>(), stream in any::<bool>()) {
            prop_assume!(name != "model" && name != "stream");
            let body = format!(r#"{{"{name}":[{{"model":{value}}}],"stream":{stream},"model":"m","{name}":{{}}}}"#);
            let read = RequestHead::read(body.as_bytes()).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(read, RequestHead { model: "m".into(), stream });
        }
    }
}
