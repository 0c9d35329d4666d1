//! Encoding and decoding preserve everything that this dialect can express.

use proptest::prelude::*;
use proptest::strategy::Union;

use super::*;
use crate::Dialect;
use crate::ir::{
    Effort, FinishReason, Format, Media, MediaSource, Reasoning, Role, Sampling, Signature, Tool,
    ToolCall, ToolChoice, ToolKind, ToolResult, Turn,
};

proptest! {
    #[test]
    fn requests_round_trip(request in request()) {
        let failed = |error: Box<dyn Error>| TestCaseError::fail(error.to_string());
        let (body, lost) = encode(&request).map_err(failed)?;
        prop_assert!(lost.is_empty(), "{:?}", lost);
        let (mut read, lost) = decode_value(&body).map_err(failed)?;
        prop_assert!(lost.is_empty(), "{:?}", lost);
        read.echo.clear();
        prop_assert_eq!(read, request);
    }

    #[test]
    fn responses_round_trip(response in response()) {
        let failed = |error: Box<dyn Error>| TestCaseError::fail(error.to_string());
        let response_context = ResponseContext {
            id: "1".to_owned(),
            model: "m".to_owned(),
            custom_tools: vec!["bare".to_owned()],
            ..ResponseContext::default()
        };
        let whole = decode_response(&encode_response(&response, &response_context))
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&whole, &response);
        // A stream gives the same response.
        let mut decoder = decoder();
        let mut events = Vec::new();
        for (name, data) in frames(&stream_events(&response), response_context).map_err(failed)? {
            let data = data.to_string();
            decoder.event(&name, data.as_bytes(), &mut events)
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        let (read, done) = collect_response(&events);
        prop_assert!(done);
        prop_assert_eq!(read, response);
    }
}

fn text() -> impl Strategy<Value = String> + Clone {
    "[a-zé\"\\\\\n ]{1,6}"
}

fn data() -> impl Strategy<Value = String> + Clone {
    prop::sample::select(vec!["AA==", "iVBORw0KGgo="]).prop_map(str::to_owned)
}

fn image() -> impl Strategy<Value = Media> {
    let detail = prop::sample::select(vec!["low", "high", "auto"]);
    let url = Just((
        None,
        MediaSource::Url("https://example.com/a.png".to_owned()),
    ));
    let inline = data().prop_map(|data| (Some("image/jpeg".to_owned()), MediaSource::Base64(data)));
    (prop_oneof![url, inline], detail).prop_map(|((media_type, source), detail)| Media {
        media_type,
        source,
        detail: Some(detail.to_owned()),
        title: None,
    })
}

fn document() -> impl Strategy<Value = Media> {
    let url = Just((
        None,
        MediaSource::Url("https://example.com/a.pdf".to_owned()),
        Some("a file".to_owned()),
    ));
    let title = || Some("a file".to_owned());
    let inline = data().prop_map(move |data| {
        (
            Some("application/pdf".to_owned()),
            MediaSource::Base64(data),
            title(),
        )
    });
    let plain = text().prop_map(move |text| {
        (
            Some("text/plain".to_owned()),
            MediaSource::Text(text),
            title(),
        )
    });
    prop_oneof![url, inline, plain].prop_map(|(media_type, source, title)| Media {
        media_type,
        source,
        detail: None,
        title,
    })
}

fn reasoning_part(origins: Vec<Dialect>) -> impl Strategy<Value = ReasoningPart> {
    let signature = (prop::sample::select(origins), "[a-zA-Z0-9_-]{1,8}");
    ("[a-z \n]{0,6}", signature, any::<bool>()).prop_map(|(text, (origin, data), redacted)| {
        let data = if origin == DIALECT {
            format!("rs_{data}\n{data}")
        } else {
            data
        };
        let redacted = redacted && origin != DIALECT;
        ReasoningPart {
            text: if redacted { String::new() } else { text },
            signature: Some(Signature { origin, data }),
            redacted,
        }
    })
}

fn user_parts() -> impl Strategy<Value = Vec<Part>> {
    let part = prop_oneof![
        text().prop_map(Part::text),
        image().prop_map(Part::Image),
        document().prop_map(Part::Document),
    ];
    prop::collection::vec(part, 1..4)
}

/// Generates the parts of an assistant's turn, with tool calls.
fn assistant_parts() -> impl Strategy<Value = Vec<Part>> {
    let other = prop_oneof![
        text().prop_map(Part::text),
        text().prop_map(Part::Refusal),
        reasoning_part(vec![DIALECT]).prop_map(Part::Reasoning),
    ];
    let call = prop_oneof![Just("look"), Just("bare")].prop_map(str::to_owned);
    let call = (call, text()).prop_map(|(name, text)| {
        let arguments = json!({"input": text}).to_string();
        Part::ToolCall(ToolCall {
            id: String::new(),
            name,
            arguments,
            signature: None,
        })
    });
    prop::collection::vec(prop_oneof![other, call], 1..4)
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let round = (user_parts(), assistant_parts(), prop::option::of(text()));
    let rounds = prop::collection::vec(round, 1..4);
    (rounds, prop::collection::vec(user_parts(), 1..3)).prop_map(|(rounds, result_parts)| {
        let mut turns = Vec::new();
        let mut results: Vec<Part> = Vec::new();
        for (number, (user, mut assistant, later)) in rounds.into_iter().enumerate() {
            let mut parts = std::mem::take(&mut results);
            parts.extend(user);
            turns.push(Turn {
                role: Role::User,
                parts,
            });
            if let Some(later) = later {
                turns.push(Turn {
                    role: Role::System,
                    parts: vec![Part::text(later)],
                });
            }
            for (index, part) in assistant.iter_mut().enumerate() {
                if let Part::ToolCall(call) = part {
                    call.id = format!("call_{number}_{index}");
                    results.push(Part::ToolResult(ToolResult {
                        call_id: call.id.clone(),
                        name: Some(call.name.clone()),
                        parts: result_parts[index % result_parts.len()].clone(),
                        is_error: false,
                    }));
                }
            }
            turns.push(Turn {
                role: Role::Assistant,
                parts: assistant,
            });
        }
        if !results.is_empty() {
            turns.push(Turn {
                role: Role::User,
                parts: results,
            });
        }
        turns
    })
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let schema = || json!({"type": "object", "properties": {"input": {"type": "string"}}});
    let grammar = json!({"type": "grammar", "syntax": "regex", "definition": "a+"});
    let function = (prop::option::of(Just(schema())), any::<bool>())
        .prop_map(|(schema, strict)| (ToolKind::Function(schema), Some(strict)));
    let custom = prop::option::of(Just(grammar));
    let custom = custom.prop_map(|format| (ToolKind::Custom(format), None));
    let described = prop::option::of(text());
    (function, custom, described).prop_map(|(function, custom, description)| {
        [("look", function), ("bare", custom)]
            .into_iter()
            .map(|(name, (kind, strict))| Tool {
                name: name.to_owned(),
                description: description.clone(),
                kind,
                strict,
            })
            .collect()
    })
}

fn choice() -> impl Strategy<Value = ToolChoice> {
    let names = || vec!["look".to_owned(), "bare".to_owned()];
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        Just(ToolChoice::Named("look".to_owned())),
        Just(ToolChoice::Named("bare".to_owned())),
        any::<bool>().prop_map(move |required| ToolChoice::Allowed {
            names: names(),
            required
        }),
    ]
}

fn format() -> impl Strategy<Value = Format> {
    let schema = (
        text(),
        prop::option::of(text()),
        prop::option::of(any::<bool>()),
    );
    let schema = schema.prop_map(|(name, description, strict)| Format::Schema {
        name: Some(name),
        description,
        schema: json!({"type": "object"}),
        strict,
    });
    prop_oneof![Just(Format::Text), Just(Format::Json), schema]
}

fn reasoning() -> impl Strategy<Value = Reasoning> {
    let effort = prop::sample::select(Effort::ALL.to_vec());
    (effort, any::<bool>()).prop_map(|(effort, shown)| Reasoning {
        effort: Some(effort),
        budget_tokens: None,
        shown: shown.then_some(true),
    })
}

fn request() -> impl Strategy<Value = Request> {
    let number = || prop::option::of((0_u8..=8).prop_map(|eighths| f64::from(eighths) / 8.0));
    let sampling = (number(), number(), prop::option::of(16_u64..9_999)).prop_map(
        |(temperature, top_p, tokens_max)| Sampling {
            temperature,
            top_p,
            tokens_max,
            ..Sampling::default()
        },
    );
    let head = (any::<bool>(), prop::collection::vec(text(), 0..3), turns());
    let offered = (
        tools(),
        prop::option::of(choice()),
        prop::option::of(any::<bool>()),
    );
    let shape = (
        format(),
        sampling,
        prop::option::of(reasoning()),
        prop::option::of(text()),
    );
    let openai = prop::option::of(prop::sample::select(vec![
        "service_tier",
        "metadata",
        "verbosity",
    ]));
    (head, offered, shape, openai).prop_map(
        |((stream, system, turns), (tools, tool_choice, parallel_tools), shape, openai)| {
            let (format, sampling, reasoning, user) = shape;
            Request {
                model: "m".to_owned(),
                stream,
                include_usage: true,
                system: system.into_iter().map(Part::text).collect(),
                turns,
                tools,
                tool_choice,
                parallel_tools,
                format,
                sampling,
                reasoning,
                user,
                openai: openai
                    .map(|name| (name.to_owned(), json!("low")))
                    .into_iter()
                    .collect(),
                ..Request::default()
            }
        },
    )
}

fn response() -> impl Strategy<Value = Response> {
    let name = prop_oneof![Just("look"), Just("bare")];
    let call = (name, text(), any::<bool>()).prop_map(|(name, text, signed)| {
        Part::ToolCall(ToolCall {
            id: "c".to_owned(),
            name: name.to_owned(),
            arguments: json!({"input": text}).to_string(),
            signature: signed.then(|| Signature {
                origin: Dialect::Gemini,
                data: "sig".to_owned(),
            }),
        })
    });
    let generated_image = data().prop_map(|data| {
        Part::Image(Media {
            media_type: Some("image/webp".to_owned()),
            source: MediaSource::Base64(data),
            detail: None,
            title: None,
        })
    });
    let part = Union::new([
        text().prop_map(Part::text).boxed(),
        text().prop_map(Part::Refusal).boxed(),
        reasoning_part(Dialect::ALL.to_vec())
            .prop_map(Part::Reasoning)
            .boxed(),
        call.boxed(),
        generated_image.boxed(),
    ]);
    let usage = prop::option::of((0_u64..99, 0_u64..99)).prop_map(|counts| {
        counts.map(|(input, output)| Usage {
            input,
            output,
            cached_input: input / 2,
            cache_write_input: input / 4,
            reasoning: output / 2,
        })
    });
    (prop::collection::vec(part, 0..5), 0_usize..5, usage).prop_map(|(parts, finish, usage)| {
        let any = |is: fn(&Part) -> bool| parts.iter().any(is);
        let finish = match finish {
            0 => FinishReason::Length,
            1 => FinishReason::ContentFilter,
            2 => FinishReason::Other("max_messages".to_owned()),
            _ if any(|part| matches!(part, Part::ToolCall(_))) => FinishReason::ToolCalls,
            _ if any(|part| matches!(part, Part::Text { .. })) => FinishReason::Stop,
            _ if any(|part| matches!(part, Part::Refusal(_))) => FinishReason::Refusal,
            _ => FinishReason::Stop,
        };
        Response {
            id: "resp_1".to_owned(),
            model: "m".to_owned(),
            parts,
            finish,
            usage,
        }
    })
}
