//! Properties that hold for every input.

use crate::traits::{ImagePlaces, Traits};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{
    check_body, decode_request, decode_response, decoder, encode_request, observer,
};
use super::request_head;
use crate::ir::{
    Effort, Format, Media, MediaSource, Part, Reasoning, ReasoningPart, Request, Role, Sampling,
    Signature, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, TranslationReport, Turn,
};
use crate::{Dialect, RequestHead};

fn word() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\ ]{1,6}"
}

fn signature() -> impl Strategy<Value = Signature> {
    "[A-Za-z0-9]{1,3}xyz=".prop_map(|data| Signature {
        origin: Dialect::Gemini,
        data,
    })
}

fn media() -> impl Strategy<Value = Part> {
    let source = prop_oneof![
        Just(MediaSource::Base64("AAEC".to_owned())),
        Just(MediaSource::Url("https://a.example/x?y".to_owned())),
        Just(MediaSource::Url("gs://bucket/x".to_owned())),
    ];
    let of = |media_type: &str, source| Media {
        media_type: Some(media_type.to_owned()),
        source,
        detail: None,
        title: None,
    };
    (source, 0..4_u8).prop_map(move |(source, kind)| match kind {
        0 => Part::Image(of("image/png", source)),
        1 => Part::Audio(of("audio/wav", source)),
        2 => Part::Document(of("application/pdf", source)),
        _ => Part::Document(of("text/plain", MediaSource::Text("é".to_owned()))),
    })
}

/// An assistant's turn: one reasoning part, one text, then calls. The decoder joins neighbours of one kind.
fn assistant_parts(place: usize) -> impl Strategy<Value = Vec<Part>> {
    let reasoning = (word(), signature()).prop_map(|(text, signature)| {
        Part::Reasoning(ReasoningPart {
            text,
            signature: Some(signature),
            redacted: false,
        })
    });
    let of_text = prop::option::of(signature()).prop_map(|signature| {
        let reasoning = |signature| {
            Part::Reasoning(ReasoningPart {
                text: String::new(),
                signature: Some(signature),
                redacted: false,
            })
        };
        signature.map(reasoning)
    });
    let call = ("[a-z]{1,4}", word(), prop::option::of(signature()));
    let text_parts = (prop::option::of(reasoning), word(), of_text);
    (text_parts, prop::collection::vec(call, 0..3)).prop_map(
        move |((reasoning, text, signed), calls)| {
            let mut parts: Vec<Part> = reasoning.into_iter().collect();
            parts.push(Part::text(text));
            parts.extend(signed);
            for (index, (name, value, signature)) in calls.into_iter().enumerate() {
                parts.push(Part::ToolCall(ToolCall {
                    id: format!("id_{place}_{index}"),
                    name,
                    arguments: json!({"a": value}).to_string(),
                    signature,
                }));
            }
            parts
        },
    )
}

/// The results of a turn's calls, then the user's own parts.
fn user_parts(calls: &[Part]) -> impl Strategy<Value = Vec<Part>> + use<> {
    let calls: Vec<ToolCall> = calls
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.clone()),
            _ => None,
        })
        .collect();
    let result = (word(), any::<bool>(), prop::option::of(media()));
    let count = calls.len();
    let text_parts = prop::collection::vec(prop_oneof![word().prop_map(Part::text), media()], 1..3);
    (prop::collection::vec(result, count), text_parts).prop_map(move |(results, text_parts)| {
        let mut parts = Vec::new();
        for (call, (text, is_error, media)) in calls.iter().zip(results) {
            let inline = |part: &Part| match part {
                Part::Image(media) => matches!(media.source, MediaSource::Base64(_)),
                _ => false,
            };
            let mut inner = vec![Part::text(text)];
            inner.extend(media.filter(inline));
            parts.push(Part::ToolResult(ToolResult {
                call_id: call.id.clone(),
                name: Some(call.name.clone()),
                parts: inner,
                is_error,
            }));
        }
        parts.extend(text_parts);
        parts
    })
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = |role, parts| Turn { role, parts };
    let first = user_parts(&[]).prop_map(move |parts| vec![turn(Role::User, parts)]);
    (first, prop::collection::vec(any::<bool>(), 0..3)).prop_flat_map(move |(first, more)| {
        let mut all = Just(first).boxed();
        for place in 0..more.len() {
            all = (all, assistant_parts(place))
                .prop_flat_map(move |(turns, parts)| {
                    let user = user_parts(&parts);
                    (Just(turns), Just(parts), user)
                })
                .prop_map(move |(mut turns, parts, text_parts)| {
                    turns.push(turn(Role::Assistant, parts));
                    turns.push(turn(Role::User, text_parts));
                    turns
                })
                .boxed();
        }
        all
    })
}

fn tool() -> impl Strategy<Value = Tool> {
    let schema = json!({"type": "object", "properties": {"type": {"type": ["string", "null"]}}});
    let kind = prop::option::of(Just(schema)).prop_map(ToolKind::Function);
    ("[a-z]{1,6}", prop::option::of(word()), kind).prop_map(|(name, description, kind)| Tool {
        name,
        description,
        kind,
        strict: None,
    })
}

fn choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        word().prop_map(ToolChoice::Named),
        prop::collection::vec(word(), 2..4).prop_map(|names| ToolChoice::Allowed {
            names,
            required: true,
        }),
        prop::collection::vec(word(), 1..4).prop_map(|names| ToolChoice::Allowed {
            names,
            required: false,
        }),
    ]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    use prop::option::of as some;
    // Hundredths only: JSON does not keep the last digits of longer numbers.
    let number = |hundredths: std::ops::Range<i32>| {
        some(hundredths.prop_map(|number| f64::from(number) / 100.0))
    };
    let counts = (some(1..100_u64), some(1..9999_u64), some(any::<i32>()));
    let numbers = (
        number(0..200),
        number(0..100),
        number(-200..200),
        number(-200..200),
    );
    (numbers, counts).prop_map(|(numbers, (top_k, tokens_max, seed))| Sampling {
        temperature: numbers.0,
        top_p: numbers.1,
        top_k,
        tokens_max,
        presence_penalty: numbers.2,
        frequency_penalty: numbers.3,
        seed: seed.map(i64::from),
    })
}

/// A model, with the reasoning options that it supports: a level or a budget.
fn thinking() -> impl Strategy<Value = (&'static str, Option<Reasoning>)> {
    let levels = [Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];
    let level = (prop::sample::select(levels.to_vec()), any::<Option<bool>>()).prop_map(
        |(effort, shown)| {
            let effort = Some(effort);
            (
                "gemini-3-flash",
                Some(Reasoning {
                    effort,
                    budget_tokens: None,
                    shown,
                }),
            )
        },
    );
    let budget = (128..30_000_u64, any::<Option<bool>>()).prop_map(|(budget, shown)| {
        let budget_tokens = Some(budget);
        (
            "gemini-2.5-pro",
            Some(Reasoning {
                effort: None,
                budget_tokens,
                shown,
            }),
        )
    });
    let off = Reasoning {
        effort: Some(Effort::None),
        ..Reasoning::default()
    };
    let other = prop_oneof![Just(("m", None)), Just(("m", Some(off)))];
    prop_oneof![level, budget, other]
}

fn format() -> impl Strategy<Value = Format> {
    let schema = json!({"type": "object", "nullable": true});
    let by_schema = Format::Schema {
        name: None,
        description: None,
        schema,
        strict: None,
    };
    prop::sample::select(vec![Format::Text, Format::Json, by_schema])
}

prop_compose! {
    fn request()(
        turns in turns(),
        system in prop::collection::vec(word().prop_map(Part::text), 0..3),
        tools in prop::collection::vec(tool(), 0..3),
        tool_choice in prop::option::of(choice()),
        format in format(),
        stop in prop::collection::vec(word(), 0..5),
        sampling in sampling(),
        (model, reasoning) in thinking(),
        stream in any::<bool>(),
    ) -> Request {
        Request {
            model: model.to_owned(),
            stream,
            include_usage: true,
            // The API accepts a choice only together with tools.
            tool_choice: tool_choice.filter(|_| !tools.is_empty()),
            system, turns, tools, format, stop, sampling, reasoning,
            ..Request::default()
        }
    }
}

/// JSON that is nearly a request, a response or an event.
fn near_miss() -> impl Strategy<Value = String> {
    let names = prop::sample::select(NAMES);
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!("")),
        Just(json!("model")),
        Just(json!("STOP")),
        Just(json!("AA==")),
    ];
    let value = leaf.prop_recursive(7, 48, 4, move |inner| {
        let members = prop::collection::vec((names.clone(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::Array),
            members.prop_map(|members| {
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            }),
        ]
    });
    value.prop_map(|value| value.to_string())
}

const NAMES: &[&str] = &[
    "args",
    "candidates",
    "content",
    "contents",
    "data",
    "endIndex",
    "error",
    "fileData",
    "fileUri",
    "finishReason",
    "functionCall",
    "functionDeclarations",
    "functionResponse",
    "generationConfig",
    "groundingChunkIndices",
    "groundingChunks",
    "groundingMetadata",
    "groundingSupports",
    "id",
    "inlineData",
    "mimeType",
    "name",
    "parameters",
    "parts",
    "promptFeedback",
    "response",
    "responseSchema",
    "role",
    "segment",
    "startIndex",
    "systemInstruction",
    "text",
    "thinkingConfig",
    "thought",
    "thoughtSignature",
    "thought_signature",
    "toolConfig",
    "tools",
    "usageMetadata",
    "web",
];

fn decode_all(body: &[u8]) {
    let _ = decode_request(body, &request_head(), &mut TranslationReport::default()).is_ok();
    let _ = decode_response(body).is_ok();
    let _ = check_body(body);
    let mut observer = observer();
    let mut decoder = decoder();
    let mut out = Vec::new();
    for name in ["", "error"] {
        observer.observe(name, body);
        let _ = decoder.event(name, body, &mut out).is_ok();
    }
    decoder.finish(&mut out);
}

proptest! {
    #[test]
    fn requests_round_trip(request in request()) {
        let mut report = TranslationReport::default();
        let fail = |error: crate::ir::TranslationError| TestCaseError::fail(error.to_string());
        // Media are inside of the results, as they were before.
        let traits = Traits {
            images: ImagePlaces::Everywhere,
            ..Traits::built_in(Dialect::Gemini, "", &request.model)
        };
        let written = encode_request(&request, &traits, &mut report).map_err(fail)?;
        let head = RequestHead { model: request.model.as_str().into(), stream: request.stream };
        let read = decode_request(&written, &head, &mut report).map_err(fail)?;
        prop_assert_eq!(read, request);
        prop_assert_eq!(report.into_warnings(), []);
    }

    #[test]
    fn never_panics_on_bytes(body in prop::collection::vec(any::<u8>(), 0..64), text in "[\\[\\]{}\",:a-z0-9\\\\ ]{0,48}") {
        decode_all(&body);
        decode_all(text.as_bytes());
    }

    #[test]
    fn never_panics_on_near_miss(body in near_miss()) {
        decode_all(body.as_bytes());
    }
}
