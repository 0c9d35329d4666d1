//! Whether a request of Gemini's holds: its shape, and what its reference says beyond that.

use serde_json::{Map, Value};

use super::names::camel;
use super::shapes::{BODY, COUNT, EMBED, EMBEDS};
use super::talk::{Talk, talk, texts};
use crate::practice::asked::{Asked, Choice, Output, Tool, Wrong, items_of, text_of, tokens_of};
use crate::practice::shape::{Fault, FaultKind, Shape, Step};
use crate::practice::wishes::Wishes;

/// What a call for content asks for. The path says of which model, and whether it streams.
pub(super) fn check(body: Value, model: &str, stream: bool) -> Result<Asked, Wrong> {
    let body = camel(body);
    check_shape(&body, &BODY)?;
    let tools = tools(&body)?;
    let choice = choice(&body, &tools)?;
    let thinks_by_default = model.starts_with("gemini-3");
    let talk = talk(items_of(&body, "contents"), thinks_by_default)?;
    let generation = &body["generationConfig"];
    let output = output(generation)?;
    let reasoning = reasoning(generation)?;
    let stop = items_of(generation, "stopSequences");
    if stop.len() > STOP_SEQUENCES_MAX {
        return Err(Wrong::at(
            "generation_config.stop_sequences",
            "there are at most five",
        ));
    }
    let system = texts(&body["systemInstruction"]);
    let wishes = Wishes::read(&body, &talk.prompt).map_err(|told| Wrong::at("practice", told))?;
    Ok(Asked {
        tokens: tokens(&talk, &system),
        model: model.to_owned(),
        stream,
        wishes,
        system,
        tools,
        choice,
        parallel: true,
        calls_before: talk.calls,
        turn: talk.turn,
        media: talk.media,
        output,
        reasoning,
        tokens_max: generation["maxOutputTokens"].as_u64(),
        stop: stop
            .iter()
            .filter_map(|stop| stop.as_str().map(str::to_owned))
            .collect(),
        usage: true,
        answers: generation["candidateCount"].as_u64().unwrap_or(1),
        body,
    })
}

/// How many tokens a request has that is only counted.
pub(super) fn check_count(body: Value) -> Result<u64, Wrong> {
    let body = camel(body);
    check_shape(&body, &COUNT)?;
    match (body.get("contents"), body.get("generateContentRequest")) {
        (Some(_), Some(_)) => Err(Wrong::at(
            "generate_content_request",
            "contents and this exclude each other",
        )),
        (None, None) => Err(Wrong::at("contents", "contents is not specified")),
        (None, Some(whole)) => {
            check_shape(whole, &BODY)?;
            let talk = talk(items_of(whole, "contents"), false)?;
            Ok(tokens(&talk, &texts(&whole["systemInstruction"])))
        }
        (Some(_), None) => Ok(tokens(&talk(items_of(&body, "contents"), false)?, "")),
    }
}

/// The texts of one request for an embedding, and how long their vectors are to be.
pub(super) fn check_embed(body: Value) -> Result<(String, Option<u64>), Wrong> {
    let body = camel(body);
    check_shape(&body, &EMBED)?;
    embed(&body, "content")
}

/// The texts of several.
pub(super) fn check_embeds(body: Value, model: &str) -> Result<Vec<(String, Option<u64>)>, Wrong> {
    let body = camel(body);
    check_shape(&body, &EMBEDS)?;
    let requests = items_of(&body, "requests");
    if requests.is_empty() {
        return Err(Wrong::at("requests", "requests is empty"));
    }
    let read = |(index, request): (usize, &Value)| {
        let field = format!("requests[{index}]");
        if text_of(request, "model").is_none_or(|it| it.trim_start_matches("models/") != model) {
            return Err(Wrong::at(
                format!("{field}.model"),
                "it must be the model of the path",
            ));
        }
        embed(request, &format!("{field}.content"))
    };
    requests.iter().enumerate().map(read).collect()
}

fn embed(request: &Value, field: &str) -> Result<(String, Option<u64>), Wrong> {
    let text = texts(&request["content"]);
    if text.is_empty() {
        return Err(Wrong::at(field, "content is empty"));
    }
    Ok((text, request["outputDimensionality"].as_u64()))
}

fn check_shape(body: &Value, shape: &Shape) -> Result<(), Wrong> {
    shape.check(body).map_err(|fault| worded(&fault))
}

fn worded(fault: &Fault) -> Wrong {
    let told = match (&fault.kind, fault.path.last()) {
        (FaultKind::Unknown, Some(Step::Name(name))) => {
            format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field.")
        }
        (FaultKind::Missing, _) => "it is required and not specified".to_owned(),
        _ => format!("Invalid value: {}", fault.words()),
    };
    Wrong::at(fault.brackets(), told)
}

fn tokens(talk: &Talk, system: &str) -> u64 {
    tokens_of(talk.texts.iter().map(String::as_str).chain([system]))
}

fn tools(body: &Value) -> Result<Vec<Tool>, Wrong> {
    let mut tools: Vec<Tool> = Vec::new();
    for (place, given) in items_of(body, "tools").iter().enumerate() {
        if given.as_object().is_none_or(Map::is_empty) {
            return Err(Wrong::at(
                format!("tools[{place}]"),
                "a tool must have one kind set",
            ));
        }
        for (index, function) in items_of(given, "functionDeclarations").iter().enumerate() {
            let field = format!("tools[{place}].function_declarations[{index}]");
            let tool = declaration(&field, function)?;
            if tools.iter().any(|known| known.name == tool.name) {
                return Err(Wrong::at(
                    format!("{field}.name"),
                    "Duplicate function declaration found",
                ));
            }
            tools.push(tool);
        }
    }
    Ok(tools)
}

fn declaration(field: &str, function: &Value) -> Result<Tool, Wrong> {
    let name = text_of(function, "name").unwrap_or_default();
    let fits = |it: char| it.is_ascii_alphanumeric() || "_.:-".contains(it);
    let begins = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    if !begins || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(fits) {
        return Err(Wrong::at(format!("{field}.name"), "Invalid function name"));
    }
    let (own, json) = (
        function.get("parameters"),
        function.get("parametersJsonSchema"),
    );
    if own.is_some() && json.is_some() {
        let told = "parameters and parameters_json_schema exclude each other";
        return Err(Wrong::at(format!("{field}.parameters_json_schema"), told));
    }
    if let Some(own) = own {
        check_schema(&format!("{field}.parameters"), own)?;
        if text_of(own, "type").is_none_or(|kind| !kind.eq_ignore_ascii_case("object")) {
            return Err(Wrong::at(
                format!("{field}.parameters.type"),
                "it must be OBJECT",
            ));
        }
    }
    Ok(Tool {
        name: name.to_owned(),
        schema: own.or(json).cloned().unwrap_or(Value::Null),
    })
}

/// What holds in each of Gemini's own schemas.
fn check_schema(field: &str, schema: &Value) -> Result<(), Wrong> {
    let kind = text_of(schema, "type").map(str::to_lowercase);
    if kind.is_none() && schema.get("anyOf").is_none() {
        return Err(Wrong::at(format!("{field}.type"), "it must be specified"));
    }
    if kind.as_deref() == Some("array") && schema.get("items").is_none() {
        return Err(Wrong::at(format!("{field}.items"), "missing field"));
    }
    if schema.get("enum").is_some() && kind.as_deref() != Some("string") {
        return Err(Wrong::at(
            format!("{field}.enum"),
            "only allowed for STRING type",
        ));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        check_schema(&format!("{field}.properties[{name}]"), property)?;
    }
    for name in items_of(schema, "required")
        .iter()
        .filter_map(Value::as_str)
    {
        if properties.is_none_or(|properties| !properties.contains_key(name)) {
            return Err(Wrong::at(
                format!("{field}.required"),
                format!("property {name} is not defined"),
            ));
        }
    }
    for (index, choice) in items_of(schema, "anyOf").iter().enumerate() {
        check_schema(&format!("{field}.any_of[{index}]"), choice)?;
    }
    schema.get("items").map_or(Ok(()), |items| {
        check_schema(&format!("{field}.items"), items)
    })
}

fn choice(body: &Value, tools: &[Tool]) -> Result<Choice, Wrong> {
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let field = "tool_config.function_calling_config";
    let names = items_of(calling, "allowedFunctionNames");
    let names: Vec<String> = names
        .iter()
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect();
    let mode = text_of(calling, "mode").unwrap_or("AUTO");
    if !names.is_empty() && !["ANY", "VALIDATED"].contains(&mode) {
        let told = "it may only be set when mode is ANY or VALIDATED";
        return Err(Wrong::at(format!("{field}.allowed_function_names"), told));
    }
    if let Some(name) = names
        .iter()
        .find(|name| !tools.iter().any(|tool| tool.name == **name))
    {
        let told = format!("{name} is no declared function");
        return Err(Wrong::at(format!("{field}.allowed_function_names"), told));
    }
    match mode {
        "ANY" if tools.is_empty() => Err(Wrong::at(
            format!("{field}.mode"),
            "ANY needs function declarations",
        )),
        "ANY" if names.is_empty() => Ok(Choice::Any),
        "ANY" => Ok(Choice::Named(names)),
        "NONE" => Ok(Choice::Never),
        _ => Ok(Choice::Auto),
    }
}

fn output(generation: &Value) -> Result<Output, Wrong> {
    let (own, json) = (
        generation.get("responseSchema"),
        generation.get("responseJsonSchema"),
    );
    let wants_json = generation["responseMimeType"] == "application/json";
    if own.is_some() && json.is_some() {
        let told = "response_schema and response_json_schema exclude each other";
        return Err(Wrong::at("generation_config.response_json_schema", told));
    }
    if let Some(own) = own {
        check_schema("generation_config.response_schema", own)?;
    }
    match own.or(json) {
        Some(_) if !wants_json => {
            let told = "a schema needs response_mime_type to be application/json";
            Err(Wrong::at("generation_config.response_mime_type", told))
        }
        Some(schema) => Ok(Output::Schema(schema.clone())),
        None if wants_json => Ok(Output::Json),
        None => Ok(Output::Text),
    }
}

/// Whether thoughts are to be shown.
fn reasoning(generation: &Value) -> Result<bool, Wrong> {
    let thinking = &generation["thinkingConfig"];
    if thinking.get("thinkingBudget").is_some() && thinking.get("thinkingLevel").is_some() {
        let told = "thinking_budget and thinking_level exclude each other";
        return Err(Wrong::at(
            "generation_config.thinking_config.thinking_level",
            told,
        ));
    }
    Ok(thinking["includeThoughts"] == Value::Bool(true) && thinking["thinkingBudget"] != 0)
}

/// How long a function's name may be.
const NAME_CHARACTERS_MAX: usize = 64;

/// How many stop sequences there may be.
const STOP_SEQUENCES_MAX: usize = 5;
