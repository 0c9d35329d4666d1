//! Whether a response's request holds: its shape, and what OpenAI's reference says beyond that.

use serde_json::Value;

use super::shapes::{BODY, CHOICE, FUNCTION};
use super::talk::{Talk, talk};
use crate::practice::asked::{Asked, Choice, Output, Tool, Wrong, items_of, text_of, tokens_of};
use crate::practice::openai::{check_schema, check_shape};
use crate::practice::wishes::Wishes;

/// What a request asks for.
pub(in crate::practice) fn check(body: Value) -> Result<Asked, Wrong> {
    check_shape(&body, &BODY)?;
    check_members(&body)?;
    let tools = tools(&body)?;
    let choice = choice(&body, &tools)?;
    let talk = read_input(&body["input"])?;
    let output = output(&body)?;
    let wishes = Wishes::read(&body, &talk.prompt).map_err(|told| Wrong::at("practice", told))?;
    let mut system: Vec<String> = text_of(&body, "instructions")
        .map(str::to_owned)
        .into_iter()
        .collect();
    system.extend(talk.system);
    let system = system.join("\n");
    let reasons = |name: &str| text_of(&body["reasoning"], name);
    let reasoning =
        reasons("summary").is_some() || reasons("effort").is_some_and(|it| it != "none");
    Ok(Asked {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == Value::Bool(true),
        wishes,
        tools,
        choice,
        parallel: body["parallel_tool_calls"] != Value::Bool(false),
        calls_before: talk.calls,
        turn: talk.turn,
        media: talk.media,
        output,
        reasoning,
        tokens_max: body["max_output_tokens"].as_u64(),
        stop: Vec::new(),
        tokens: tokens_of(
            talk.texts
                .iter()
                .map(String::as_str)
                .chain([system.as_str()]),
        ),
        system,
        usage: true,
        answers: 1,
        body,
    })
}

fn check_members(body: &Value) -> Result<(), Wrong> {
    if body["model"] == "" {
        return Err(Wrong::at("model", "a model is needed").coded("missing_required_parameter"));
    }
    if let Some(id) = text_of(body, "previous_response_id") {
        // Nothing is stored here.
        let told = format!("Previous response with id '{id}' not found.");
        return Err(Wrong::at("previous_response_id", told).coded("previous_response_not_found"));
    }
    if body["background"] == Value::Bool(true) && body["store"] == Value::Bool(false) {
        return Err(Wrong::at("background", "background needs store").coded("invalid_value"));
    }
    let tools = !items_of(body, "tools").is_empty();
    let forced = body["tool_choice"].is_object() || body["tool_choice"] == "required";
    if forced && !tools {
        let told = "Tool choices other than 'auto' and 'none' need 'tools'.";
        return Err(Wrong::at("tool_choice", told).coded("invalid_value"));
    }
    Ok(())
}

fn read_input(input: &Value) -> Result<Talk, Wrong> {
    match input {
        Value::Array(items) if items.is_empty() => {
            Err(Wrong::at("input", "input must not be empty"))
        }
        Value::Array(items) => talk(items),
        text => Ok(Talk::of_text(text.as_str().unwrap_or_default())),
    }
}

fn tools(body: &Value) -> Result<Vec<Tool>, Wrong> {
    let mut tools = Vec::new();
    for (index, tool) in items_of(body, "tools").iter().enumerate() {
        let field = format!("tools[{index}]");
        match text_of(tool, "type") {
            Some("function") => {}
            // The provider runs other tools itself, and has no need to.
            Some(_) => continue,
            None => {
                let told = format!("Missing required parameter: '{field}.type'.");
                return Err(
                    Wrong::at(format!("{field}.type"), told).coded("missing_required_parameter")
                );
            }
        }
        check_shape(tool, &FUNCTION).map_err(|wrong| Wrong {
            field: format!("{field}.{}", wrong.field),
            ..wrong
        })?;
        // A function without this member is strict as far as it can be.
        let strict = tool["strict"] == Value::Bool(true);
        check_schema(
            &field,
            text_of(tool, "name"),
            tool.get("parameters"),
            strict,
        )?;
        tools.push(Tool {
            name: tool["name"].as_str().unwrap_or_default().to_owned(),
            schema: tool["parameters"].clone(),
        });
    }
    Ok(tools)
}

fn choice(body: &Value, tools: &[Tool]) -> Result<Choice, Wrong> {
    let choice = &body["tool_choice"];
    match choice {
        Value::Object(_) => {}
        choice => {
            return Ok(match choice.as_str() {
                Some("none") => Choice::Never,
                Some("required") => Choice::Any,
                _ => Choice::Auto,
            });
        }
    }
    check_shape(choice, &CHOICE).map_err(|wrong| Wrong {
        field: format!("tool_choice.{}", wrong.field),
        ..wrong
    })?;
    let names: Vec<String> = match text_of(choice, "type") {
        Some("allowed_tools") if choice["mode"] == "auto" => return Ok(Choice::Auto),
        Some("allowed_tools") => items_of(choice, "tools")
            .iter()
            .filter_map(|tool| text_of(tool, "name").map(str::to_owned))
            .collect(),
        _ => vec![text_of(choice, "name").unwrap_or_default().to_owned()],
    };
    match names
        .iter()
        .find(|name| !tools.iter().any(|tool| tool.name == **name))
    {
        Some(name) => {
            let told = format!("Tool choice '{name}' not found in 'tools' parameter.");
            Err(Wrong::at("tool_choice", told).coded("invalid_value"))
        }
        None => Ok(Choice::Named(names)),
    }
}

fn output(body: &Value) -> Result<Output, Wrong> {
    let format = &body["text"]["format"];
    match text_of(format, "type") {
        Some("json_schema") => {
            let strict = format["strict"] == Value::Bool(true);
            check_schema(
                "text.format",
                text_of(format, "name"),
                format.get("schema"),
                strict,
            )?;
            Ok(Output::Schema(format["schema"].clone()))
        }
        Some("json_object") => {
            let says = body["input"].to_string().to_lowercase().contains("json");
            let told =
                "the input must contain the word 'json' to use 'text.format' of type 'json_object'";
            says.then_some(Output::Json)
                .ok_or_else(|| Wrong::at("input", told))
        }
        _ => Ok(Output::Text),
    }
}
