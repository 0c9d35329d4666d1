//! Whether a chat holds: its shape, and what OpenAI's reference says beyond that.

use serde_json::Value;

use super::shapes::BODY;
use crate::practice::asked::{
    Asked, Choice, Media, Output, Tool, Turn, Wrong, items_of, text_of, tokens_of,
};
use crate::practice::media::read_data_url;
use crate::practice::openai::{check_schema, check_shape, image};
use crate::practice::wishes::Wishes;

/// What a chat asks for.
pub(in crate::practice) fn check(body: Value) -> Result<Asked, Wrong> {
    check_shape(&body, &BODY)?;
    check_members(&body)?;
    let tools = tools(&body)?;
    let choice = choice(&body, &tools)?;
    let messages = items_of(&body, "messages");
    let talk = talk(messages)?;
    let output = output(&body, messages)?;
    let wishes =
        Wishes::read(&body, &talk.prompt_text()).map_err(|told| Wrong::at("practice", told))?;
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
    Ok(Asked {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: flag("stream") == Some(true),
        wishes,
        system: talk.system.join("\n"),
        tools,
        choice,
        parallel: flag("parallel_tool_calls") != Some(false),
        calls_before: talk.calls,
        turn: talk.turn,
        media: talk.media,
        output,
        reasoning: body["reasoning_effort"]
            .as_str()
            .is_some_and(|effort| effort != "none"),
        tokens_max,
        stop,
        tokens: tokens_of(talk.texts.iter().map(String::as_str)),
        usage: body["stream_options"]["include_usage"] == Value::Bool(true),
        answers: body["n"].as_u64().unwrap_or(1),
        body,
    })
}

fn check_members(body: &Value) -> Result<(), Wrong> {
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    let wrong = |field: &str, told: &str| Err(Wrong::at(field, told).coded("invalid_value"));
    if body["model"] == "" {
        return wrong("model", "you must provide a model parameter");
    }
    if items_of(body, "messages").is_empty() {
        return wrong("messages", "messages: at least one is needed");
    }
    if has("stream_options") && body["stream"] != Value::Bool(true) {
        return wrong(
            "stream_options",
            "stream_options is only allowed when stream is enabled",
        );
    }
    if has("max_tokens") && has("max_completion_tokens") {
        return wrong(
            "max_tokens",
            "max_tokens and max_completion_tokens exclude each other",
        );
    }
    if has("top_logprobs") && body["logprobs"] != Value::Bool(true) {
        return wrong("top_logprobs", "top_logprobs needs logprobs");
    }
    if items_of(body, "stop").len() > 4 {
        return wrong("stop", "stop has at most four texts");
    }
    let tools = !items_of(body, "tools").is_empty();
    if has("tools") && !tools {
        return wrong("tools", "tools must not be empty");
    }
    for field in ["tool_choice", "parallel_tool_calls"] {
        if has(field) && !tools {
            return wrong(
                field,
                &format!("{field} is only allowed when tools are given"),
            );
        }
    }
    Ok(())
}

fn tools(body: &Value) -> Result<Vec<Tool>, Wrong> {
    let mut tools = Vec::new();
    for (index, tool) in items_of(body, "tools").iter().enumerate() {
        if tool["type"] != "function" {
            continue;
        }
        let function = &tool["function"];
        let field = format!("tools[{index}].function");
        let strict = function["strict"] == Value::Bool(true);
        check_schema(
            &field,
            text_of(function, "name"),
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

fn choice(body: &Value, tools: &[Tool]) -> Result<Choice, Wrong> {
    let choice = &body["tool_choice"];
    let names: Vec<String> = match choice["type"].as_str() {
        Some("allowed_tools") if choice["allowed_tools"]["mode"] == "auto" => {
            return Ok(Choice::Auto);
        }
        Some("allowed_tools") => items_of(&choice["allowed_tools"], "tools")
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
                Some("none") => Choice::Never,
                Some("required") => Choice::Any,
                _ => Choice::Auto,
            });
        }
    };
    let unknown = names
        .iter()
        .find(|name| !tools.iter().any(|tool| tool.name == **name));
    match unknown {
        Some(name) => {
            let told = format!("Tool choice '{name}' not found in 'tools' parameter.");
            Err(Wrong::at("tool_choice", told).coded("invalid_value"))
        }
        None => Ok(Choice::Named(names)),
    }
}

fn output(body: &Value, messages: &[Value]) -> Result<Output, Wrong> {
    let format = &body["response_format"];
    match format["type"].as_str() {
        Some("json_schema") => {
            let given = &format["json_schema"];
            let strict = given["strict"] == Value::Bool(true);
            let field = "response_format.json_schema";
            check_schema(field, text_of(given, "name"), given.get("schema"), strict)?;
            Ok(Output::Schema(given["schema"].clone()))
        }
        Some("json_object") => {
            let says = messages
                .iter()
                .any(|it| it["content"].to_string().to_lowercase().contains("json"));
            let told = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
            says.then_some(Output::Json)
                .ok_or_else(|| Wrong::at("messages", told))
        }
        _ => Ok(Output::Text),
    }
}

/// What the messages come to.
#[derive(Default)]
struct Talk {
    system: Vec<String>,
    texts: Vec<String>,
    media: Vec<Media>,
    turn: Turn,
    /// Calls of tools so far.
    calls: usize,
    /// Calls that are not answered yet.
    open: Vec<String>,
}

impl Talk {
    fn prompt_text(&self) -> String {
        match &self.turn {
            Turn::Prompt(text) => text.clone(),
            Turn::Results(_) => String::new(),
        }
    }
}

fn talk(messages: &[Value]) -> Result<Talk, Wrong> {
    let mut talk = Talk::default();
    for (index, message) in messages.iter().enumerate() {
        let field = format!("messages[{index}]");
        let role = text_of(message, "role").unwrap_or_default();
        if role != "tool" && !talk.open.is_empty() {
            return Err(unanswered(&field, &talk.open));
        }
        let (text, media) = content(&field, &message["content"])?;
        talk.texts.push(text.clone());
        match role {
            "system" | "developer" => talk.system.push(text),
            "tool" => answer(&mut talk, &field, message, text)?,
            "assistant" => assistant(&mut talk, &field, message, &text)?,
            _ => (talk.turn, talk.media) = (Turn::Prompt(text), media),
        }
    }
    let last = format!("messages[{}]", messages.len());
    match talk.open.is_empty() {
        true => Ok(talk),
        false => Err(unanswered(&last, &talk.open)),
    }
}

fn unanswered(field: &str, open: &[String]) -> Wrong {
    let told = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'; missing: {}",
        open.join(", ")
    );
    Wrong::at(field, told)
}

fn answer(talk: &mut Talk, field: &str, message: &Value, text: String) -> Result<(), Wrong> {
    let id = text_of(message, "tool_call_id").unwrap_or_default();
    let Some(place) = talk.open.iter().position(|open| open == id) else {
        let told = format!(
            "'tool_call_id' {id} answers no call of the preceding message with 'tool_calls'"
        );
        return Err(Wrong::at(format!("{field}.tool_call_id"), told));
    };
    talk.open.remove(place);
    match &mut talk.turn {
        Turn::Results(results) => results.push(text),
        Turn::Prompt(_) => (talk.turn, talk.media) = (Turn::Results(vec![text]), Vec::new()),
    }
    Ok(())
}

fn assistant(talk: &mut Talk, field: &str, message: &Value, text: &str) -> Result<(), Wrong> {
    let calls = items_of(message, "tool_calls");
    let has = |name: &str| message.get(name).is_some_and(|value| !value.is_null());
    if message.get("tool_calls").is_some() && calls.is_empty() {
        return Err(Wrong::at(
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
        return Err(Wrong::at(
            format!("{field}.content"),
            "content is required unless there are tool_calls",
        ));
    }
    for (index, call) in calls.iter().enumerate() {
        let field = format!("{field}.tool_calls[{index}]");
        let id = text_of(call, "id").unwrap_or_default();
        if id.is_empty()
            || id.len() > CALL_ID_CHARACTERS_MAX
            || talk.open.iter().any(|open| open == id)
        {
            return Err(Wrong::at(
                format!("{field}.id"),
                "an id is needed, short and not used twice",
            ));
        }
        let arguments = text_of(&call["function"], "arguments").unwrap_or("{}");
        if serde_json::from_str::<serde_json::Map<String, Value>>(arguments).is_err() {
            return Err(Wrong::at(
                format!("{field}.function.arguments"),
                "arguments must be an object in JSON",
            ));
        }
        talk.open.push(id.to_owned());
        talk.calls += 1;
    }
    (talk.turn, talk.media) = (Turn::Prompt(text.to_owned()), Vec::new());
    Ok(())
}

/// The text and the media of a message.
fn content(field: &str, content: &Value) -> Result<(String, Vec<Media>), Wrong> {
    let Value::Array(parts) = content else {
        return Ok((content.as_str().unwrap_or_default().to_owned(), Vec::new()));
    };
    if parts.is_empty() {
        return Err(Wrong::at(
            format!("{field}.content"),
            "content must not be an empty array",
        ));
    }
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        let field = format!("{field}.content[{index}]");
        match text_of(part, "type").unwrap_or_default() {
            "image_url" => {
                let url = text_of(&part["image_url"], "url").unwrap_or_default();
                media.push(image(&format!("{field}.image_url.url"), url)?);
            }
            "file" => {
                if let Some(data) = text_of(&part["file"], "file_data") {
                    let read = read_data_url("document", data);
                    media.push(
                        read.map_err(|told| Wrong::at(format!("{field}.file.file_data"), told))?,
                    );
                }
            }
            _ => texts.push(text_of(part, "text").unwrap_or_default()),
        }
    }
    Ok((texts.join("\n"), media))
}

/// How long the id of a call may be.
const CALL_ID_CHARACTERS_MAX: usize = 64;
