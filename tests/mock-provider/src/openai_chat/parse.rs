//! Whether a chat holds: its shape, and what OpenAI's reference says beyond that.

use serde_json::Value;

use super::schema::BODY;
use crate::directives::Directives;
use crate::media::read_data_url;
use crate::openai_common::{check_json_schema, read_image, validate};
use crate::request::{
    Media, ModelRequest, Output, RequestError, Tool, ToolChoice, Turn, array_member,
    estimate_tokens, str_member,
};

/// What a chat asks for.
pub(crate) fn parse_request(body: Value) -> Result<ModelRequest, RequestError> {
    validate(&body, &BODY)?;
    check_members(&body)?;
    let tools = parse_tools(&body)?;
    let choice = parse_tool_choice(&body, &tools)?;
    let messages = array_member(&body, "messages");
    let conversation = read_conversation(messages)?;
    let output = parse_output(&body, messages)?;
    let directives = Directives::read(&body, &conversation.prompt_text())
        .map_err(|reason| RequestError::at("mock", reason))?;
    let flag = |name: &str| body.get(name).and_then(Value::as_bool);
    let tokens_max = ["max_completion_tokens", "max_tokens"]
        .into_iter()
        .find_map(|name| body[name].as_u64());
    let stop = match &body["stop"] {
        Value::String(stop) => vec![stop.clone()],
        stops => stops
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|stop| stop.as_str().map(str::to_owned))
            .collect(),
    };
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
        stop,
        tokens: estimate_tokens(conversation.texts.iter().map(String::as_str)),
        include_usage: body["stream_options"]["include_usage"] == Value::Bool(true),
        candidate_count: body["n"].as_u64().unwrap_or(1),
        body,
    })
}

fn check_members(body: &Value) -> Result<(), RequestError> {
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    let invalid =
        |field: &str, reason: &str| Err(RequestError::at(field, reason).with_code("invalid_value"));
    if body["model"] == "" {
        return invalid("model", "you must provide a model parameter");
    }
    if array_member(body, "messages").is_empty() {
        return invalid("messages", "messages: at least one is needed");
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
        return invalid("stop", "stop has at most four texts");
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
    let unknown = names
        .iter()
        .find(|name| !tools.iter().any(|tool| tool.name == **name));
    match unknown {
        Some(name) => {
            let reason = format!("Tool choice '{name}' not found in 'tools' parameter.");
            Err(RequestError::at("tool_choice", reason).with_code("invalid_value"))
        }
        None => Ok(ToolChoice::Named(names)),
    }
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

/// What the messages come to.
#[derive(Default)]
struct ChatConversation {
    system: Vec<String>,
    texts: Vec<String>,
    media: Vec<Media>,
    turn: Turn,
    /// Calls of tools so far.
    calls: usize,
    /// Calls that are not answered yet.
    pending: Vec<String>,
}

impl ChatConversation {
    fn prompt_text(&self) -> String {
        match &self.turn {
            Turn::Prompt(text) => text.clone(),
            Turn::Results(_) => String::new(),
        }
    }
}

fn read_conversation(messages: &[Value]) -> Result<ChatConversation, RequestError> {
    let mut conversation = ChatConversation::default();
    for (index, message) in messages.iter().enumerate() {
        let field = format!("messages[{index}]");
        let role = str_member(message, "role").unwrap_or_default();
        if role != "tool" && !conversation.pending.is_empty() {
            return Err(missing_results(&field, &conversation.pending));
        }
        let (text, media) = read_content(&field, &message["content"])?;
        conversation.texts.push(text.clone());
        match role {
            "system" | "developer" => conversation.system.push(text),
            "tool" => read_tool_result(&mut conversation, &field, message, text)?,
            "assistant" => read_assistant(&mut conversation, &field, message, &text)?,
            _ => (conversation.turn, conversation.media) = (Turn::Prompt(text), media),
        }
    }
    let last = format!("messages[{}]", messages.len());
    match conversation.pending.is_empty() {
        true => Ok(conversation),
        false => Err(missing_results(&last, &conversation.pending)),
    }
}

fn missing_results(field: &str, open: &[String]) -> RequestError {
    let reason = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'; missing: {}",
        open.join(", ")
    );
    RequestError::at(field, reason)
}

fn read_tool_result(
    conversation: &mut ChatConversation,
    field: &str,
    message: &Value,
    text: String,
) -> Result<(), RequestError> {
    let id = str_member(message, "tool_call_id").unwrap_or_default();
    let Some(place) = conversation.pending.iter().position(|open| open == id) else {
        let reason = format!(
            "'tool_call_id' {id} answers no call of the preceding message with 'tool_calls'"
        );
        return Err(RequestError::at(format!("{field}.tool_call_id"), reason));
    };
    conversation.pending.remove(place);
    match &mut conversation.turn {
        Turn::Results(results) => results.push(text),
        Turn::Prompt(_) => {
            (conversation.turn, conversation.media) = (Turn::Results(vec![text]), Vec::new())
        }
    }
    Ok(())
}

fn read_assistant(
    conversation: &mut ChatConversation,
    field: &str,
    message: &Value,
    text: &str,
) -> Result<(), RequestError> {
    let calls = array_member(message, "tool_calls");
    let has = |name: &str| message.get(name).is_some_and(|value| !value.is_null());
    if message.get("tool_calls").is_some() && calls.is_empty() {
        return Err(RequestError::at(
            format!("{field}.tool_calls"),
            "tool_calls must not be empty",
        ));
    }
    if !has("content")
        && calls.is_empty()
        && !has("refusal")
        && !has("function_call")
        && !has("audio")
    {
        return Err(RequestError::at(
            format!("{field}.content"),
            "content is required unless there are tool_calls",
        ));
    }
    for (index, call) in calls.iter().enumerate() {
        let field = format!("{field}.tool_calls[{index}]");
        let id = str_member(call, "id").unwrap_or_default();
        if id.is_empty()
            || id.len() > CALL_ID_CHARACTERS_MAX
            || conversation.pending.iter().any(|open| open == id)
        {
            return Err(RequestError::at(
                format!("{field}.id"),
                "an id is needed, short and not used twice",
            ));
        }
        let arguments = str_member(&call["function"], "arguments").unwrap_or("{}");
        if serde_json::from_str::<serde_json::Map<String, Value>>(arguments).is_err() {
            return Err(RequestError::at(
                format!("{field}.function.arguments"),
                "arguments must be an object in JSON",
            ));
        }
        conversation.pending.push(id.to_owned());
        conversation.calls += 1;
    }
    (conversation.turn, conversation.media) = (Turn::Prompt(text.to_owned()), Vec::new());
    Ok(())
}

/// The text and the media of a message.
fn read_content(field: &str, content: &Value) -> Result<(String, Vec<Media>), RequestError> {
    let Value::Array(parts) = content else {
        return Ok((content.as_str().unwrap_or_default().to_owned(), Vec::new()));
    };
    if parts.is_empty() {
        return Err(RequestError::at(
            format!("{field}.content"),
            "content must not be an empty array",
        ));
    }
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        let field = format!("{field}.content[{index}]");
        match str_member(part, "type").unwrap_or_default() {
            "image_url" => {
                let url = str_member(&part["image_url"], "url").unwrap_or_default();
                media.push(read_image(&format!("{field}.image_url.url"), url)?);
            }
            "file" => {
                if let Some(data) = str_member(&part["file"], "file_data") {
                    let read = read_data_url("document", data);
                    media.push(read.map_err(|reason| {
                        RequestError::at(format!("{field}.file.file_data"), reason)
                    })?);
                }
            }
            _ => texts.push(str_member(part, "text").unwrap_or_default()),
        }
    }
    Ok((texts.join("\n"), media))
}

/// How long the id of a call may be.
const CALL_ID_CHARACTERS_MAX: usize = 64;
