//! Properties that hold for every input: no panics, and round trips of all that the dialect can express.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{read, write};
use crate::anthropic::{
    check_body, decode_request, decode_response, decoder, encode_response, encoder, observer,
};
use crate::ir::{
    Citation, Effort, Event, Format, Media, MediaSource, Part, Reasoning, ReasoningPart, Request,
    ResponseContext, Role, Sampling, Signature, Tool, ToolCall, ToolChoice, ToolKind, ToolResult,
    TranslationReport, Turn,
};
use crate::{Dialect, RequestHead};

fn word() -> impl Strategy<Value = String> {
    "[a-zé]{1,6}"
}

fn text() -> impl Strategy<Value = Part> {
    let citation = |text: &str| Citation {
        url: Some("https://example.com".to_owned()),
        title: Some("t".to_owned()),
        quoted: Some("q".to_owned()),
        span: Some((0, u64::try_from(text.chars().count()).unwrap())),
        raw: json!({
            "type": "web_search_result_location", "url": "https://example.com", "title": "t",
            "cited_text": "q", "encrypted_index": "e",
        }),
    };
    (word(), any::<bool>()).prop_map(move |(text, cited)| Part::Text {
        citations: cited.then(|| citation(&text)).into_iter().collect(),
        text,
    })
}

fn media() -> impl Strategy<Value = Part> {
    let media = |media_type: Option<&str>, source, title| Media {
        media_type: media_type.map(str::to_owned),
        source,
        detail: None,
        title,
    };
    let pdf = "application/pdf";
    prop_oneof![
        word().prop_map(move |data| Part::Image(media(
            Some("image/png"),
            MediaSource::Base64(STANDARD.encode(data)),
            None
        ))),
        word().prop_map(move |url| Part::Image(media(None, MediaSource::Url(url), None))),
        (word(), of(word())).prop_map(move |(data, title)| {
            let data = MediaSource::Base64(STANDARD.encode(data));
            Part::Document(media(Some(pdf), data, title))
        }),
        (word(), of(word())).prop_map(move |(text, title)| {
            Part::Document(media(Some("text/plain"), MediaSource::Text(text), title))
        }),
        (word(), of(word())).prop_map(move |(url, title)| Part::Document(media(
            None,
            MediaSource::Url(url),
            title
        ))),
    ]
}

fn reasoning_part() -> impl Strategy<Value = Part> {
    let signed = |text, data, redacted| {
        Part::Reasoning(ReasoningPart {
            text,
            signature: Some(Signature {
                origin: Dialect::AnthropicMessages,
                data,
            }),
            redacted,
        })
    };
    prop_oneof![
        (word(), word()).prop_map(move |(text, data)| signed(text, data, false)),
        word().prop_map(move |data| signed(String::new(), data, true)),
    ]
}

/// One exchange: a prompt, a response, and tool calls with their results.
#[derive(Clone, Debug)]
struct Exchange {
    prompt: Vec<Part>,
    reasoning: Option<Part>,
    response: Part,
    /// For each call: the tool's name, its result, and whether it failed.
    calls: Vec<(String, Vec<Part>, bool)>,
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let shown = || vec(prop_oneof![text(), media()], 1..3);
    let call = (word(), shown(), any::<bool>());
    (shown(), of(reasoning_part()), text(), vec(call, 0..3)).prop_map(
        |(prompt, reasoning, response, calls)| Exchange {
            prompt,
            reasoning,
            response,
            calls,
        },
    )
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    (vec(exchange(), 0..3), text()).prop_map(|(exchanges, last)| {
        let mut turns = Vec::new();
        let mut user_parts = Vec::new();
        for (place, exchange) in exchanges.into_iter().enumerate() {
            user_parts.extend(exchange.prompt);
            let parts = std::mem::take(&mut user_parts);
            turns.push(turn(Role::User, parts));
            let mut parts: Vec<Part> = exchange.reasoning.into_iter().collect();
            parts.push(exchange.response);
            for (index, (name, shown, is_error)) in exchange.calls.into_iter().enumerate() {
                let id = format!("toolu_{place}_{index}");
                parts.push(Part::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: json!({"a": {"b": [name, 1, null]}}).to_string(),
                    signature: None,
                }));
                user_parts.push(Part::ToolResult(ToolResult {
                    call_id: id,
                    name: Some(name),
                    parts: shown,
                    is_error,
                }));
            }
            turns.push(turn(Role::Assistant, parts));
        }
        user_parts.push(last);
        turns.push(turn(Role::User, user_parts));
        turns
    })
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

fn tool() -> impl Strategy<Value = Tool> {
    (word(), of(word()), of(Just(true))).prop_map(|(name, description, strict)| Tool {
        kind: ToolKind::Function(Some(
            json!({"type": "object", "properties": {name.clone(): {}}, "additionalProperties": false}),
        )),
        name,
        description,
        strict,
    })
}

fn choice() -> impl Strategy<Value = (Option<ToolChoice>, Option<bool>)> {
    let some = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::Required),
        Just(ToolChoice::Named(String::new())),
    ];
    prop_oneof![
        Just((None, None)),
        Just((Some(ToolChoice::None), None)),
        (some, of(any::<bool>())).prop_map(|(choice, parallel)| (Some(choice), parallel)),
    ]
}

fn reasoning() -> impl Strategy<Value = Option<Reasoning>> {
    let effort = prop_oneof![
        Just(None),
        Just(Some(Effort::Low)),
        Just(Some(Effort::Medium)),
        Just(Some(Effort::High)),
        Just(Some(Effort::Max)),
    ];
    let off = Reasoning {
        effort: Some(Effort::None),
        ..Reasoning::default()
    };
    let adaptive = (effort, of(any::<bool>())).prop_map(|(effort, shown)| {
        Some(Reasoning {
            effort,
            budget_tokens: None,
            shown,
        })
    });
    let budget = (1_024_u64..9_000, any::<bool>()).prop_map(|(budget, shown)| {
        Some(Reasoning {
            effort: None,
            budget_tokens: Some(budget),
            shown: Some(shown),
        })
    });
    prop_oneof![Just(None), Just(Some(off)), adaptive, budget]
}

fn format() -> impl Strategy<Value = Format> {
    let schema = |(name, needed): (String, bool)| Format::Schema {
        name: None,
        description: None,
        schema: json!({
            "type": "object",
            "properties": {name.clone(): {"type": "string"}},
            "required": if needed { vec![name] } else { Vec::new() },
            "additionalProperties": false,
        }),
        strict: needed.then_some(true),
    };
    prop_oneof![Just(Format::Text), (word(), any::<bool>()).prop_map(schema)]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let part = || of((0_u8..=8).prop_map(|eighths| f64::from(eighths) / 8.0));
    (part(), part(), of(1_u64..100)).prop_map(|(temperature, top_p, top_k)| Sampling {
        temperature,
        top_p,
        top_k,
        ..Sampling::default()
    })
}

/// Generates a request that the dialect can express. `normalize` resolves settings that exclude each other.
fn request() -> impl Strategy<Value = Request> {
    let model = prop_oneof![Just("m"), Just("claude-opus-4-6"), Just("claude-opus-5")];
    let conversation = (
        vec(word().prop_map(Part::text), 0..3),
        turns(),
        vec(tool(), 1..3),
        choice(),
    );
    let rest = (
        reasoning(),
        format(),
        sampling(),
        vec(word(), 0..3),
        of(word()),
    );
    (model, conversation, rest, any::<bool>(), 9_000_u64..99_000).prop_map(
        |(model, (system, turns, tools, (tool_choice, parallel_tools)), rest, stream, most)| {
            let (reasoning, format, sampling, stop, user) = rest;
            normalize(Request {
                model: model.to_owned(),
                stream,
                include_usage: true,
                system,
                turns,
                tools,
                tool_choice,
                parallel_tools,
                format,
                stop,
                sampling: Sampling {
                    tokens_max: Some(most),
                    ..sampling
                },
                reasoning,
                user,
                ..Request::default()
            })
        },
    )
}

fn normalize(mut request: Request) -> Request {
    if let Some(ToolChoice::Named(name)) = &mut request.tool_choice {
        name.clone_from(&request.tools[0].name);
    }
    let newest = request.model == "claude-opus-5";
    if newest && request.stream {
        let parts = vec![Part::text("s")];
        request.turns.push(turn(Role::System, parts));
    }
    if let Some(reasoning) = &mut request.reasoning {
        let of_budget = request.model == "m" && reasoning.effort != Some(Effort::None);
        let is_unspecified = *reasoning
            == Reasoning {
                shown: reasoning.shown,
                ..Reasoning::default()
            };
        if newest || (of_budget && !is_unspecified) {
            // The newest models accept no budget. Older models accept only a budget.
            reasoning.budget_tokens = (!newest).then_some(2_000);
            reasoning.effort = reasoning.effort.filter(|_| newest);
            reasoning.shown = reasoning.shown.or((!newest).then_some(true));
        }
    }
    let off = request
        .reasoning
        .is_none_or(|it| it.effort == Some(Effort::None));
    if !off {
        request.tool_choice = request.tool_choice.map(|_| ToolChoice::Auto);
        for turn in &mut request.turns {
            turn.parts
                .retain(|part| !matches!(part, Part::ToolCall(_) | Part::ToolResult(_)));
        }
    }
    let tokens_max = request.sampling.tokens_max;
    if newest || !off {
        request.sampling = Sampling::default();
    } else if request.model != "m" && request.sampling.temperature.is_some() {
        request.sampling.top_p = None;
    }
    request.sampling.tokens_max = tokens_max;
    request
}

/// Generates JSON with member names and values of this API, in invalid combinations.
fn odd_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(ODD_STRINGS.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let member = (prop::sample::select(ODD_NAMES.to_vec()), inner.clone());
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            vec(member, 0..6).prop_map(|members| {
                let member = |(name, value): (&str, Value)| (name.to_owned(), value);
                Value::Object(members.into_iter().map(member).collect())
            }),
        ]
    })
}

fn decode_all(bytes: &[u8]) {
    let head = RequestHead::from_path("m", true).unwrap();
    let mut report = TranslationReport::default();
    let _ = decode_request(bytes, &head, &mut report).map(|request| write(&request));
    let _ = decode_response(bytes)
        .map(|response| encode_response(&response, &ResponseContext::default()));
    let _ = check_body(bytes);
    let _ = observer().observe("", bytes);
}

proptest! {
    #[test]
    fn requests_round_trip(request in request()) {
        let (body, warnings) = write(&request);
        prop_assert_eq!(warnings, []);
        let (again, warnings) = read(&body.unwrap());
        prop_assert_eq!(warnings, []);
        prop_assert_eq!(again.unwrap(), request);
    }

    #[test]
    fn never_panics_on_bytes(bytes in vec(any::<u8>(), 0..64), text in "[{}\\[\\]\",:a-z_ 0-9]{0,48}") {
        decode_all(&bytes);
        decode_all(text.as_bytes());
    }

    #[test]
    fn never_panics_on_json(value in odd_json()) {
        decode_all(value.to_string().as_bytes());
        let mut wrapped = json!({"messages": [{"role": "user", "content": "a"}, value]});
        decode_all(wrapped.to_string().as_bytes());
        wrapped["messages"][1] = json!({"role": "user", "content": [value]});
        decode_all(wrapped.to_string().as_bytes());
    }

    #[test]
    fn event_order_holds_for_any_stream(stream in vec((odd_json(), 0_usize..8), 0..12)) {
        let kinds = [
            "", "content_block_delta", "content_block_start", "content_block_stop", "error",
            "message_delta", "message_start", "message_stop",
        ];
        let mut decoder = decoder();
        let mut events = Vec::new();
        for (data, kind) in stream {
            let mut event = json!({"type": kinds[kind], "delta": data, "content_block": data, "message": data});
            if kind == 0 {
                event = data;
            }
            if decoder.event(kinds[kind], event.to_string().as_bytes(), &mut events).is_err() {
                break;
            }
        }
        decoder.finish(&mut events);
        check_order(&events)?;
        let mut frames = Vec::new();
        let mut encoder = encoder(ResponseContext::default());
        events.iter().for_each(|event| encoder.event(event, &mut frames));
        prop_assert_eq!(frames.is_empty(), events.is_empty());
    }
}

/// Checks that events are in the order that [`Event`] documents.
fn check_order(events: &[Event]) -> Result<(), TestCaseError> {
    let (mut started, mut open, mut finished, mut ended) = (false, false, false, false);
    for event in events {
        prop_assert!(!ended, "after the end: {:?}", event);
        match event {
            Event::Start { .. } => {
                prop_assert!(!started);
                started = true;
            }
            Event::Error(_) => ended = true,
            _ => prop_assert!(started, "before the start: {:?}", event),
        }
        match event {
            Event::PartStart(_) => {
                prop_assert!(!open && !finished);
                open = true;
            }
            Event::Delta(_) => prop_assert!(open),
            Event::PartEnd => {
                prop_assert!(open);
                open = false;
            }
            Event::Finish(_) => {
                prop_assert!(!open && !finished);
                finished = true;
            }
            Event::Done => {
                prop_assert!(finished);
                ended = true;
            }
            Event::Start { .. } | Event::Error(_) | Event::Usage(_) => {}
        }
    }
    Ok(())
}

const ODD_STRINGS: [&str; 20] = [
    "text",
    "tool_use",
    "tool_result",
    "thinking",
    "image",
    "document",
    "user",
    "assistant",
    "enabled",
    "any",
    "base64",
    "url",
    "content",
    "message_delta",
    "content_block_start",
    "content_block_delta",
    "text_delta",
    "input_json_delta",
    "x",
    "",
];
const ODD_NAMES: [&str; 31] = [
    "type",
    "role",
    "content",
    "messages",
    "system",
    "text",
    "source",
    "data",
    "input",
    "id",
    "name",
    "tool_use_id",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "format",
    "schema",
    "delta",
    "content_block",
    "message",
    "usage",
    "index",
    "stop_reason",
    "error",
    "citations",
    "input_tokens",
    "metadata",
    "max_tokens",
    "signature",
    "partial_json",
];
