//! A strategy for requests that this dialect can express without a loss.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, json};

use super::{
    Dialect, Effort, Format, Media, MediaSource, Part, Reasoning, ReasoningPart, Request, Role,
    Sampling, Signature, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Turn, Value,
};

/// Returns the strategy.
pub(crate) fn request() -> impl Strategy<Value = Request> {
    let first = (
        word(),
        any::<bool>(),
        vec(text(), 0..3),
        exchanges(),
        tools(),
    );
    let rest = (
        format(),
        vec(word(), 0..5),
        sampling(),
        option::of(prop::sample::select(&Effort::ALL[..])),
        option::of(word()),
        openai(),
    );
    (first, rest).prop_map(|((model, stream, system, turns, tools), rest)| {
        let (format, stop, sampling, effort, user, openai) = rest;
        let (tools, tool_choice, parallel_tools) = tools;
        let reasoning = effort.map(|effort| Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        });
        Request {
            model,
            stream,
            include_usage: stream,
            system,
            turns,
            tools,
            tool_choice,
            parallel_tools,
            format,
            stop,
            sampling,
            reasoning,
            user,
            openai,
            client_tools: BTreeMap::new(),
            cache: None,
            echo: Map::new(),
        }
    })
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,8}"
}

fn text() -> impl Strategy<Value = Part> {
    "[ -~é\n]{1,12}".prop_map(Part::text)
}

/// Turns of the user and the assistant in alternation. Each call has its result in the next turn.
fn exchanges() -> impl Strategy<Value = Vec<Turn>> {
    let exchange = (
        vec(user_part(), 1..4),
        vec(reasoning_part(), 0..3),
        vec(assistant_part(), 1..3),
        vec((word(), arguments(), signature(), result()), 0..3),
        option::of(text()),
    );
    vec(exchange, 1..3).prop_map(|exchanges| {
        let mut conversation = GeneratedConversation::default();
        for (user_parts, reasoning_parts, assistant_parts, calls, between) in exchanges {
            conversation.add(Role::User, user_parts);
            let mut assistant: Vec<Part> = reasoning_parts;
            assistant.extend(assistant_parts);
            let mut results = Vec::new();
            for (name, arguments, signature, parts) in calls {
                conversation.calls += 1;
                let id = format!("call_{}", conversation.calls);
                results.push(Part::ToolResult(ToolResult {
                    call_id: id.clone(),
                    name: Some(name.clone()),
                    parts,
                    is_error: false,
                }));
                assistant.push(Part::ToolCall(ToolCall {
                    id,
                    name,
                    arguments,
                    signature,
                }));
            }
            conversation.add(Role::Assistant, assistant);
            if results.is_empty() {
                conversation.add(Role::System, between.into_iter().collect());
            } else {
                conversation.add(Role::User, results);
            }
        }
        conversation.turns
    })
}

#[derive(Default)]
struct GeneratedConversation {
    turns: Vec<Turn>,
    calls: usize,
}

impl GeneratedConversation {
    fn add(&mut self, role: Role, parts: Vec<Part>) {
        match self.turns.last_mut() {
            _ if parts.is_empty() => {}
            Some(turn) if turn.role == role => turn.parts.extend(parts),
            _ => self.turns.push(Turn { role, parts }),
        }
    }
}

fn user_part() -> impl Strategy<Value = Part> {
    let kind = prop::sample::select(&["image/png", "image/webp"][..]);
    let base64 = "([A-Za-z0-9+/]{4}){0,3}";
    let image = (
        kind,
        base64,
        option::of(prop::sample::select(&["low", "high"][..])),
    );
    let media = |kind: &str, source| Media {
        media_type: Some(kind.to_owned()),
        source,
        detail: None,
        title: None,
    };
    prop_oneof![
        text(),
        image.prop_map(move |(kind, data, detail)| {
            let detail = detail.map(str::to_owned);
            Part::Image(Media {
                detail,
                ..media(kind, MediaSource::Base64(data))
            })
        }),
        "https://[a-z]{1,8}\\.example/x".prop_map(move |url| {
            Part::Image(Media {
                media_type: None,
                ..media("", MediaSource::Url(url))
            })
        }),
        (base64, word()).prop_map(move |(data, title)| {
            let title = Some(title);
            Part::Document(Media {
                title,
                ..media("application/pdf", MediaSource::Base64(data))
            })
        }),
        base64.prop_map(move |data| Part::Audio(media("audio/wav", MediaSource::Base64(data)))),
        base64.prop_map(move |data| Part::Audio(media("audio/mpeg", MediaSource::Base64(data)))),
    ]
}

/// Reasoning with a signature. Without signatures, decoding would join neighbours.
fn reasoning_part() -> impl Strategy<Value = Part> {
    ("[ -~é]{1,9}", "[A-Za-z0-9]{1,9}", any::<bool>()).prop_map(|(text, data, redacted)| {
        let origin = Dialect::OpenaiChat;
        Part::Reasoning(ReasoningPart {
            text: if redacted { String::new() } else { text },
            signature: Some(Signature { origin, data }),
            redacted,
        })
    })
}

fn assistant_part() -> impl Strategy<Value = Part> {
    prop_oneof![4 => text(), 1 => "[a-z]{1,9}".prop_map(Part::Refusal)]
}

fn arguments() -> impl Strategy<Value = String> {
    ("[a-z]{1,5}", "[ -~é]{0,9}").prop_map(|(name, value)| json!({name: value}).to_string())
}

fn signature() -> impl Strategy<Value = Option<Signature>> {
    let origin = Dialect::OpenaiChat;
    option::of("[A-Za-z0-9]{1,9}".prop_map(move |data| Signature { origin, data }))
}

fn result() -> impl Strategy<Value = Vec<Part>> {
    vec(text(), 0..3)
}

type Tools = (Vec<Tool>, Option<ToolChoice>, Option<bool>);

fn tools() -> impl Strategy<Value = Tools> {
    // The names are in capitals, so that no call of the conversation is one of a custom tool.
    let names = btree_set("[A-Z]{1,6}", 0..4);
    let details = (
        option::of("[ -~]{1,9}"),
        option::of(any::<bool>()),
        any::<bool>(),
    );
    let choice = (
        any::<prop::sample::Index>(),
        0..7_usize,
        option::of(any::<bool>()),
    );
    (names, details, choice).prop_map(|(names, (description, strict, schema), choice)| {
        let tools: Vec<Tool> = tool_list(&names, description.as_ref(), strict, schema);
        let (index, kind, parallel) = choice;
        if tools.is_empty() {
            return (tools, None, None);
        }
        let name = tools[index.index(tools.len())].name.clone();
        let choice = match kind {
            0 => None,
            1 => Some(ToolChoice::Auto),
            2 => Some(ToolChoice::None),
            3 => Some(ToolChoice::Required),
            4 => Some(ToolChoice::Named(name)),
            _ => Some(ToolChoice::Allowed {
                names: vec![name],
                required: kind == 5,
            }),
        };
        (tools, choice, parallel)
    })
}

fn tool_list(
    names: &BTreeSet<String>,
    description: Option<&String>,
    strict: Option<bool>,
    schema: bool,
) -> Vec<Tool> {
    let tool = |(index, name): (usize, &String)| {
        let format = schema.then(|| json!({"type": "text"}));
        let schema = schema.then(|| json!({"type": "object", "properties": {}}));
        let custom = index == 1;
        Tool {
            name: name.clone(),
            description: description.cloned(),
            kind: if custom {
                ToolKind::Custom(format)
            } else {
                ToolKind::Function(schema)
            },
            strict: if custom { None } else { strict },
        }
    };
    names.iter().enumerate().map(tool).collect()
}

fn format() -> impl Strategy<Value = Format> {
    let schema = (word(), option::of("[ -~]{1,9}"), option::of(any::<bool>()));
    prop_oneof![
        Just(Format::Text),
        Just(Format::Json),
        schema.prop_map(|(name, description, strict)| Format::Schema {
            name: Some(name),
            description,
            schema: json!({"type": "object"}),
            strict,
        }),
    ]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let quarters =
        |least: i32, most: i32| option::of((least..=most).prop_map(|it| f64::from(it) / 4.0));
    let whole = (option::of(0..u64::MAX), option::of(any::<i64>()));
    let drawn = (
        quarters(0, 8),
        quarters(0, 4),
        quarters(-8, 8),
        quarters(-8, 8),
    );
    (drawn, whole).prop_map(
        |((temperature, top_p, presence, frequency), whole)| Sampling {
            temperature,
            top_p,
            top_k: None,
            tokens_max: whole.0,
            presence_penalty: presence,
            frequency_penalty: frequency,
            seed: whole.1,
        },
    )
}

fn openai() -> impl Strategy<Value = Map<String, Value>> {
    (any::<bool>(), option::of(word())).prop_map(|(store, tier)| {
        let mut members = Map::new();
        if let Some(tier) = tier {
            members.insert("service_tier".to_owned(), json!(tier));
        }
        if store {
            members.insert("store".to_owned(), json!(true));
        }
        members
    })
}
