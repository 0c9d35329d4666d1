//! The client's request in the common form, for guests of version 0.2. The turns are noted as the whole body is; of
//! the rest each function is a read by itself.

use std::fmt::Write as _;

use jackfield_dialect::ir::{
    CacheMark, Effort, Format, Media, MediaSource, Part, Reasoning, Request, Role, Sampling, Tool,
    ToolChoice, ToolKind, ToolResult, Turn,
};

use super::bindings::{conversation as contract, types};
use crate::host_state::HostState;
use crate::reads::{ConversationPart, Read};

impl HostState {
    /// Notes a read of a small part, and returns what `read` makes of it; the default without a conversation.
    fn small<T: Default>(&mut self, part: ConversationPart, read: impl FnOnce(&Request) -> T) -> T {
        self.note(Read::Conversation(part));
        self.input
            .conversation
            .as_deref()
            .map(read)
            .unwrap_or_default()
    }
}

impl contract::Host for HostState {
    fn system(&mut self) -> String {
        self.small(ConversationPart::System, |request| text_of(&request.system))
    }

    fn turn_count(&mut self) -> u32 {
        self.small(ConversationPart::TurnCount, |request| {
            u32::try_from(request.turns.len()).unwrap_or(u32::MAX)
        })
    }

    fn turns(&mut self, first: u32, count: u32) -> Vec<contract::Turn> {
        self.note_body();
        let Some(request) = self.input.conversation.as_deref() else {
            return Vec::new();
        };
        let turns = request.turns.iter().skip(first as usize);
        turns.take(count as usize).map(turn_out).collect()
    }

    fn prompt(&mut self) -> String {
        self.note_body();
        self.input
            .conversation
            .as_deref()
            .map(prompt_of)
            .unwrap_or_default()
    }

    fn tools(&mut self) -> Vec<contract::Tool> {
        self.small(ConversationPart::Tools, |request| {
            let allowed = |tool: &&Tool| match &request.tool_choice {
                Some(ToolChoice::Allowed { names, .. }) => names.contains(&tool.name),
                _ => true,
            };
            let tools = request.tools.iter().filter(allowed);
            tools.map(tool_out).collect()
        })
    }

    fn choice(&mut self) -> contract::ToolChoice {
        let choice = self.small(ConversationPart::Tools, |request| {
            request.tool_choice.clone()
        });
        match choice {
            None
            | Some(
                ToolChoice::Auto
                | ToolChoice::Allowed {
                    required: false, ..
                },
            ) => contract::ToolChoice::Automatic,
            Some(ToolChoice::None) => contract::ToolChoice::None,
            Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => {
                contract::ToolChoice::Required
            }
            Some(ToolChoice::Named(name)) => contract::ToolChoice::One(name),
        }
    }

    fn parameters(&mut self) -> contract::Sampling {
        self.note(Read::Conversation(ConversationPart::Parameters));
        match self.input.conversation.as_deref() {
            Some(request) => sampling_out(request),
            None => sampling_out(&Request::default()),
        }
    }

    fn response_format(&mut self) -> contract::Format {
        match self.small(ConversationPart::Format, |request| request.format.clone()) {
            Format::Text => contract::Format::Text,
            Format::Json => contract::Format::Json,
            Format::Schema { name, schema, .. } => {
                contract::Format::Schema((name.unwrap_or_default(), schema.to_string()))
            }
        }
    }

    fn thinking(&mut self) -> contract::Reasoning {
        match self.small(ConversationPart::Thinking, |request| request.reasoning) {
            None
            | Some(Reasoning {
                effort: None,
                budget_tokens: None,
                ..
            }) => contract::Reasoning::Default,
            Some(Reasoning {
                budget_tokens: Some(0),
                ..
            }) => contract::Reasoning::Off,
            Some(Reasoning {
                effort: Some(effort),
                ..
            }) => effort_out(effort),
            Some(Reasoning {
                budget_tokens: Some(tokens),
                ..
            }) => contract::Reasoning::Budget(tokens),
        }
    }
}

fn effort_out(effort: Effort) -> contract::Reasoning {
    let word = match effort {
        Effort::None => return contract::Reasoning::Off,
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "max",
    };
    contract::Reasoning::Effort(word.to_owned())
}

fn sampling_out(request: &Request) -> contract::Sampling {
    let Sampling {
        temperature,
        top_p,
        top_k,
        tokens_max,
        presence_penalty,
        frequency_penalty,
        seed,
    } = &request.sampling;
    let named = |name: &str, value: Option<String>| value.map(|value| (name.to_owned(), value));
    let options = [
        named(
            "presence-penalty",
            presence_penalty.map(|it| it.to_string()),
        ),
        named(
            "frequency-penalty",
            frequency_penalty.map(|it| it.to_string()),
        ),
        named(
            "parallel-tools",
            request.parallel_tools.map(|it| it.to_string()),
        ),
        named("user", request.user.clone()),
    ];
    contract::Sampling {
        tokens_max: *tokens_max,
        temperature: *temperature,
        top_p: *top_p,
        top_k: top_k.map(|it| u32::try_from(it).unwrap_or(u32::MAX)),
        stop: request.stop.clone(),
        seed: *seed,
        options: options.into_iter().flatten().collect(),
    }
}

fn tool_out(tool: &Tool) -> contract::Tool {
    let schema = match &tool.kind {
        ToolKind::Function(Some(schema)) => schema.to_string(),
        ToolKind::Function(None) => EMPTY_SCHEMA.to_owned(),
        // In the common form a custom tool is a function with one string.
        ToolKind::Custom(_) => INPUT_SCHEMA.to_owned(),
    };
    let strict = tool.strict.map(|it| ("strict".to_owned(), it.to_string()));
    contract::Tool {
        name: tool.name.clone(),
        description: tool.description.clone().unwrap_or_default(),
        schema,
        options: strict.into_iter().collect(),
    }
}

fn turn_out(turn: &Turn) -> contract::Turn {
    let mut blocks: Vec<contract::Block> = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        match part {
            // The mark is on the part before it.
            Part::CacheMark(mark) => {
                if let Some(block) = blocks.last_mut() {
                    block.cache = Some(cache_word(*mark).to_owned());
                }
            }
            part => blocks.push(contract::Block {
                part: part_out(part),
                cache: None,
                options: block_options(part),
            }),
        }
    }
    contract::Turn {
        role: role_word(turn.role).to_owned(),
        blocks,
    }
}

fn block_options(part: &Part) -> Vec<(String, String)> {
    let Part::ToolCall(call) = part else {
        return Vec::new();
    };
    let signature = call.signature.iter();
    signature
        .map(|it| ("opaque".to_owned(), it.data.clone()))
        .collect()
}

fn part_out(part: &Part) -> contract::Part {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => contract::Part::Text(text.clone()),
        Part::Image(media) => contract::Part::Image(media_out(media)),
        Part::Audio(media) => contract::Part::Audio(media_out(media)),
        Part::Document(media) => contract::Part::Document(media_out(media)),
        Part::Reasoning(reasoning) => contract::Part::Reasoning(contract::ReasoningPart {
            text: reasoning.text.clone(),
            opaque: reasoning
                .signature
                .as_ref()
                .map(|signature| types::Payload::Text(signature.data.clone())),
        }),
        Part::ToolCall(call) => contract::Part::Call(contract::ToolCall {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        }),
        Part::ToolResult(result) => contract::Part::Result(result_out(result)),
        Part::CacheMark(mark) => {
            let word = cache_word(*mark);
            contract::Part::Other(("cache".to_owned(), format!("\"{word}\"")))
        }
    }
}

fn result_out(result: &ToolResult) -> contract::ToolResult {
    let part = |part: &Part| match part {
        Part::Text { text, .. } | Part::Refusal(text) => {
            Some(contract::SimplePart::Text(text.clone()))
        }
        Part::Image(media) => Some(contract::SimplePart::Image(media_out(media))),
        Part::Document(media) => Some(contract::SimplePart::Document(media_out(media))),
        // Results of tools have none of these.
        Part::Audio(_)
        | Part::CacheMark(_)
        | Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_) => None,
    };
    contract::ToolResult {
        call_id: result.call_id.clone(),
        content: result.parts.iter().filter_map(part).collect(),
        failed: result.is_error,
    }
}

fn media_out(media: &Media) -> contract::Media {
    let named = |name: &str, value: Option<&String>| value.map(|it| (name.to_owned(), it.clone()));
    let mut options: Vec<_> = [
        named("title", media.title.as_ref()),
        named("detail", media.detail.as_ref()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let source = match &media.source {
        MediaSource::Base64(data) => contract::Source::Inline(types::Payload::Text(data.clone())),
        MediaSource::Text(text) => {
            contract::Source::Inline(types::Payload::Bytes(text.clone().into_bytes()))
        }
        MediaSource::Url(url) => contract::Source::Url(url.clone()),
        MediaSource::File(id) => {
            options.push(("file-id".to_owned(), id.clone()));
            contract::Source::Url(String::new())
        }
    };
    contract::Media {
        mime_type: media.media_type.clone().unwrap_or_default(),
        source,
        options,
    }
}

fn prompt_of(request: &Request) -> String {
    if let [turn] = &request.turns[..] {
        return text_of(&turn.parts);
    }
    let mut prompt = String::new();
    for turn in &request.turns {
        let speaker = match turn.role {
            Role::Assistant => "Assistant",
            Role::System => "System",
            Role::User => "User",
        };
        let gap = if prompt.is_empty() { "" } else { "\n\n" };
        // Writing to a string cannot fail.
        let _ = write!(prompt, "{gap}{speaker}: {}", text_of(&turn.parts));
    }
    prompt
}

/// The texts of parts, an empty line between them.
fn text_of(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } | Part::Refusal(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Assistant => "assistant",
        Role::System => "system",
        Role::User => "user",
    }
}

const fn cache_word(mark: CacheMark) -> &'static str {
    if mark.is_long { "long" } else { "short" }
}

/// The schema of a tool without arguments.
const EMPTY_SCHEMA: &str = r#"{"type":"object","properties":{}}"#;

/// The schema of a custom tool, as a function.
const INPUT_SCHEMA: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;
