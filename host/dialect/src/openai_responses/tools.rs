//! Tools and the tool choice.

use serde_json::{Map, Value, json};

use crate::ir::{
    ObjectReader, Request, Tool, ToolChoice, ToolKind, TranslationError, TranslationReport, loss,
};

/// Takes the member `tools`. Tools that the provider runs are dropped.
pub(super) fn decode(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Vec<Tool>, TranslationError> {
    let mut tools = Vec::new();
    for mut tool in fields.objects("tools")? {
        let kind = tool.required_string("type")?;
        if kind == "namespace" {
            let namespace = tool.required_string("name")?;
            let inner = decode(&mut tool, report)?.into_iter();
            tools.extend(inner.map(|inner| Tool {
                name: qualified_name(&namespace, &inner.name),
                ..inner
            }));
            continue;
        }
        let taken = match kind.as_str() {
            "function" => ToolKind::Function(tool.schema("parameters")?),
            "custom" => ToolKind::Custom(tool.take("format")),
            _ => {
                report.warn(tool.member_path("type"), HOSTED_TOOL);
                continue;
            }
        };
        tools.push(Tool {
            name: tool.required_string("name")?,
            description: tool.string("description")?,
            kind: taken,
            strict: tool.flag("strict")?,
        });
        tool.warn_unread(report);
    }
    Ok(tools)
}

const HOSTED_TOOL: &str =
    "dropped: only functions and custom tools can be carried to another dialect";

/// Returns the name of a tool in a namespace, for dialects without namespaces.
pub(super) fn qualified_name(namespace: &str, name: &str) -> String {
    format!("{namespace}__{name}")
}

/// Finds the namespace of a tool, and its name there, in the client's `tools`.
pub(super) fn in_namespace<'t>(tools: Option<&'t Value>, name: &str) -> Option<(&'t str, &'t str)> {
    let list = tools?.as_array()?.iter();
    list.filter(|tool| tool.get("type").is_some_and(|kind| kind == "namespace"))
        .find_map(|space| {
            let namespace = space.get("name")?.as_str()?;
            let rest = name.strip_prefix(namespace)?.strip_prefix("__")?;
            let inner = space.get("tools")?.as_array()?.iter();
            let found = inner
                .filter_map(|tool| tool.get("name")?.as_str())
                .find(|inner| *inner == rest)?;
            Some((namespace, found))
        })
}

/// Takes the member `tool_choice`.
pub(super) fn decode_choice(
    fields: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<Option<ToolChoice>, TranslationError> {
    if let Some(Value::String(mode_name)) = fields.peek("tool_choice") {
        let choice = parse_choice(mode_name);
        fields.skip("tool_choice");
        let unknown = || fields.error("tool_choice", "must be `none`, `auto` or `required`");
        return choice.ok_or_else(unknown).map(Some);
    }
    let Some(mut choice) = fields.object("tool_choice")? else {
        return Ok(None);
    };
    Ok(match choice.required_string("type")?.as_str() {
        "function" | "custom" => Some(ToolChoice::Named(choice.required_string("name")?)),
        "allowed_tools" => Some(allowed(&mut choice, report)?),
        _ => {
            report.warn("tool_choice", HOSTED_TOOL);
            None
        }
    })
}

fn parse_choice(mode_name: &str) -> Option<ToolChoice> {
    match mode_name {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        _ => None,
    }
}

fn allowed(
    choice: &mut ObjectReader,
    report: &mut TranslationReport,
) -> Result<ToolChoice, TranslationError> {
    let required = match choice.required_string("mode")?.as_str() {
        "auto" => false,
        "required" => true,
        _ => return Err(choice.error("mode", "must be `auto` or `required`")),
    };
    let mut names = Vec::new();
    for mut tool in choice.objects("tools")? {
        match tool.required_string("type")?.as_str() {
            "function" | "custom" => names.push(tool.required_string("name")?),
            _ => report.warn("tool_choice.tools", HOSTED_TOOL),
        }
    }
    if names.is_empty() {
        // All allowed tools are dropped, so no other tool may be called.
        return Ok(ToolChoice::None);
    }
    Ok(ToolChoice::Allowed { names, required })
}

/// Encodes the members of a request about tools.
pub(super) fn encode(
    request: &Request,
    out: &mut Map<String, Value>,
    report: &mut TranslationReport,
) {
    if request.tools.is_empty() {
        // The API rejects a choice without tools.
        if matches!(
            request.tool_choice,
            Some(ToolChoice::Named(_) | ToolChoice::Required | ToolChoice::Allowed { .. })
        ) {
            report.warn("tool_choice", loss::NO_TOOLS);
        }
        return;
    }
    out.insert(
        "tools".to_owned(),
        request.tools.iter().map(encode_tool).collect(),
    );
    if let Some(choice) = &request.tool_choice {
        out.insert("tool_choice".to_owned(), encode_choice(choice, request));
    }
    if let Some(parallel) = request.parallel_tools {
        out.insert("parallel_tool_calls".to_owned(), parallel.into());
    }
}

fn encode_tool(tool: &Tool) -> Value {
    let mut out = Map::new();
    let kind = if is_custom(tool) {
        "custom"
    } else {
        "function"
    };
    out.insert("type".to_owned(), kind.into());
    out.insert("name".to_owned(), tool.name.as_str().into());
    if let Some(description) = &tool.description {
        out.insert("description".to_owned(), description.as_str().into());
    }
    match &tool.kind {
        ToolKind::Custom(format) => {
            if let Some(format) = format {
                out.insert("format".to_owned(), format.clone());
            }
        }
        ToolKind::Function(schema) => {
            let schema = schema.clone().unwrap_or_default();
            out.insert("parameters".to_owned(), schema);
            // Only this dialect defaults to true, which rejects most schemas.
            out.insert("strict".to_owned(), tool.strict.unwrap_or(false).into());
        }
    }
    Value::Object(out)
}

fn encode_choice(choice: &ToolChoice, request: &Request) -> Value {
    let named = |name: &String| {
        let custom = request
            .tools
            .iter()
            .any(|tool| tool.name == *name && is_custom(tool));
        let kind = if custom { "custom" } else { "function" };
        json!({"type": kind, "name": name})
    };
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => named(name),
        ToolChoice::Allowed { names, required } => {
            let mode = if *required { "required" } else { "auto" };
            let tools: Vec<Value> = names.iter().map(named).collect();
            json!({"type": "allowed_tools", "mode": mode, "tools": tools})
        }
    }
}

/// Whether it is a custom tool, which takes bare text.
pub(super) const fn is_custom(tool: &Tool) -> bool {
    matches!(tool.kind, ToolKind::Custom(_))
}
