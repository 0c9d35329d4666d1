//! Tests of requests, responses and streams.

use crate::traits::Traits;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    check_body, decode_request, decode_response, decoder, encode_request, encode_response, encoder,
    observer,
};
use crate::ir::{
    Delta, Event, FinishReason, Format, Frame, Part, PartStart, Reasoning, Request,
    ResponseContext, Role, Sampling, Tool, ToolKind, TranslationError, TranslationReport, Turn,
};
use crate::openai_chat::json_strategy;
use crate::{BodyCheck, EventClass, ProviderError, RequestHead, Usage};

const REQUESTS: [&str; 2] = [
    include_str!("../../../../tests/cases/dialects/text/openai-completions.request.json"),
    include_str!("../../../../tests/cases/dialects/streamed-text/openai-completions.request.json"),
];
const RESPONSES: [&str; 2] = [
    include_str!("../../../../tests/cases/dialects/text/openai-completions.response.json"),
    include_str!("../../../../tests/cases/dialects/usage/openai-completions.response.json"),
];
const STREAMS: [&str; 3] = [
    include_str!("../../../../tests/cases/dialects/streamed-text/openai-completions.stream.sse"),
    include_str!("../../../../tests/cases/dialects/errors/openai-completions.stream.sse"),
    include_str!("../../../../tests/cases/dialects/usage/openai-completions.stream.sse"),
];

fn response_context() -> ResponseContext {
    ResponseContext {
        id: "x".to_owned(),
        created: 7,
        model: "m".to_owned(),
        include_usage: true,
        ..ResponseContext::default()
    }
}

fn read(body: &Value) -> (Result<Request, TranslationError>, Vec<String>) {
    let mut report = TranslationReport::default();
    let head = RequestHead {
        model: "m".into(),
        stream: body["stream"] == true,
    };
    let read = decode_request(body.to_string().as_bytes(), &head, &mut report);
    let warned = report.into_warnings().into_iter().map(|it| it.field);
    (read, warned.collect())
}

fn write(request: &Request) -> (Result<Value, TranslationError>, Vec<String>) {
    let mut report = TranslationReport::default();
    let written = encode_request(request, &Traits::everything(), &mut report);
    let written = written.map(|body| serde_json::from_slice(&body).unwrap());
    let warned = report.into_warnings().into_iter().map(|it| it.field);
    (written, warned.collect())
}

fn completion_request(text: &str) -> Request {
    Request {
        turns: vec![Turn {
            role: Role::User,
            parts: vec![Part::text(text)],
        }],
        sampling: Sampling {
            tokens_max: Some(9),
            ..Sampling::default()
        },
        ..Request::default()
    }
}

fn data(stream: &str) -> impl Iterator<Item = &[u8]> {
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    data.map(str::as_bytes)
}

fn decode<'a>(data: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = decoder();
    let mut out = Vec::new();
    for data in data {
        decoder.event("", data, &mut out).unwrap();
    }
    decoder.finish(&mut out);
    out
}

fn frames(events: &[Event]) -> Vec<Frame> {
    let mut encoder = encoder(response_context());
    let mut out = Vec::new();
    events
        .iter()
        .for_each(|event| encoder.event(event, &mut out));
    out
}

#[test]
fn golden_requests_round_trip() {
    for text in REQUESTS {
        let body: Value = serde_json::from_str(text).unwrap();
        let (request, warned) = read(&body);
        assert!(warned.is_empty(), "{warned:?}");
        let mut request = request.unwrap();
        assert_eq!(
            request.turns[0].parts,
            [Part::text("What is the capital of France?")]
        );
        request.model = body["model"].as_str().unwrap().to_owned();
        let (written, warned) = write(&request);
        assert_eq!(written.unwrap(), body);
        assert!(warned.is_empty(), "{warned:?}");
    }
}

#[test]
fn golden_responses_round_trip() {
    for text in RESPONSES {
        let original: Value = serde_json::from_str(text).unwrap();
        assert!(matches!(
            check_body(text.as_bytes()),
            BodyCheck::Complete { usage: Some(_), .. }
        ));
        let response = decode_response(text.as_bytes()).unwrap();
        let written: Value =
            serde_json::from_slice(&encode_response(&response, &response_context())).unwrap();
        assert_eq!(written["choices"], original["choices"]);
        assert_eq!(
            written["usage"]["total_tokens"],
            original["usage"]["total_tokens"]
        );
        assert_eq!(
            (&written["id"], &written["object"]),
            (&json!("cmpl-x"), &json!("text_completion"))
        );
    }
}

#[test]
fn golden_streams_round_trip() {
    for stream in STREAMS {
        let mut events = decode(data(stream));
        let written = frames(&events);
        let (id, model) = ("cmpl-x".to_owned(), "m".to_owned());
        events[0] = Event::Start { id, model };
        assert_eq!(decode(written.iter().map(|frame| &frame.data[..])), events);
        let mut observer = observer();
        let seen: Vec<_> = data(stream)
            .map(|data| observer.observe("", data))
            .collect();
        assert_eq!(seen[0], EventClass::Content);
        assert_eq!(
            observer.completed(),
            matches!(seen.last(), Some(EventClass::Done))
        );
    }
}

#[test]
fn warns_of_dropped_members() {
    let cases = [
        (json!({"logprobs": 3}), "logprobs"),
        (json!({"logit_bias": {"1": 1}}), "logit_bias"),
        (json!({"odd": 1}), "odd"),
    ];
    for (mut body, field) in cases {
        body["prompt"] = json!("x");
        let (read, warned) = read(&body);
        assert!(read.is_ok(), "{field}");
        assert_eq!(warned, [field]);
    }
    let plain = json!({"prompt": ["x"], "n": 1, "best_of": 1, "echo": false, "suffix": "", "logprobs": null});
    let (read, warned) = read(&plain);
    assert_eq!(read.unwrap().turns[0].parts, [Part::text("x")]);
    assert!(warned.is_empty(), "{warned:?}");
}

#[test]
fn rejects_unsupported_requests() {
    let cases = [
        (json!({}), "prompt"),
        (json!({"prompt": ""}), "prompt"),
        (json!({"prompt": []}), "prompt"),
        (json!({"prompt": ["a", "b"]}), "prompt"),
        (json!({"prompt": [1]}), "prompt"),
        (json!({"prompt": [[1, 2]]}), "prompt"),
        (json!({"prompt": "x", "n": 2}), "n"),
        (json!({"prompt": "x", "best_of": 2}), "best_of"),
        (json!({"prompt": "x", "echo": true}), "echo"),
        (json!({"prompt": "x", "suffix": "y"}), "suffix"),
        (json!({"prompt": "x", "max_tokens": "y"}), "max_tokens"),
    ];
    for (body, field) in cases {
        assert_eq!(
            read(&body).0.map_err(|it| it.field),
            Err(field.to_owned()),
            "{body}"
        );
    }
}

#[test]
fn rejects_all_but_plain_text() {
    let tool = Tool {
        name: "f".to_owned(),
        description: None,
        kind: ToolKind::Function(None),
        strict: None,
    };
    let mut with_assistant_turn = completion_request("x");
    with_assistant_turn.turns.push(Turn {
        role: Role::Assistant,
        parts: vec![Part::text("y")],
    });
    let mut refused = completion_request("x");
    refused.turns[0].parts.push(Part::Refusal("No.".to_owned()));
    let cases = [
        (
            Request {
                tools: vec![tool],
                ..completion_request("x")
            },
            "tools",
        ),
        (
            Request {
                format: Format::Json,
                ..completion_request("x")
            },
            "response_format",
        ),
        (Request::default(), "messages"),
        (with_assistant_turn, "messages"),
        (refused, "messages"),
    ];
    for (request, field) in cases {
        assert_eq!(
            write(&request).0.map_err(|it| it.field),
            Err(field.to_owned())
        );
    }
}

#[test]
fn warns_of_unsupported_settings() {
    let mut tiered = completion_request("x");
    tiered
        .openai
        .insert("service_tier".to_owned(), json!("flex"));
    let with_sampling = |sampling: Sampling| Request {
        sampling,
        ..completion_request("x")
    };
    let cases = [
        (tiered, "service_tier"),
        (
            Request {
                reasoning: Some(Reasoning::default()),
                ..completion_request("x")
            },
            "reasoning",
        ),
        (
            with_sampling(Sampling {
                top_k: Some(1),
                tokens_max: Some(1),
                ..Sampling::default()
            }),
            "top_k",
        ),
        (with_sampling(Sampling::default()), "max_tokens"),
        (
            Request {
                system: vec![Part::text("s")],
                ..completion_request("x")
            },
            "system",
        ),
    ];
    for (request, field) in cases {
        let (written, warned) = write(&request);
        assert!(written.is_ok());
        assert_eq!(warned, [field]);
    }
    let written = write(&Request {
        system: vec![Part::text("s")],
        ..completion_request("x")
    })
    .0
    .unwrap();
    assert_eq!(written["prompt"], "s\n\nx");
    let unlimited = write(&with_sampling(Sampling::default())).0.unwrap();
    assert_eq!(unlimited["max_tokens"], 1024);
}

#[test]
fn stream_holds_text_and_finish_reason() {
    let usage = Usage {
        input: 1,
        output: 2,
        cached_input: 0,
        cache_write_input: 0,
        reasoning: 0,
    };
    let events = [
        Event::Start {
            id: String::new(),
            model: String::new(),
        },
        Event::PartStart(PartStart::Reasoning { redacted: false }),
        Event::Delta(Delta::Reasoning("r".to_owned())),
        Event::PartEnd,
        Event::PartStart(PartStart::Text),
        Event::Delta(Delta::Text("a".to_owned())),
        Event::PartEnd,
        Event::Usage(usage),
        Event::Finish(FinishReason::ContentFilter),
        Event::Done,
        Event::Done,
    ];
    let frames = frames(&events);
    let [piece, last, usage_chunk, done] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    let read = |frame: &Frame| serde_json::from_slice::<Value>(&frame.data).unwrap();
    let piece = read(piece);
    let expected = json!({
        "id": "cmpl-x", "object": "text_completion", "created": 7, "model": "m",
        "choices": [{"text": "a", "index": 0, "logprobs": null, "finish_reason": null}],
        "usage": null,
    });
    assert_eq!(piece, expected);
    assert_eq!(read(last)["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(read(usage_chunk)["choices"], json!([]));
    assert_eq!(read(usage_chunk)["usage"]["total_tokens"], 3);
    assert_eq!(done.data, b"[DONE]");
    let error = ProviderError {
        message: "m".to_owned(),
        ..ProviderError::default()
    };
    let failed = self::frames(&[Event::Error(error), Event::Done]);
    assert_eq!(failed.len(), 1);
    assert_eq!(read(&failed[0])["error"]["message"], "m");
}

fn request() -> impl Strategy<Value = Request> {
    let half =
        |least: i32, most: i32| prop::option::of((least..=most).prop_map(|it| f64::from(it) / 2.0));
    let sampling = (
        half(0, 4),
        half(0, 2),
        half(-4, 4),
        half(-4, 4),
        any::<Option<i64>>(),
    );
    let content = (
        "[ -~é\n]{1,20}",
        any::<bool>(),
        any::<u64>(),
        prop::option::of("[a-z]{1,5}"),
    );
    let stops = prop::collection::vec("[a-z]{1,3}", 0..5);
    (content, sampling, stops).prop_map(|((text, stream, tokens_max, user), sampling, stop)| {
        Request {
            model: "m".to_owned(),
            stream,
            include_usage: stream,
            stop,
            user,
            sampling: Sampling {
                temperature: sampling.0,
                top_p: sampling.1,
                top_k: None,
                tokens_max: Some(tokens_max),
                presence_penalty: sampling.2,
                frequency_penalty: sampling.3,
                seed: sampling.4,
            },
            ..completion_request(&text)
        }
    })
}

proptest! {
    #[test]
    fn requests_round_trip(request in request()) {
        let (written, warned) = write(&request);
        prop_assert!(warned.is_empty(), "{:?}", warned);
        let written = written.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(read(&written), (Ok(request), vec![]));
    }

    #[test]
    fn decode_never_panics(body in json_strategy::object(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = read(&body).0.is_ok();
        let head = RequestHead { model: "m".into(), stream: false };
        let _ = decode_request(&bytes, &head, &mut TranslationReport::default()).is_ok();
    }
}
