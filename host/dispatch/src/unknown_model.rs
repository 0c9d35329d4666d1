//! The error of a model name that nothing serves. It has no cause: the name is wrong, not the credentials.

use std::fmt;
use std::sync::Arc;

/// A name that no credential serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownModel {
    /// The client's name of the model.
    pub model: String,
    /// The name that it may have meant.
    pub similar: Option<Arc<str>>,
}

impl From<String> for UnknownModel {
    fn from(model: String) -> Self {
        Self {
            model,
            similar: None,
        }
    }
}

impl fmt::Display for UnknownModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "no provider serves a model `{}`", self.model)?;
        match &self.similar {
            Some(similar) => write!(formatter, "; did you mean `{similar}`?"),
            None => Ok(()),
        }
    }
}
