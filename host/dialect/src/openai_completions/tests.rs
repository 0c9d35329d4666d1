//! What text completions are read as and written as.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    StreamObserver, decode_answer, decode_request, decoder, encode_answer, encode_request, encoder,
    read_answer,
};
use crate::interlingua::{
    PartStart, Delta, Event, FinishReason, Format, Frame, TranslationReport, ResponseContext, Part, Reasoning, TranslationError, Request,
    Role, Sampling, Tool, ToolKind, Turn,
};
use crate::openai_chat::shapes;
use crate::{RequestHead, EventClass, ProviderError, Usage, BodyCheck};

const REQUESTS: [&str; 2] = [
    include_str!("../../../../tests/cases/dialects/text/openai-completions.request.json"),
    include_str!("../../../../tests/cases/dialects/streamed-text/openai-completions.request.json"),
];
const ANSWERS: [&str; 2] = [
    include_str!("../../../../tests/cases/dialects/text/openai-completions.answer.json"),
    include_str!("../../../../tests/cases/dialects/usage/openai-completions.answer.json"),
];
const STREAMS: [&str; 3] = [
    include_str!("../../../../tests/cases/dialects/streamed-text/openai-completions.stream.sse"),
    include_str!("../../../../tests/cases/dialects/errors/openai-completions.stream.sse"),
    include_str!("../../../../tests/cases/dialects/usage/openai-completions.stream.sse"),
];

fn owed() -> ResponseContext {
    ResponseContext {
        id: "x".to_owned(),
        created: 7,
        model: "m".to_owned(),
        include_usage: true,
        ..ResponseContext::default()
    }
}

fn read(body: &Value) -> (Result<Request, TranslationError>, Vec<String>) {
    let mut notes = TranslationReport::default();
    let asked = RequestHead {
        model: "m".into(),
        stream: body["stream"] == true,
    };
    let read = decode_request(body.to_string().as_bytes(), &asked, &mut notes);
    let warned = notes.into_warnings().into_iter().map(|it| it.field);
    (read, warned.collect())
}

fn write(request: &Request) -> (Result<Value, TranslationError>, Vec<String>) {
    let mut notes = TranslationReport::default();
    let written = encode_request(request, &mut notes);
    let written = written.map(|body| serde_json::from_slice(&body).unwrap());
    let warned = notes.into_warnings().into_iter().map(|it| it.field);
    (written, warned.collect())
}

fn asks(text: &str) -> Request {
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
    let mut encoder = encoder(owed());
    let mut out = Vec::new();
    events
        .iter()
        .for_each(|event| encoder.event(event, &mut out));
    out
}

#[test]
fn the_requests_are_written_as_they_were_read() {
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
fn the_answers_say_the_same_when_written() {
    for text in ANSWERS {
        let original: Value = serde_json::from_str(text).unwrap();
        assert!(matches!(
            read_answer(text.as_bytes()),
            BodyCheck::Complete { usage: Some(_), .. }
        ));
        let answer = decode_answer(text.as_bytes()).unwrap();
        let written: Value = serde_json::from_slice(&encode_answer(&answer, &owed())).unwrap();
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
fn the_streams_come_back_as_they_were() {
    for stream in STREAMS {
        let mut events = decode(data(stream));
        let written = frames(&events);
        let (id, model) = ("cmpl-x".to_owned(), "m".to_owned());
        events[0] = Event::Start { id, model };
        assert_eq!(decode(written.iter().map(|frame| &frame.data[..])), events);
        let mut observer = StreamObserver::new();
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
fn what_is_not_carried_is_named() {
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
fn what_would_give_a_wrong_answer_is_refused() {
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
fn only_a_text_can_be_completed() {
    let tool = Tool {
        name: "f".to_owned(),
        description: None,
        kind: ToolKind::Function(None),
        strict: None,
    };
    let mut answered = asks("x");
    answered.turns.push(Turn {
        role: Role::Assistant,
        parts: vec![Part::text("y")],
    });
    let mut refused = asks("x");
    refused.turns[0].parts.push(Part::Refusal("No.".to_owned()));
    let cases = [
        (
            Request {
                tools: vec![tool],
                ..asks("x")
            },
            "tools",
        ),
        (
            Request {
                format: Format::Json,
                ..asks("x")
            },
            "response_format",
        ),
        (Request::default(), "messages"),
        (answered, "messages"),
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
fn what_is_not_said_is_named() {
    let mut tiered = asks("x");
    tiered
        .openai
        .insert("service_tier".to_owned(), json!("flex"));
    let drawn = |sampling: Sampling| Request {
        sampling,
        ..asks("x")
    };
    let cases = [
        (tiered, "service_tier"),
        (
            Request {
                reasoning: Some(Reasoning::default()),
                ..asks("x")
            },
            "reasoning",
        ),
        (
            drawn(Sampling {
                top_k: Some(1),
                tokens_max: Some(1),
                ..Sampling::default()
            }),
            "top_k",
        ),
        (drawn(Sampling::default()), "max_tokens"),
        (
            Request {
                system: vec![Part::text("s")],
                ..asks("x")
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
        ..asks("x")
    })
    .0
    .unwrap();
    assert_eq!(written["prompt"], "s\n\nx");
    let unlimited = write(&drawn(Sampling::default())).0.unwrap();
    assert_eq!(unlimited["max_tokens"], 1024);
}

#[test]
fn a_stream_is_text_and_why_it_ends() {
    let usage = Usage {
        input: 1,
        output: 2,
        cached_input: 0,
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
    let [piece, last, spent, done] = frames.as_slice() else {
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
    assert_eq!(read(spent)["choices"], json!([]));
    assert_eq!(read(spent)["usage"]["total_tokens"], 3);
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
    let drawn = (
        half(0, 4),
        half(0, 2),
        half(-4, 4),
        half(-4, 4),
        any::<Option<i64>>(),
    );
    let asked = (
        "[ -~é\n]{1,20}",
        any::<bool>(),
        any::<u64>(),
        prop::option::of("[a-z]{1,5}"),
    );
    let stops = prop::collection::vec("[a-z]{1,3}", 0..5);
    (asked, drawn, stops).prop_map(|((text, stream, tokens_max, user), drawn, stop)| Request {
        model: "m".to_owned(),
        stream,
        include_usage: stream,
        stop,
        user,
        sampling: Sampling {
            temperature: drawn.0,
            top_p: drawn.1,
            top_k: None,
            tokens_max: Some(tokens_max),
            presence_penalty: drawn.2,
            frequency_penalty: drawn.3,
            seed: drawn.4,
        },
        ..asks(&text)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(request in request()) {
        let (written, warned) = write(&request);
        prop_assert!(warned.is_empty(), "{:?}", warned);
        let written = written.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert_eq!(read(&written), (Ok(request), vec![]));
    }

    #[test]
    fn no_request_panics(body in shapes::object(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = read(&body).0.is_ok();
        let asked = RequestHead { model: "m".into(), stream: false };
        let _ = decode_request(&bytes, &asked, &mut TranslationReport::default()).is_ok();
    }
}
