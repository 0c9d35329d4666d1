//! Parses and validates Responses requests: the schema, and the rules that no schema has.

use serde_json::Value;

use super::conversation::{ResponsesConversation, read_conversation};
use super::schema::{BODY, CHOICE};
use super::tools::parse_tools;
use crate::directives::Directives;
use crate::openai_common::{check_json_schema, named_choice, violation_error};
use crate::request::{
    ModelRequest, Output, RequestError, Tool, ToolChoice, array_member, estimate_tokens, str_member,
};

/// Parses the body of a Responses request.
pub(crate) fn parse_request(body: Value) -> Result<ModelRequest, RequestError> {
    BODY.validate(&body, violation_error)?;
    check_members(&body)?;
    let tools = parse_tools(&body)?;
    let choice = parse_tool_choice(&body, &tools)?;
    let conversation = read_input(&body["input"])?;
    let output = parse_output(&body)?;
    let directives = Directives::read(&body, &conversation.prompt)
        .map_err(|reason| RequestError::at("mock", reason))?;
    let mut system: Vec<String> = str_member(&body, "instructions")
        .map(str::to_owned)
        .into_iter()
        .collect();
    system.extend(conversation.system);
    let system = system.join("\n");
    let reasons = |name: &str| str_member(&body["reasoning"], name);
    let reasoning =
        reasons("summary").is_some() || reasons("effort").is_some_and(|it| it != "none");
    Ok(ModelRequest {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == Value::Bool(true),
        directives,
        tools,
        tool_choice: choice,
        parallel_tool_calls: body["parallel_tool_calls"] != Value::Bool(false),
        calls_before: conversation.calls,
        turn: conversation.turn,
        media: conversation.media,
        output,
        reasoning,
        tokens_max: body["max_output_tokens"].as_u64(),
        stop: Vec::new(),
        tokens: estimate_tokens(
            conversation
                .texts
                .iter()
                .map(String::as_str)
                .chain([system.as_str()]),
        ),
        system,
        include_usage: true,
        candidate_count: 1,
        body,
    })
}

fn check_members(body: &Value) -> Result<(), RequestError> {
    if body["model"] == "" {
        return Err(
            RequestError::at("model", "a model is needed").with_code("missing_required_parameter")
        );
    }
    if let Some(id) = str_member(body, "previous_response_id") {
        // The mock stores no responses.
        let reason = format!("Previous response with id '{id}' not found.");
        return Err(RequestError::at("previous_response_id", reason)
            .with_code("previous_response_not_found"));
    }
    if body["background"] == Value::Bool(true) && body["store"] == Value::Bool(false) {
        return Err(
            RequestError::at("background", "background needs store").with_code("invalid_value")
        );
    }
    let tools = !array_member(body, "tools").is_empty();
    let forced = body["tool_choice"].is_object() || body["tool_choice"] == "required";
    if forced && !tools {
        let reason = "Tool choices other than 'auto' and 'none' need 'tools'.";
        return Err(RequestError::at("tool_choice", reason).with_code("invalid_value"));
    }
    Ok(())
}

fn read_input(input: &Value) -> Result<ResponsesConversation, RequestError> {
    match input {
        Value::Array(items) if items.is_empty() => {
            Err(RequestError::at("input", "input must not be empty"))
        }
        Value::Array(items) => read_conversation(items),
        text => Ok(ResponsesConversation::from_text(
            text.as_str().unwrap_or_default(),
        )),
    }
}

fn parse_tool_choice(body: &Value, tools: &[Tool]) -> Result<ToolChoice, RequestError> {
    let choice = &body["tool_choice"];
    match choice {
        Value::Object(_) => {}
        choice => {
            return Ok(match choice.as_str() {
                Some("none") => ToolChoice::Never,
                Some("required") => ToolChoice::Any,
                _ => ToolChoice::Auto,
            });
        }
    }
    CHOICE
        .validate(choice, violation_error)
        .map_err(|error| error.inside("tool_choice"))?;
    let names: Vec<String> = match str_member(choice, "type") {
        Some("allowed_tools") if choice["mode"] == "auto" => return Ok(ToolChoice::Auto),
        Some("allowed_tools") => array_member(choice, "tools")
            .iter()
            .filter_map(|tool| str_member(tool, "name").map(str::to_owned))
            .collect(),
        _ => vec![str_member(choice, "name").unwrap_or_default().to_owned()],
    };
    named_choice(names, tools)
}

fn parse_output(body: &Value) -> Result<Output, RequestError> {
    let format = &body["text"]["format"];
    match str_member(format, "type") {
        Some("json_schema") => {
            let strict = format["strict"] == Value::Bool(true);
            check_json_schema(
                "text.format",
                str_member(format, "name"),
                format.get("schema"),
                strict,
            )?;
            Ok(Output::Schema(format["schema"].clone()))
        }
        Some("json_object") => {
            let mentions_json = body["input"].to_string().to_lowercase().contains("json");
            let reason =
                "the input must contain the word 'json' to use 'text.format' of type 'json_object'";
            mentions_json
                .then_some(Output::Json)
                .ok_or_else(|| RequestError::at("input", reason))
        }
        _ => Ok(Output::Text),
    }
}
