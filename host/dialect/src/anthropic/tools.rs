//! Tools and the tool choice.

use serde_json::{Map, Value, json};

use crate::anthropic::request::cache_control;
use crate::anthropic::strict_schema::{self, SchemaChange};
use crate::ir::{
    ObjectReader, Part, Request, Tool, ToolChoice, ToolKind, TranslationError, TranslationReport,
    loss,
};

/// Decodes `tools` and `tool_choice`.
pub(super) fn decode(
    fields: &mut ObjectReader,
    request: &mut Request,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    for mut tool in fields.objects("tools")? {
        cache_control::drop(&mut tool, report);
        let kind = tool.string("type")?;
        if let Some(kind) = kind.filter(|kind| kind != "custom") {
            report.warn(
                tool.path(),
                format!("dropped: only Anthropic's models know {kind}"),
            );
            continue;
        }
        request.tools.push(decode_tool(&mut tool)?);
        // How its input is streamed, and which other tools may call it.
        tool.skip("eager_input_streaming");
        tool.skip("allowed_callers");
        tool.warn_unread(report);
    }
    if let Some(mut choice) = fields.object("tool_choice")? {
        let disabled = choice.flag("disable_parallel_tool_use")?;
        request.parallel_tools = disabled.map(|disabled| !disabled);
        request.tool_choice = Some(decode_choice(&mut choice, &request.tools)?);
        choice.warn_unread(report);
    }
    Ok(())
}

fn decode_tool(tool: &mut ObjectReader) -> Result<Tool, TranslationError> {
    let schema = match tool.take("input_schema") {
        Some(schema @ Value::Object(_)) => schema,
        _ => return Err(tool.error("input_schema", "must be a JSON schema")),
    };
    Ok(Tool {
        name: tool.required_string("name")?,
        description: tool.string("description")?,
        kind: ToolKind::Function(Some(schema)),
        strict: tool.flag("strict")?,
    })
}

fn decode_choice(
    choice: &mut ObjectReader,
    tools: &[Tool],
) -> Result<ToolChoice, TranslationError> {
    Ok(match choice.required_string("type")?.as_str() {
        "any" => ToolChoice::Required,
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "tool" => {
            let name = choice.required_string("name")?;
            if !tools.iter().any(|tool| tool.name == name) {
                return Err(choice.error("name", "no tool of this name can be offered"));
            }
            ToolChoice::Named(name)
        }
        _ => return Err(choice.error("type", "must be auto, any, tool or none")),
    })
}

/// Encodes `tools` and `tool_choice`.
pub(super) fn encode(
    request: &Request,
    body: &mut Map<String, Value>,
    report: &mut TranslationReport,
) {
    // The API cannot limit a choice to some of the tools, so the others are not offered.
    let offered = |tool: &&Tool| match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => names.contains(&tool.name),
        _ => true,
    };
    let tools: Vec<Value> = request
        .tools
        .iter()
        .filter(offered)
        .map(|tool| encode_tool(tool, report))
        .collect();
    if tools.is_empty() {
        let called = placeholder_tools(request);
        if !called.is_empty() {
            // The API accepts calls in a conversation only together with the called tools.
            body.insert("tools".to_owned(), called.into());
            body.insert("tool_choice".to_owned(), json!({"type": "none"}));
        } else if request
            .tool_choice
            .as_ref()
            .is_some_and(ToolChoice::requires_call)
        {
            report.warn("tool_choice", loss::NO_TOOLS);
        }
        return;
    }
    body.insert("tools".to_owned(), tools.into());
    if let Some(choice) = encode_choice(request) {
        body.insert("tool_choice".to_owned(), choice);
    }
}

fn encode_tool(tool: &Tool, report: &mut TranslationReport) -> Value {
    let mut written = json!({"name": tool.name});
    if let Some(description) = tool.description.as_ref().filter(|text| !text.is_empty()) {
        written["description"] = description.as_str().into();
    }
    written["input_schema"] = match &tool.kind {
        ToolKind::Custom(_) => json!({
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
        }),
        ToolKind::Function(Some(Value::Object(schema))) => {
            let mut schema = schema.clone();
            // The API rejects a schema without a type.
            schema.entry("type").or_insert_with(|| "object".into());
            Value::Object(schema)
        }
        ToolKind::Function(_) => json!({"type": "object", "properties": {}}),
    };
    // False is the default, and older servers do not know the member.
    if tool.strict == Some(true) {
        match strict_schema::restrict(&mut written["input_schema"]) {
            None => report.warn("tools.strict", "dropped: the schema refers to itself"),
            Some(change) => {
                if change == SchemaChange::Described {
                    report.warn("tools.parameters", loss::BOUNDS_DESCRIBED);
                }
                written["strict"] = true.into();
            }
        }
    }
    written
}

fn encode_choice(request: &Request) -> Option<Value> {
    let mut choice = match &request.tool_choice {
        Some(ToolChoice::Allowed { required: true, .. } | ToolChoice::Required) => {
            json!({"type": "any"})
        }
        Some(ToolChoice::Allowed { .. } | ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::Named(name)) => json!({"type": "tool", "name": name}),
        // It has no other members.
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
        // The flag is a member of the choice, so it needs one.
        None if request.parallel_tools == Some(false) => json!({"type": "auto"}),
        None => return None,
    };
    if let Some(parallel) = request.parallel_tools {
        choice["disable_parallel_tool_use"] = (!parallel).into();
    }
    Some(choice)
}

/// Returns placeholders for the tools that the conversation calls.
fn placeholder_tools(request: &Request) -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        if let Part::ToolCall(call) = part
            && !names.contains(&call.name.as_str())
        {
            names.push(&call.name);
        }
    }
    let stand_in = |name| json!({"name": name, "input_schema": {"type": "object"}});
    names.into_iter().map(stand_in).collect()
}
