//! Encodes tools and the tool choice.

use serde_json::{Map, Value, json};

use crate::ir::{Tool, ToolChoice, ToolKind};
use crate::openai_chat::tools::CHOICES;

/// Encodes the member `tools`.
pub(crate) fn encode_tools(tools: &[Tool]) -> Value {
    tools.iter().map(tool).collect()
}

/// Encodes the member `tool_choice`.
pub(crate) fn choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    match choice {
        ToolChoice::Allowed { names, required } => {
            let mode = if *required { "required" } else { "auto" };
            let tools: Vec<Value> = names.iter().map(|name| named_choice(name, tools)).collect();
            json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
        }
        ToolChoice::Named(name) => named_choice(name, tools),
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Required => {
            let mut words = CHOICES.iter();
            let found = words.find(|(_, known)| known == choice);
            json!(found.map(|(word, _)| word))
        }
    }
}

/// Whether the tool of that name is a custom tool, whose input is plain text.
pub(crate) fn is_custom(name: &str, tools: &[Tool]) -> bool {
    let custom = |tool: &Tool| tool.name == name && matches!(tool.kind, ToolKind::Custom(_));
    tools.iter().any(custom)
}

fn named_choice(name: &str, tools: &[Tool]) -> Value {
    if is_custom(name, tools) {
        json!({"type": "custom", "custom": {"name": name}})
    } else {
        json!({"type": "function", "function": {"name": name}})
    }
}

fn tool(tool: &Tool) -> Value {
    let mut inner = Map::new();
    inner.insert("name".to_owned(), json!(tool.name));
    if let Some(description) = &tool.description {
        inner.insert("description".to_owned(), json!(description));
    }
    let (kind, member, value) = match &tool.kind {
        ToolKind::Custom(format) => ("custom", "format", format),
        ToolKind::Function(schema) => ("function", "parameters", schema),
    };
    if let Some(value) = value {
        inner.insert(member.to_owned(), value.clone());
    }
    if let (Some(strict), ToolKind::Function(_)) = (tool.strict, &tool.kind) {
        inner.insert("strict".to_owned(), json!(strict));
    }
    let mut tool = Map::new();
    tool.insert("type".to_owned(), json!(kind));
    tool.insert(kind.to_owned(), Value::Object(inner));
    Value::Object(tool)
}
