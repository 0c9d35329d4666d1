//! Parses and validates Anthropic requests: the schema, and the rules that no schema has.

use serde_json::Value;

use super::conversation::read_conversation;
use super::schema::{BODY, COUNT_BODY, TOOL};
use crate::directives::Directives;
use crate::request::{
    ModelRequest, Output, RequestError, Tool, ToolChoice, array_member, estimate_tokens, str_member,
};
use crate::schema::{Violation, ViolationKind};
use crate::strict_schema::{check_strict, is_valid_name};

/// Parses the body of a message request.
pub(crate) fn parse_request(body: Value) -> Result<ModelRequest, RequestError> {
    BODY.validate(&body, violation_error)?;
    check_thinking(&body)?;
    build_request(body)
}

/// Parses the body of a token count.
pub(crate) fn parse_count_request(body: Value) -> Result<ModelRequest, RequestError> {
    COUNT_BODY.validate(&body, violation_error)?;
    build_request(body)
}

/// Words a violation of a body's schema as Anthropic does.
fn violation_error(violation: &Violation) -> RequestError {
    let reason = match violation.kind {
        ViolationKind::Unknown => "Extra inputs are not permitted".to_owned(),
        ViolationKind::Missing => "Field required".to_owned(),
        ViolationKind::Type(_) | ViolationKind::NotInEnum(_) | ViolationKind::OutOfRange(..) => {
            violation.description()
        }
    };
    RequestError::at(violation.dot_path(), reason)
}

fn build_request(body: Value) -> Result<ModelRequest, RequestError> {
    let tools = parse_tools(&body)?;
    let choice = parse_tool_choice(&body, &tools)?;
    let reasoning = thinking_enabled(&body);
    if body["model"] == "" {
        return Err(RequestError::at("model", "a model is needed"));
    }
    // With adaptive thinking, messages may begin with other blocks.
    let thinking_required = body["thinking"]["type"] == "enabled";
    let conversation = read_conversation(array_member(&body, "messages"), thinking_required)?;
    let mut system = match &body["system"] {
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| str_member(block, "text"))
            .map(str::to_owned)
            .collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    };
    let empty = system.iter().any(|text| text.is_empty());
    if empty && body["system"].is_array() {
        return Err(RequestError::at(
            "system",
            "text content blocks must be non-empty",
        ));
    }
    system.extend(conversation.system);
    let system = system.join("\n");
    let directives = Directives::read(&body, &conversation.prompt)
        .map_err(|reason| RequestError::at("mock", reason))?;
    let schema = &body["output_config"]["format"]["schema"];
    if schema.is_object() {
        let field = "output_config.format.schema";
        check_strict_objects(schema).map_err(|reason| RequestError::at(field, reason))?;
    }
    let texts = conversation
        .texts
        .iter()
        .map(String::as_str)
        .chain([system.as_str()]);
    let tokens = estimate_tokens(texts);
    Ok(ModelRequest {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == Value::Bool(true),
        directives,
        system,
        tools,
        tool_choice: choice,
        parallel_tool_calls: body["tool_choice"]["disable_parallel_tool_use"] != Value::Bool(true),
        calls_before: conversation.calls,
        turn: conversation.turn,
        media: conversation.media,
        output: if schema.is_object() {
            Output::Schema(schema.clone())
        } else {
            Output::Text
        },
        reasoning,
        tokens_max: body["max_tokens"].as_u64(),
        stop: array_member(&body, "stop_sequences")
            .iter()
            .filter_map(|stop| stop.as_str().map(str::to_owned))
            .collect(),
        tokens,
        include_usage: true,
        candidate_count: 1,
        body,
    })
}

/// Checks a schema of a strict tool or of an output (Anthropic's guide "Structured outputs").
fn check_strict_objects(schema: &Value) -> Result<(), String> {
    match check_strict(schema) {
        // Anthropic allows optional properties; OpenAI does not.
        Err(reason) if reason.contains("'required'") => Ok(()),
        checked => checked,
    }
}

/// Returns whether the body enables thinking.
fn thinking_enabled(body: &Value) -> bool {
    matches!(
        body["thinking"]["type"].as_str(),
        Some("enabled" | "adaptive")
    )
}

/// Checks which members thinking excludes (Anthropic's guide "Extended thinking").
fn check_thinking(body: &Value) -> Result<(), RequestError> {
    if !thinking_enabled(body) {
        return Ok(());
    }
    let invalid = |field: &str, reason: &str| Err(RequestError::at(field, reason));
    if let Some(budget) = body["thinking"]["budget_tokens"].as_u64()
        && body["max_tokens"]
            .as_u64()
            .is_some_and(|most| most <= budget)
    {
        return invalid(
            "max_tokens",
            "it must be greater than `thinking.budget_tokens`",
        );
    }
    if body["temperature"]
        .as_f64()
        .is_some_and(|it| (it - 1.0).abs() > f64::EPSILON)
    {
        return invalid(
            "temperature",
            "it may only be set to 1 when thinking is enabled",
        );
    }
    if body.get("top_k").is_some() {
        return invalid("top_k", "it must be unset when thinking is enabled");
    }
    if body["top_p"].as_f64().is_some_and(|it| it < 0.95) {
        return invalid("top_p", "it must be at least 0.95 when thinking is enabled");
    }
    if matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool")) {
        return invalid(
            "tool_choice",
            "thinking may not be enabled when a tool is forced",
        );
    }
    Ok(())
}

fn parse_tools(body: &Value) -> Result<Vec<Tool>, RequestError> {
    let mut tools: Vec<Tool> = Vec::new();
    for (index, tool) in array_member(body, "tools").iter().enumerate() {
        let field = format!("tools.{index}");
        // Server tools have types that end with a date. The mock never calls them.
        let is_server_tool = str_member(tool, "type")
            .is_some_and(|kind| kind.rsplit('_').next().is_some_and(is_date));
        if is_server_tool {
            continue;
        }
        TOOL.validate(tool, violation_error)
            .map_err(|error| error.inside(&format!("{field}.custom")))?;
        let name = str_member(tool, "name").unwrap_or_default();
        if !is_valid_name(name, NAME_CHARACTERS_MAX) {
            return Err(RequestError::at(
                format!("{field}.custom.name"),
                "it must have 1 to 128 letters, digits, _ and -",
            ));
        }
        if tools.iter().any(|tool| tool.name == name) {
            return Err(RequestError::at(
                format!("{field}.custom.name"),
                "Tool names must be unique.",
            ));
        }
        if tool["input_schema"]["type"] != "object" {
            return Err(RequestError::at(
                format!("{field}.custom.input_schema.type"),
                "it must be 'object'",
            ));
        }
        if tool["strict"] == Value::Bool(true) {
            let field = format!("{field}.custom.input_schema");
            check_strict_objects(&tool["input_schema"])
                .map_err(|reason| RequestError::at(field, reason))?;
        }
        tools.push(Tool {
            name: name.to_owned(),
            schema: tool["input_schema"].clone(),
        });
    }
    Ok(tools)
}

fn is_date(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_tool_choice(body: &Value, tools: &[Tool]) -> Result<ToolChoice, RequestError> {
    let Some(kind) = str_member(&body["tool_choice"], "type") else {
        return Ok(ToolChoice::Auto);
    };
    if array_member(body, "tools").is_empty() {
        return Err(RequestError::at(
            "tool_choice",
            "it may only be specified while providing tools",
        ));
    }
    match kind {
        "any" => Ok(ToolChoice::Any),
        "none" => Ok(ToolChoice::Never),
        "tool" => {
            let name = body["tool_choice"]["name"].as_str().unwrap_or_default();
            let known = tools.iter().any(|tool| tool.name == name);
            let reason = format!("Tool '{name}' not found in provided tools");
            known
                .then(|| ToolChoice::Named(vec![name.to_owned()]))
                .ok_or_else(|| RequestError::at("tool_choice.name", reason))
        }
        _ => Ok(ToolChoice::Auto),
    }
}

/// The length limit of a tool name, in characters.
const NAME_CHARACTERS_MAX: usize = 128;
