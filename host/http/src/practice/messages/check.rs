//! Whether a message's body holds: its shape, and what Anthropic's reference says beyond that.

use serde_json::Value;

use super::shapes::{BODY, COUNT_BODY, TOOL};
use super::talk::talk;
use crate::practice::asked::{Asked, Choice, Output, Tool, Wrong, items_of, text_of, tokens_of};
use crate::practice::shape::{Fault, FaultKind, Shape};
use crate::practice::strict::{check_strict, is_name};
use crate::practice::wishes::Wishes;

/// What a body asks for.
pub(in crate::practice) fn check(body: Value) -> Result<Asked, Wrong> {
    check_shape(&body, &BODY, "")?;
    check_thinking(&body)?;
    read(body)
}

/// What a token count asks for.
pub(in crate::practice) fn check_count(body: Value) -> Result<Asked, Wrong> {
    check_shape(&body, &COUNT_BODY, "")?;
    read(body)
}

fn check_shape(value: &Value, shape: &Shape, prefix: &str) -> Result<(), Wrong> {
    let worded = |fault: Fault| {
        let told = match fault.kind {
            FaultKind::Unknown => "Extra inputs are not permitted".to_owned(),
            FaultKind::Missing => "Field required".to_owned(),
            FaultKind::Type(_) | FaultKind::NotOneOf(_) | FaultKind::Range(..) => fault.words(),
        };
        Wrong::at(format!("{prefix}{}", fault.dots()), told)
    };
    shape.check(value).map_err(worded)
}

fn read(body: Value) -> Result<Asked, Wrong> {
    let tools = tools(&body)?;
    let choice = choice(&body, &tools)?;
    let thinks = thinks(&body);
    if body["model"] == "" {
        return Err(Wrong::at("model", "a model is needed"));
    }
    // With adaptive thinking, turns need not begin with thoughts.
    let begins = body["thinking"]["type"] == "enabled";
    let talk = talk(items_of(&body, "messages"), begins)?;
    let mut system = match &body["system"] {
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| text_of(block, "text"))
            .map(str::to_owned)
            .collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    };
    let empty = system.iter().any(|text| text.is_empty());
    if empty && body["system"].is_array() {
        return Err(Wrong::at("system", "text content blocks must be non-empty"));
    }
    system.extend(talk.system);
    let system = system.join("\n");
    let wishes = Wishes::read(&body, &talk.prompt).map_err(|told| Wrong::at("practice", told))?;
    let schema = &body["output_config"]["format"]["schema"];
    if schema.is_object() {
        let field = "output_config.format.schema";
        check_strict_objects(schema).map_err(|told| Wrong::at(field, told))?;
    }
    let texts = talk
        .texts
        .iter()
        .map(String::as_str)
        .chain([system.as_str()]);
    let tokens = tokens_of(texts);
    Ok(Asked {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == Value::Bool(true),
        wishes,
        system,
        tools,
        choice,
        parallel: body["tool_choice"]["disable_parallel_tool_use"] != Value::Bool(true),
        calls_before: talk.calls,
        turn: talk.turn,
        media: talk.media,
        output: if schema.is_object() {
            Output::Schema(schema.clone())
        } else {
            Output::Text
        },
        reasoning: thinks,
        tokens_max: body["max_tokens"].as_u64(),
        stop: items_of(&body, "stop_sequences")
            .iter()
            .filter_map(|stop| stop.as_str().map(str::to_owned))
            .collect(),
        tokens,
        usage: true,
        answers: 1,
        body,
    })
}

/// Objects of an output's schema are closed (its guide "Structured outputs").
fn check_strict_objects(schema: &Value) -> Result<(), String> {
    match check_strict(schema) {
        // Only OpenAI wants every property to be required.
        Err(told) if told.contains("'required'") => Ok(()),
        checked => checked,
    }
}

/// Whether a body asks for thinking.
fn thinks(body: &Value) -> bool {
    matches!(
        body["thinking"]["type"].as_str(),
        Some("enabled" | "adaptive")
    )
}

/// What its guide "Extended thinking" says of what goes together.
fn check_thinking(body: &Value) -> Result<(), Wrong> {
    if !thinks(body) {
        return Ok(());
    }
    let wrong = |field: &str, told: &str| Err(Wrong::at(field, told));
    if let Some(budget) = body["thinking"]["budget_tokens"].as_u64()
        && body["max_tokens"]
            .as_u64()
            .is_some_and(|most| most <= budget)
    {
        return wrong(
            "max_tokens",
            "it must be greater than `thinking.budget_tokens`",
        );
    }
    if body["temperature"]
        .as_f64()
        .is_some_and(|it| (it - 1.0).abs() > f64::EPSILON)
    {
        return wrong(
            "temperature",
            "it may only be set to 1 when thinking is enabled",
        );
    }
    if body.get("top_k").is_some() {
        return wrong("top_k", "it must be unset when thinking is enabled");
    }
    if body["top_p"].as_f64().is_some_and(|it| it < 0.95) {
        return wrong("top_p", "it must be at least 0.95 when thinking is enabled");
    }
    if matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool")) {
        return wrong(
            "tool_choice",
            "thinking may not be enabled when a tool is forced",
        );
    }
    Ok(())
}

fn tools(body: &Value) -> Result<Vec<Tool>, Wrong> {
    let mut tools: Vec<Tool> = Vec::new();
    for (index, tool) in items_of(body, "tools").iter().enumerate() {
        let field = format!("tools.{index}");
        // Tools that the provider runs itself have types with a date; nothing here runs them.
        let server =
            text_of(tool, "type").is_some_and(|kind| kind.rsplit('_').next().is_some_and(is_date));
        if server {
            continue;
        }
        check_shape(tool, &TOOL, &format!("{field}.custom."))?;
        let name = text_of(tool, "name").unwrap_or_default();
        if !is_name(name, NAME_CHARACTERS_MAX) {
            return Err(Wrong::at(
                format!("{field}.custom.name"),
                "it must have 1 to 128 letters, digits, _ and -",
            ));
        }
        if tools.iter().any(|tool| tool.name == name) {
            return Err(Wrong::at(
                format!("{field}.custom.name"),
                "Tool names must be unique.",
            ));
        }
        if tool["input_schema"]["type"] != "object" {
            return Err(Wrong::at(
                format!("{field}.custom.input_schema.type"),
                "it must be 'object'",
            ));
        }
        if tool["strict"] == Value::Bool(true) {
            let field = format!("{field}.custom.input_schema");
            check_strict_objects(&tool["input_schema"]).map_err(|told| Wrong::at(field, told))?;
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

fn choice(body: &Value, tools: &[Tool]) -> Result<Choice, Wrong> {
    let Some(kind) = text_of(&body["tool_choice"], "type") else {
        return Ok(Choice::Auto);
    };
    if items_of(body, "tools").is_empty() {
        return Err(Wrong::at(
            "tool_choice",
            "it may only be specified while providing tools",
        ));
    }
    match kind {
        "any" => Ok(Choice::Any),
        "none" => Ok(Choice::Never),
        "tool" => {
            let name = body["tool_choice"]["name"].as_str().unwrap_or_default();
            let known = tools.iter().any(|tool| tool.name == name);
            let told = format!("Tool '{name}' not found in provided tools");
            known
                .then(|| Choice::Named(vec![name.to_owned()]))
                .ok_or_else(|| Wrong::at("tool_choice.name", told))
        }
        _ => Ok(Choice::Auto),
    }
}

/// How long a tool's name may be.
const NAME_CHARACTERS_MAX: usize = 128;
