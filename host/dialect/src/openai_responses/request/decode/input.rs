//! The member `input` of a request: a text, or items.

use serde_json::{Value, json};

use super::conversation::Conversation;
use crate::ir::{
    Media, MediaSource, ObjectReader, Part, ReasoningPart, Role, ToolCall, ToolResult,
    TranslationError, TranslationReport, Turn,
};
use crate::json;
use crate::openai_responses::media;
use crate::openai_responses::reasoning::{self, Mark};
use crate::openai_responses::tools::{self, OfferedTools};

/// The content of an input.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The instructions before all turns.
    pub(crate) system: Vec<Part>,
    pub(crate) turns: Vec<Turn>,
}

/// Takes the input. Its items may offer more tools.
pub(crate) fn decode(
    fields: &mut ObjectReader,
    tools: &mut OfferedTools,
    report: &mut TranslationReport,
) -> Result<Input, TranslationError> {
    let mut conversation = Conversation::default();
    match fields.peek("input") {
        None => return Err(fields.error("input", "missing")),
        Some(Value::String(_)) => {
            let parts = media::decode(fields, "input", report)?;
            conversation.add(Role::User, parts);
        }
        Some(Value::Array(_)) => {
            for item in fields.objects("input")? {
                decode_item(item, &mut conversation, tools, report)?;
            }
        }
        Some(_) => return Err(fields.error("input", "must be a string or an array")),
    }
    let (system, turns) = conversation.finish();
    Ok(Input { system, turns })
}

fn decode_item(
    mut item: ObjectReader,
    conversation: &mut Conversation,
    tools: &mut OfferedTools,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let kind = item.string("type")?;
    match kind.as_deref() {
        // The type is optional in messages and in references. Only messages have a role.
        None if item.peek("role").is_none() && item.peek("id").is_some() => {
            return Err(item.error("id", ITEM_REFERENCE));
        }
        None | Some("message") => message(&mut item, conversation, report)?,
        Some("reasoning") => reasoning(&mut item, conversation)?,
        Some("function_call") => {
            let arguments = item.required_string("arguments")?;
            conversation.call(call(&mut item, arguments)?);
        }
        Some("custom_tool_call") => {
            let input = item.required_string("input")?;
            let arguments = json!({"input": input}).to_string();
            conversation.call(call(&mut item, arguments)?);
        }
        Some(
            "function_call_output"
            | "custom_tool_call_output"
            | "local_shell_call_output"
            | "shell_call_output"
            | "apply_patch_call_output",
        ) => result(&mut item, conversation, report)?,
        // The client runs these three tools itself, so their calls and results are like those of
        // functions.
        Some("local_shell_call") => builtin_call(&mut item, "local_shell", "action", conversation)?,
        Some("shell_call") => builtin_call(&mut item, "shell", "action", conversation)?,
        Some("apply_patch_call") => {
            builtin_call(&mut item, "apply_patch", "operation", conversation)?;
        }
        Some("image_generation_call") => image(&mut item, conversation)?,
        Some("additional_tools") => {
            item.skip("role");
            tools.take(&mut item, report)?;
        }
        Some("tool_search_call") => tool_search_call(&mut item, conversation, report)?,
        Some("tool_search_output") => {
            tool_search_output(&mut item, conversation, tools, report)?;
        }
        Some("agent_message") => agent_message(&mut item, conversation, report)?,
        Some("item_reference") => return Err(item.error("id", ITEM_REFERENCE)),
        Some(kind) => return other_item(kind, &mut item, conversation, report),
    }
    // An id in the provider's store, a status, and Codex's own record of the message.
    for informative in ["id", "status", "internal_chat_message_metadata_passthrough"] {
        item.skip(informative);
    }
    if item.take("phase").is_some() {
        report.warn_dropped("input.phase");
    }
    item.warn_unread(report);
    Ok(())
}

/// Drops an item of a tool that the provider runs, and an item of a type that is not known, if the conversation is
/// complete without it.
fn other_item(
    kind: &str,
    item: &mut ObjectReader,
    conversation: &mut Conversation,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let is_known = HOSTED_ITEMS.contains(&kind);
    // Such an item replaces earlier items: a summary that only its provider can read, or the request for one.
    let is_sealed = item.peek("encrypted_content").is_some() || kind == "compaction_trigger";
    if !is_known && is_sealed {
        return Err(item.error("type", SEALED_ITEM));
    }
    if !is_known && item.peek("role").is_some() && item.peek("content").is_some() {
        report.warn(format!("input.{kind}"), "changed: sent as a message");
        return message(item, conversation, report);
    }
    report.warn_dropped(format!("input.{kind}"));
    Ok(())
}

/// A call of the tool search. The provider's own search has no id: its result is all that counts.
fn tool_search_call(
    item: &mut ObjectReader,
    conversation: &mut Conversation,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    item.skip("execution");
    let arguments = match item.take("arguments") {
        Some(Value::String(text)) if json::long_number(&text).is_none() => text,
        Some(arguments) => json::to_text(&arguments),
        None => "{}".to_owned(),
    };
    if item.peek("call_id").is_none() {
        report.warn_dropped("input.tool_search_call");
        return Ok(());
    }
    conversation.call(ToolCall {
        id: call_id(item)?,
        name: tools::TOOL_SEARCH.to_owned(),
        arguments,
        signature: None,
    });
    Ok(())
}

/// The tools that a search found. They are offered from now on, and the result names them.
fn tool_search_output(
    item: &mut ObjectReader,
    conversation: &mut Conversation,
    tools: &mut OfferedTools,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    item.skip("execution");
    let found = tools.take(item, report)?;
    let text = if found.is_empty() {
        "No tool was found.".to_owned()
    } else {
        format!("Found tools, which can be called now: {}", found.join(", "))
    };
    if let Some(id) = item.string("call_id")?
        && !conversation.result(id, vec![Part::text(text)])
    {
        report.warn_dropped("input.tool_search_output");
    }
    Ok(())
}

/// A message of another agent. Other dialects have no role for it.
fn agent_message(
    item: &mut ObjectReader,
    conversation: &mut Conversation,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let author = item.string("author")?.unwrap_or_default();
    item.skip("recipient");
    let mut texts = Vec::new();
    for mut part in item.objects("content")? {
        match part.string("text")? {
            Some(text) => texts.push(text),
            None => report.warn_dropped("input.agent_message.content"),
        }
    }
    if texts.is_empty() {
        return Err(item.error("content", SEALED_ITEM));
    }
    report.warn("input.agent_message", "changed: sent as the user's text");
    let text = format!("Message from the agent {author}:\n{}", texts.join("\n"));
    conversation.add(Role::User, vec![Part::text(text)]);
    Ok(())
}

fn message(
    item: &mut ObjectReader,
    conversation: &mut Conversation,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    let role = match item.required_string("role")?.as_str() {
        "assistant" => Role::Assistant,
        "developer" | "system" => Role::System,
        "user" => Role::User,
        _ => {
            let what = "must be `user`, `assistant`, `system` or `developer`";
            return Err(item.error("role", what));
        }
    };
    let mut parts = media::decode(item, "content", report)?;
    if role == Role::System {
        let total = parts.len();
        parts.retain(|part| matches!(part, Part::Text { .. }));
        if parts.len() < total {
            report.warn("input.content", "dropped: instructions can only be text");
        }
    }
    conversation.add(role, parts);
    Ok(())
}

fn reasoning(
    item: &mut ObjectReader,
    conversation: &mut Conversation,
) -> Result<(), TranslationError> {
    let id = item.string("id")?;
    let mut texts = Vec::new();
    for name in ["summary", "content"] {
        for mut part in item.objects(name)? {
            texts.extend(part.string("text")?);
        }
        // The content is the full text of the summary.
        if !texts.is_empty() {
            item.skip("content");
            break;
        }
    }
    let encrypted = item.string("encrypted_content")?;
    let read = encrypted
        .filter(|encrypted| !encrypted.is_empty())
        .map(|encrypted| reasoning::decode(id.as_deref(), &encrypted));
    let text = texts.join(SUMMARY_SEPARATOR);
    match read {
        Some((signature, Some(Mark::Call))) => conversation.sign_next_call(signature),
        None if text.is_empty() => {}
        read => {
            let (signature, mark) = read.unzip();
            let part = ReasoningPart {
                text,
                signature,
                redacted: mark.flatten() == Some(Mark::Redacted),
            };
            conversation.add(Role::Assistant, vec![Part::Reasoning(part)]);
        }
    }
    Ok(())
}

fn call(item: &mut ObjectReader, arguments: String) -> Result<ToolCall, TranslationError> {
    let name = item.required_string("name")?;
    let name = match item.string("namespace")? {
        Some(namespace) => tools::qualified_name(&namespace, &name),
        None => name,
    };
    for informative in ["caller", "async"] {
        item.skip(informative);
    }
    Ok(ToolCall {
        id: call_id(item)?,
        name,
        arguments,
        signature: None,
    })
}

fn builtin_call(
    item: &mut ObjectReader,
    name: &str,
    member: &str,
    conversation: &mut Conversation,
) -> Result<(), TranslationError> {
    let Some(action) = item.take(member) else {
        return Err(item.error(member, "missing"));
    };
    for informative in ["caller", "environment"] {
        item.skip(informative);
    }
    conversation.call(ToolCall {
        id: call_id(item)?,
        name: name.to_owned(),
        arguments: json::to_text(&action),
        signature: None,
    });
    Ok(())
}

fn result(
    item: &mut ObjectReader,
    conversation: &mut Conversation,
    report: &mut TranslationReport,
) -> Result<(), TranslationError> {
    for informative in ["caller", "name", "namespace", "max_output_length"] {
        item.skip(informative);
    }
    // The oldest of these items uses its own id as the id of the call.
    let name = if item.peek("call_id").is_some() {
        "call_id"
    } else {
        "id"
    };
    let id = item.required_string(name)?;
    let parts = match item.peek("output") {
        // The shell tool's output is a list of records, not of content.
        Some(Value::Array(list)) if list.iter().any(|it| it.get("stdout").is_some()) => {
            vec![Part::text(json::to_text(
                &item.take("output").unwrap_or_default(),
            ))]
        }
        None => Vec::new(),
        Some(_) => media::decode(item, "output", report)?,
    };
    if conversation.result(id, parts) {
        return Ok(());
    }
    Err(item.error(name, ToolResult::UNKNOWN_CALL))
}

/// An image that the provider generated in an earlier turn.
fn image(item: &mut ObjectReader, conversation: &mut Conversation) -> Result<(), TranslationError> {
    let data = item.string("result")?;
    let format = item.string("output_format")?;
    for informative in [
        "action",
        "background",
        "error",
        "quality",
        "revised_prompt",
        "size",
    ] {
        item.skip(informative);
    }
    if let Some(data) = data {
        let source = MediaSource::base64(data);
        let media = Media {
            media_type: Some(media_type(format.as_deref())),
            source: source.ok_or_else(|| item.error("result", MediaSource::NOT_BASE64))?,
            detail: None,
            title: None,
        };
        conversation.add(Role::Assistant, vec![Part::Image(media)]);
    }
    Ok(())
}

/// The media type of an image by its `output_format`, whose default is `png`.
pub(crate) fn media_type(format: Option<&str>) -> String {
    format!("image/{}", format.unwrap_or("png"))
}

fn call_id(item: &mut ObjectReader) -> Result<String, TranslationError> {
    let id = item.required_string("call_id")?;
    if id.is_empty() {
        return Err(item.error("call_id", "empty"));
    }
    Ok(id)
}

/// The separator between the parts of a summary that are joined to one text.
pub(crate) const SUMMARY_SEPARATOR: &str = "\n\n";

const ITEM_REFERENCE: &str = "responses are not stored; send the item itself";

const SEALED_ITEM: &str = "only the provider that made it can read it";

/// Calls of tools that the provider runs itself, and items that belong to them. The messages after them
/// hold the outcome.
const HOSTED_ITEMS: [&str; 13] = [
    "code_interpreter_call",
    "computer_call",
    "computer_call_output",
    "configuration_update",
    "file_search_call",
    // A commit of Codex's, for its own undo.
    "ghost_snapshot",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "program_output",
    "web_search_call",
];
