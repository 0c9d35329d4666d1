//! The context of the request that a response belongs to.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::request::{ClientTool, Request, ToolKind};
use super::tool_names::ToolNames;

/// What an encoder of responses needs to know of the request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseContext {
    /// The call's id. Synthesized ids are derived from it.
    pub id: String,
    /// When the call arrived, in seconds since the Unix epoch.
    pub created: u64,
    /// The model by the client's name, which the response repeats.
    pub model: String,
    /// As [`Request::include_usage`].
    pub include_usage: bool,
    /// The names of the custom tools.
    pub custom_tools: Vec<String>,
    /// As [`Request::client_tools`].
    pub client_tools: BTreeMap<String, ClientTool>,
    /// The names of tools that the provider got in another form.
    pub tool_names: ToolNames,
    /// As [`Request::echo`].
    pub echo: Map<String, Value>,
}

impl ResponseContext {
    /// Takes the context from a request. `created` is in seconds since the Unix epoch.
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
            client_tools: request.client_tools.clone(),
            tool_names: ToolNames::default(),
            echo: request.echo.clone(),
        }
    }
}
