//! What an answer needs to know of the request that it answers.

use serde_json::{Map, Value};

use super::request::{Request, ToolKind};

/// What an encoder of answers needs to know of the call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseContext {
    /// The call's id: what made-up ids are made of.
    pub id: String,
    /// When the call came, in seconds since the Unix epoch.
    pub created: u64,
    /// The model, as the client called it; the answer shows this name.
    pub model: String,
    /// As [`Request::include_usage`].
    pub include_usage: bool,
    /// The names of the custom tools among those offered.
    pub custom_tools: Vec<String>,
    /// As [`Request::echo`].
    pub echo: Map<String, Value>,
}

impl ResponseContext {
    /// What is owed for a request. `created`: in seconds since the Unix epoch.
    #[must_use]
    pub fn new(request: &Request, id: &str, created: u64) -> Self {
        let custom = |tool: &&super::Tool| matches!(tool.kind, ToolKind::Custom(_));
        let custom_tools = request.tools.iter().filter(custom);
        Self {
            id: id.to_owned(),
            created,
            model: request.model.clone(),
            include_usage: request.include_usage,
            custom_tools: custom_tools.map(|tool| tool.name.clone()).collect(),
            echo: request.echo.clone(),
        }
    }
}
