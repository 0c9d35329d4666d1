//! Parses and validates Gemini requests: the schema, and the rules that no schema has.

use serde_json::{Map, Value};

use super::camel_case::to_camel_case;
use super::conversation::{GeminiConversation, content_text, read_conversation};
use super::schema::{BATCH_EMBED, BODY, COUNT, EMBED};
use crate::directives::Directives;
use crate::request::{
    ModelRequest, Output, RequestError, Tool, ToolChoice, array_member, estimate_tokens, str_member,
};
use crate::schema::{PathSegment, Violation, ViolationKind};

/// Parses the body of a content request. The model and the streaming mode are in the path.
pub(super) fn parse_request(
    body: Value,
    model: &str,
    stream: bool,
) -> Result<ModelRequest, RequestError> {
    let body = to_camel_case(body);
    BODY.validate(&body, violation_error)?;
    let tools = parse_tools(&body)?;
    let choice = parse_tool_choice(&body, &tools)?;
    let signatures_required = model.starts_with("gemini-3");
    let conversation = read_conversation(array_member(&body, "contents"), signatures_required)?;
    let generation = &body["generationConfig"];
    let output = parse_output(generation)?;
    let reasoning = parse_reasoning(generation)?;
    let stop = array_member(generation, "stopSequences");
    if stop.len() > STOP_SEQUENCES_MAX {
        return Err(RequestError::at(
            "generation_config.stop_sequences",
            "at most five stop sequences are allowed",
        ));
    }
    let system = content_text(&body["systemInstruction"]);
    let directives = Directives::read(&body, &conversation.prompt)
        .map_err(|reason| RequestError::at("mock", reason))?;
    Ok(ModelRequest {
        tokens: prompt_tokens(&conversation, &system),
        model: model.to_owned(),
        stream,
        directives,
        system,
        tools,
        tool_choice: choice,
        parallel_tool_calls: true,
        calls_before: conversation.calls,
        turn: conversation.turn,
        media: conversation.media,
        output,
        reasoning,
        tokens_max: generation["maxOutputTokens"].as_u64(),
        stop: stop
            .iter()
            .filter_map(|stop| stop.as_str().map(str::to_owned))
            .collect(),
        include_usage: true,
        candidate_count: generation["candidateCount"].as_u64().unwrap_or(1),
        body,
    })
}

/// Parses the body of a token count, and returns the count.
pub(super) fn count_tokens(body: Value) -> Result<u64, RequestError> {
    let body = to_camel_case(body);
    COUNT.validate(&body, violation_error)?;
    match (body.get("contents"), body.get("generateContentRequest")) {
        (Some(_), Some(_)) => Err(RequestError::at(
            "generate_content_request",
            "contents and generate_content_request exclude each other",
        )),
        (None, None) => Err(RequestError::at("contents", "contents is not specified")),
        (None, Some(whole)) => {
            BODY.validate(whole, violation_error)?;
            let conversation = read_conversation(array_member(whole, "contents"), false)?;
            Ok(prompt_tokens(
                &conversation,
                &content_text(&whole["systemInstruction"]),
            ))
        }
        (Some(_), None) => Ok(prompt_tokens(
            &read_conversation(array_member(&body, "contents"), false)?,
            "",
        )),
    }
}

/// Parses the body of one embedding: the text, and the number of dimensions.
pub(super) fn parse_embed_request(body: Value) -> Result<(String, Option<u64>), RequestError> {
    let body = to_camel_case(body);
    EMBED.validate(&body, violation_error)?;
    read_embed_request(&body, "content")
}

/// Parses the body of several embeddings.
pub(super) fn parse_batch_embed_request(
    body: Value,
    model: &str,
) -> Result<Vec<(String, Option<u64>)>, RequestError> {
    let body = to_camel_case(body);
    BATCH_EMBED.validate(&body, violation_error)?;
    let requests = array_member(&body, "requests");
    if requests.is_empty() {
        return Err(RequestError::at("requests", "requests is empty"));
    }
    let read = |(index, request): (usize, &Value)| {
        let field = format!("requests[{index}]");
        if str_member(request, "model").is_none_or(|it| it.trim_start_matches("models/") != model) {
            return Err(RequestError::at(
                format!("{field}.model"),
                "it must be the model of the path",
            ));
        }
        read_embed_request(request, &format!("{field}.content"))
    };
    requests.iter().enumerate().map(read).collect()
}

fn read_embed_request(request: &Value, field: &str) -> Result<(String, Option<u64>), RequestError> {
    let text = content_text(&request["content"]);
    if text.is_empty() {
        return Err(RequestError::at(field, "content is empty"));
    }
    Ok((text, request["outputDimensionality"].as_u64()))
}

/// Words a violation of a body's schema as Gemini does.
fn violation_error(violation: &Violation) -> RequestError {
    let reason = match (&violation.kind, violation.path.last()) {
        (ViolationKind::Unknown, Some(PathSegment::Name(name))) => {
            format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field.")
        }
        (ViolationKind::Missing, _) => "it is required and not specified".to_owned(),
        _ => format!("Invalid value: {}", violation.description()),
    };
    RequestError::at(violation.bracket_path(), reason)
}

fn prompt_tokens(conversation: &GeminiConversation, system: &str) -> u64 {
    estimate_tokens(
        conversation
            .texts
            .iter()
            .map(String::as_str)
            .chain([system]),
    )
}

fn parse_tools(body: &Value) -> Result<Vec<Tool>, RequestError> {
    let mut tools: Vec<Tool> = Vec::new();
    for (place, given) in array_member(body, "tools").iter().enumerate() {
        if given.as_object().is_none_or(Map::is_empty) {
            return Err(RequestError::at(
                format!("tools[{place}]"),
                "a tool must have one kind",
            ));
        }
        for (index, function) in array_member(given, "functionDeclarations")
            .iter()
            .enumerate()
        {
            let field = format!("tools[{place}].function_declarations[{index}]");
            let tool = parse_declaration(&field, function)?;
            if tools.iter().any(|known| known.name == tool.name) {
                return Err(RequestError::at(
                    format!("{field}.name"),
                    "Duplicate function declaration found",
                ));
            }
            tools.push(tool);
        }
    }
    Ok(tools)
}

fn parse_declaration(field: &str, function: &Value) -> Result<Tool, RequestError> {
    let name = str_member(function, "name").unwrap_or_default();
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || "_.:-".contains(it);
    let valid_start = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    if !valid_start || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(is_allowed) {
        return Err(RequestError::at(
            format!("{field}.name"),
            "Invalid function name",
        ));
    }
    let (own, json) = (
        function.get("parameters"),
        function.get("parametersJsonSchema"),
    );
    if own.is_some() && json.is_some() {
        let reason = "parameters and parameters_json_schema exclude each other";
        return Err(RequestError::at(
            format!("{field}.parameters_json_schema"),
            reason,
        ));
    }
    if let Some(own) = own {
        check_schema(&format!("{field}.parameters"), own)?;
        if str_member(own, "type").is_none_or(|kind| !kind.eq_ignore_ascii_case("object")) {
            return Err(RequestError::at(
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

/// Checks a schema in Gemini's own format, which is not JSON Schema.
fn check_schema(field: &str, schema: &Value) -> Result<(), RequestError> {
    let kind = str_member(schema, "type").map(str::to_lowercase);
    if kind.is_none() && schema.get("anyOf").is_none() {
        return Err(RequestError::at(
            format!("{field}.type"),
            "it must be specified",
        ));
    }
    if kind.as_deref() == Some("array") && schema.get("items").is_none() {
        return Err(RequestError::at(format!("{field}.items"), "missing field"));
    }
    if schema.get("enum").is_some() && kind.as_deref() != Some("string") {
        return Err(RequestError::at(
            format!("{field}.enum"),
            "only allowed for STRING type",
        ));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        check_schema(&format!("{field}.properties[{name}]"), property)?;
    }
    for name in array_member(schema, "required")
        .iter()
        .filter_map(Value::as_str)
    {
        if properties.is_none_or(|properties| !properties.contains_key(name)) {
            return Err(RequestError::at(
                format!("{field}.required"),
                format!("property {name} is not defined"),
            ));
        }
    }
    for (index, choice) in array_member(schema, "anyOf").iter().enumerate() {
        check_schema(&format!("{field}.any_of[{index}]"), choice)?;
    }
    schema.get("items").map_or(Ok(()), |items| {
        check_schema(&format!("{field}.items"), items)
    })
}

fn parse_tool_choice(body: &Value, tools: &[Tool]) -> Result<ToolChoice, RequestError> {
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let field = "tool_config.function_calling_config";
    let names = array_member(calling, "allowedFunctionNames");
    let names: Vec<String> = names
        .iter()
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect();
    let mode = str_member(calling, "mode").unwrap_or("AUTO");
    if !names.is_empty() && !["ANY", "VALIDATED"].contains(&mode) {
        let reason = "it may only be set when mode is ANY or VALIDATED";
        return Err(RequestError::at(
            format!("{field}.allowed_function_names"),
            reason,
        ));
    }
    if let Some(name) = names
        .iter()
        .find(|name| !tools.iter().any(|tool| tool.name == **name))
    {
        let reason = format!("{name} is not a declared function");
        return Err(RequestError::at(
            format!("{field}.allowed_function_names"),
            reason,
        ));
    }
    match mode {
        "ANY" if tools.is_empty() => Err(RequestError::at(
            format!("{field}.mode"),
            "ANY needs function declarations",
        )),
        "ANY" if names.is_empty() => Ok(ToolChoice::Any),
        "ANY" => Ok(ToolChoice::Named(names)),
        "NONE" => Ok(ToolChoice::Never),
        _ => Ok(ToolChoice::Auto),
    }
}

fn parse_output(generation: &Value) -> Result<Output, RequestError> {
    let (own, json) = (
        generation.get("responseSchema"),
        generation.get("responseJsonSchema"),
    );
    let wants_json = generation["responseMimeType"] == "application/json";
    if own.is_some() && json.is_some() {
        let reason = "response_schema and response_json_schema exclude each other";
        return Err(RequestError::at(
            "generation_config.response_json_schema",
            reason,
        ));
    }
    if let Some(own) = own {
        check_schema("generation_config.response_schema", own)?;
    }
    match own.or(json) {
        Some(_) if !wants_json => {
            let reason = "a schema needs response_mime_type to be application/json";
            Err(RequestError::at(
                "generation_config.response_mime_type",
                reason,
            ))
        }
        Some(schema) => Ok(Output::Schema(schema.clone())),
        None if wants_json => Ok(Output::Json),
        None => Ok(Output::Text),
    }
}

/// Returns whether the response includes thoughts.
fn parse_reasoning(generation: &Value) -> Result<bool, RequestError> {
    let thinking = &generation["thinkingConfig"];
    if thinking.get("thinkingBudget").is_some() && thinking.get("thinkingLevel").is_some() {
        let reason = "thinking_budget and thinking_level exclude each other";
        return Err(RequestError::at(
            "generation_config.thinking_config.thinking_level",
            reason,
        ));
    }
    Ok(thinking["includeThoughts"] == Value::Bool(true) && thinking["thinkingBudget"] != 0)
}

/// The length limit of a function name, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// The limit of stop sequences.
const STOP_SEQUENCES_MAX: usize = 5;
