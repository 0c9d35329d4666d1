//! Parses and validates chat requests: the schema, and the rules that no schema has.

use serde_json::Value;

use super::conversation::read_conversation;
use super::schema::BODY;
use crate::directives::Directives;
use crate::openai_common::{check_json_schema, named_choice, parse_stop, violation_error};
use crate::request::{
    ModelRequest, Output, RequestError, Tool, ToolChoice, array_member, estimate_tokens, str_member,
};

/// Parses the body of a chat request.
pub(crate) fn parse_request(body: Value) -> Result<ModelRequest, RequestError> {
    BODY.validate(&body, violation_error)?;
    check_members(&body)?;
    let tools = parse_tools(&body)?;
    let choice = parse_tool_choice(&body, &tools)?;
    let messages = array_member(&body, "messages");
    let conversation = read_conversation(messages)?;
    let output = parse_output(&body, messages)?;
    let directives = Directives::read(&body, conversation.turn.prompt())
        .map_err(|reason| RequestError::at("mock", reason))?;
    let flag = |name: &str| body.get(name).and_then(Value::as_bool);
    let tokens_max = ["max_completion_tokens", "max_tokens"]
        .into_iter()
        .find_map(|name| body[name].as_u64());
    Ok(ModelRequest {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: flag("stream") == Some(true),
        directives,
        system: conversation.system.join("\n"),
        tools,
        tool_choice: choice,
        parallel_tool_calls: flag("parallel_tool_calls") != Some(false),
        calls_before: conversation.calls,
        turn: conversation.turn,
        media: conversation.media,
        output,
        reasoning: body["reasoning_effort"]
            .as_str()
            .is_some_and(|effort| effort != "none"),
        tokens_max,
        stop: parse_stop(&body["stop"]),
        tokens: estimate_tokens(conversation.texts.iter().map(String::as_str)),
        include_usage: body["stream_options"]["include_usage"] == Value::Bool(true),
        candidate_count: body["n"].as_u64().unwrap_or(1),
        body,
    })
}

/// Removes what OpenAI's API does not have and other servers of the same dialect do.
pub(crate) fn remove_unknown(body: &mut Value) {
    BODY.remove_unknown(body);
}

fn check_members(body: &Value) -> Result<(), RequestError> {
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    let invalid =
        |field: &str, reason: &str| Err(RequestError::at(field, reason).with_code("invalid_value"));
    if body["model"] == "" {
        return invalid("model", "you must provide a model parameter");
    }
    if array_member(body, "messages").is_empty() {
        return invalid("messages", "messages must not be empty");
    }
    if has("stream_options") && body["stream"] != Value::Bool(true) {
        return invalid(
            "stream_options",
            "stream_options is only allowed when stream is enabled",
        );
    }
    if has("max_tokens") && has("max_completion_tokens") {
        return invalid(
            "max_tokens",
            "max_tokens and max_completion_tokens exclude each other",
        );
    }
    if has("top_logprobs") && body["logprobs"] != Value::Bool(true) {
        return invalid("top_logprobs", "top_logprobs needs logprobs");
    }
    if array_member(body, "stop").len() > 4 {
        return invalid("stop", "stop must have at most four sequences");
    }
    let tools = !array_member(body, "tools").is_empty();
    if has("tools") && !tools {
        return invalid("tools", "tools must not be empty");
    }
    for field in ["tool_choice", "parallel_tool_calls"] {
        if has(field) && !tools {
            return invalid(
                field,
                &format!("{field} is only allowed when tools are given"),
            );
        }
    }
    Ok(())
}

fn parse_tools(body: &Value) -> Result<Vec<Tool>, RequestError> {
    let mut tools = Vec::new();
    for (index, tool) in array_member(body, "tools").iter().enumerate() {
        if tool["type"] != "function" {
            continue;
        }
        let function = &tool["function"];
        let field = format!("tools[{index}].function");
        let strict = function["strict"] == Value::Bool(true);
        check_json_schema(
            &field,
            str_member(function, "name"),
            function.get("parameters"),
            strict,
        )?;
        tools.push(Tool {
            name: function["name"].as_str().unwrap_or_default().to_owned(),
            schema: function["parameters"].clone(),
        });
    }
    Ok(tools)
}

fn parse_tool_choice(body: &Value, tools: &[Tool]) -> Result<ToolChoice, RequestError> {
    let choice = &body["tool_choice"];
    let names: Vec<String> = match choice["type"].as_str() {
        Some("allowed_tools") if choice["allowed_tools"]["mode"] == "auto" => {
            return Ok(ToolChoice::Auto);
        }
        Some("allowed_tools") => array_member(&choice["allowed_tools"], "tools")
            .iter()
            .filter_map(|tool| Some(tool["function"]["name"].as_str()?.to_owned()))
            .collect(),
        Some(_) => vec![
            choice["function"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        ],
        None => {
            return Ok(match choice.as_str() {
                Some("none") => ToolChoice::Never,
                Some("required") => ToolChoice::Any,
                _ => ToolChoice::Auto,
            });
        }
    };
    named_choice(names, tools)
}

fn parse_output(body: &Value, messages: &[Value]) -> Result<Output, RequestError> {
    let format = &body["response_format"];
    match format["type"].as_str() {
        Some("json_schema") => {
            let given = &format["json_schema"];
            let strict = given["strict"] == Value::Bool(true);
            let field = "response_format.json_schema";
            check_json_schema(
                field,
                str_member(given, "name"),
                given.get("schema"),
                strict,
            )?;
            Ok(Output::Schema(given["schema"].clone()))
        }
        Some("json_object") => {
            let mentions_json = messages
                .iter()
                .any(|it| it["content"].to_string().to_lowercase().contains("json"));
            let reason = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
            mentions_json
                .then_some(Output::Json)
                .ok_or_else(|| RequestError::at("messages", reason))
        }
        _ => Ok(Output::Text),
    }
}
