//! Encodes `tools` and `toolConfig`.

use serde_json::{Value, json};

use crate::ir::{Request, Tool, ToolChoice, ToolKind};
use crate::json::object;

/// Encodes the tools; `None` if there are none.
pub(crate) fn encode(request: &Request) -> Option<Value> {
    if request.tools.is_empty() {
        return None;
    }
    let declarations: Vec<Value> = request.tools.iter().map(declaration).collect();
    Some(vec![object! {"functionDeclarations": declarations}].into())
}

fn declaration(tool: &Tool) -> Value {
    let mut declared = json!({"name": tool.name});
    if let Some(description) = &tool.description {
        declared["description"] = description.as_str().into();
    }
    let schema = match &tool.kind {
        ToolKind::Custom(_) => Some(json!({
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
        })),
        ToolKind::Function(schema) => schema.clone(),
    };
    if let Some(schema) = schema {
        declared["parametersJsonSchema"] = schema;
    }
    declared
}

/// Encodes the `functionCallingConfig`; `None` if the API's default is right. `VALIDATED` is `AUTO` with arguments
/// that match their schema, and the only mode that takes names and does not force a call. Arguments in the
/// mode `ANY` always match their schema.
pub(crate) fn encode_choice(request: &Request) -> Option<Value> {
    let strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    let auto = if strict { "VALIDATED" } else { "AUTO" };
    Some(match request.tool_choice.as_ref() {
        None if strict => json!({"mode": auto}),
        None => return None,
        Some(ToolChoice::Auto) => json!({"mode": auto}),
        Some(ToolChoice::None) => json!({"mode": "NONE"}),
        Some(ToolChoice::Required) => json!({"mode": "ANY"}),
        Some(ToolChoice::Named(name)) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        Some(ToolChoice::Allowed { names, required }) => {
            let mode = if *required { "ANY" } else { "VALIDATED" };
            json!({"mode": mode, "allowedFunctionNames": names})
        }
    })
}
