//! Responses that pass through their executor.

use bytes::Bytes;
use http::HeaderValue;
use jackfield_dispatch::CallError;
use jackfield_dispatch::limits::{ROUND_TRIPS_MAX, WHOLE_RESPONSE_BYTES_MAX};
use jackfield_dispatch::plan::{Frame, Framing, Output, Plan, PlannedBody, ResponseMode};
use jackfield_dispatch::port::FaultKind;
use tokio::time::Instant;

use crate::chat_fixtures::{COMPLETION, DONE, ROLE, content, stream};
use crate::fake_plugins::{FakeExecutor, FakeReply, frame, output, planned};
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{Setting, Stage, text};

pub(crate) fn stage(executor: FakeExecutor, scripts: Vec<Script>) -> Stage {
    Setting::new(1)
        .one_round()
        .executor(executor)
        .stage(FakeUpstream::in_order(scripts))
}

/// Returns the data of an event.
fn data(event: &str) -> Bytes {
    Bytes::copy_from_slice(event.trim_start_matches("data: ").trim_end().as_bytes())
}

#[tokio::test(start_paused = true)]
async fn plugin_transforms_events() {
    let executor = FakeExecutor::replying(ResponseMode::Frames(Framing::Sse), |_| {
        let reply = FakeReply::new(|frames, _| {
            let translated = frames.into_iter().map(|frame| match &*frame.name {
                "delta" => self::frame(data(&content(std::str::from_utf8(&frame.data).unwrap()))),
                "stop" => self::frame("[DONE]"),
                name => panic!("{name}"),
            });
            Ok(output(translated.collect()))
        });
        Ok(reply.with_head(|mut head| {
            head.headers
                .insert("x-request-id", HeaderValue::from_static("guest"));
            Ok(head)
        }))
    });
    let events = [
        "event: delta\ndata: one\n\n",
        ": x\n\nevent: delta\r\ndata: t",
        "wo\r\n\r\nevent: stop\ndata:\n\n",
    ];
    let stage = stage(executor, vec![Script::events(events)]);
    let response = stage.stream().await.unwrap();
    assert_eq!(response.headers["x-request-id"], "guest");
    let expected = [&content("one"), &content("two"), DONE].concat();
    assert_eq!(text(Ok(response)).await, expected);
    assert_eq!(stage.counts().success, 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn plugin_gets_lines_and_raw_chunks() {
    for (framing, expected) in [
        (Framing::Lines, vec!["one", "two", "", "three"]),
        (Framing::Raw, vec!["one\r\ntw", "o\n\nthree"]),
    ] {
        let executor = FakeExecutor::replying(ResponseMode::Frames(framing), move |_| {
            let mut seen: Vec<Frame> = Vec::new();
            let expected = expected.clone();
            Ok(FakeReply::new(move |frames, last| {
                seen.extend(frames);
                if !last {
                    return Ok(Output::default());
                }
                assert_eq!(
                    seen,
                    expected.iter().copied().map(frame).collect::<Vec<_>>()
                );
                Ok(output(vec![frame(COMPLETION)]))
            }))
        });
        let script = Script::events(["one\r\ntw", "o\n\nthree"]);
        let stage = stage(executor, vec![script]);
        assert_eq!(text(stage.whole().await).await, COMPLETION);
        assert_eq!(stage.counts().success, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn buffered_response_is_one_frame() {
    let executor = FakeExecutor::replying(ResponseMode::Whole, |state| {
        assert_eq!(state, "");
        Ok(FakeReply::new(|frames, last| {
            assert!(last);
            assert_eq!(frames, [frame("{\"foreign\":1}")]);
            Ok(output(vec![
                frame(&COMPLETION.as_bytes()[..9]),
                frame(&COMPLETION.as_bytes()[9..]),
            ]))
        }))
    });
    let script = Script::response(
        200,
        "application/json",
        vec![
            Piece::Chunk("{\"fore".into()),
            Piece::Chunk("ign\":1}".into()),
        ],
    );
    let stage = stage(executor, vec![script]);
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.counts().success, 1);
}

#[tokio::test(start_paused = true)]
async fn plugin_done_ends_the_response() {
    let executor = FakeExecutor::replying(ResponseMode::Frames(Framing::Sse), |_| {
        Ok(FakeReply::new(|frames, _| {
            let done = frames.iter().any(|frame| frame.data == "[DONE]");
            Ok(Output {
                frames,
                done,
                ..Output::default()
            })
        }))
    });
    let script = Script::events(stream()).then(Piece::Hang);
    let stage = stage(executor, vec![script]);
    let start = Instant::now();
    assert_eq!(text(stage.stream().await).await, stream().concat());
    assert_eq!(start.elapsed().as_millis(), 0);
    assert_eq!(stage.counts().success, 1);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn validates_plugin_response() {
    let returning = |frames: &'static [&'static str]| {
        FakeExecutor::replying(ResponseMode::Whole, move |_| {
            Ok(FakeReply::new(move |_, _| {
                Ok(output(frames.iter().copied().map(frame).collect()))
            }))
        })
    };
    for (frames, detail) in [
        (&[][..], "it returned an empty body"),
        (&[""], "it returned an empty body"),
        (
            &["oo", "ps"],
            "it returned a body that is not JSON: expected value at line 1 column 1",
        ),
        (
            &["{}"],
            "it returned a body that is not of the dialect openai-chat: it has no choices",
        ),
        (
            &[r#"{"choices":[]}"#],
            "it returned a body that is not of the dialect openai-chat: it has no choices",
        ),
    ] {
        let stage = stage(returning(frames), vec![Script::json(200, COMPLETION)]);
        let Err(CallError::Plugin(fault)) = stage.whole().await else {
            panic!("{frames:?}")
        };
        assert_eq!(
            (fault.kind, &*fault.detail),
            (FaultKind::InvalidOutput, detail)
        );
        let counts = stage.counts();
        let counts = (counts.inconclusive, counts.failed, counts.success);
        assert_eq!(
            (counts, stage.executor.faults()),
            ((1, 0, 0), 1),
            "{detail}"
        );
        assert_eq!(stage.cooling(), Vec::<String>::new());
        let record = stage.record();
        let mut steps = record["steps"].as_array().unwrap().iter();
        let step = steps.find(|step| step["step"] == "plugin-fault").unwrap();
        assert_eq!(
            (&step["error"], &step["returned"]),
            (&detail.into(), &frames.concat().into())
        );
        stage.assert_closed();
    }
    // The plugin reports an error of the provider.
    let executor = returning(&[r#"{"error":{"message":"no"}}"#]);
    let stage = stage(executor, vec![Script::json(200, COMPLETION)]);
    let error = stage.whole().await.unwrap_err();
    assert!(matches!(error, CallError::Upstream(_)), "{error:?}");
    assert_eq!((stage.counts().failed, stage.executor.faults()), (1, 0));
}

/// A plugin may repeat what a provider repeats: the key. The record of a call has no secrets.
#[tokio::test(start_paused = true)]
async fn record_of_wrong_output_shows_no_secret() {
    for (body, shown) in [("wrong key", true), ("wrong key sk-of-a", false)] {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let returned = body.clone();
        let executor = FakeExecutor::replying(ResponseMode::Whole, move |_| {
            let returned = returned.clone();
            Ok(FakeReply::new(move |_, _| {
                Ok(output(vec![frame(returned.clone())]))
            }))
        });
        let stage = stage(executor, vec![Script::json(200, COMPLETION)]);
        stage.whole().await.unwrap_err();
        let record = stage.record();
        let mut steps = record["steps"].as_array().unwrap().iter();
        let step = steps.find(|step| step["step"] == "plugin-fault").unwrap();
        assert_eq!(step["returned"].is_string(), shown, "{body:?}");
        assert!(!record.to_string().contains("sk-of-a"), "{record}");
    }
}

/// What the plugin passes on as it got it is the provider's.
#[tokio::test(start_paused = true)]
async fn wrong_responses_that_a_plugin_passes_on_are_the_providers() {
    for body in ["", "oops", "{}"] {
        let executor = FakeExecutor::replying(ResponseMode::Whole, |_| Ok(FakeReply::echoing()));
        let stage = stage(executor, vec![Script::json(200, body)]);
        let error = stage.whole().await.unwrap_err();
        assert!(matches!(error, CallError::Upstream(_)), "{body}: {error:?}");
        assert_eq!((stage.counts().failed, stage.executor.faults()), (1, 0));
    }
}

/// A plugin that writes some frames and passes on others is not to blame for those.
#[tokio::test(start_paused = true)]
async fn invalid_frame_that_a_writing_plugin_passes_on_is_the_providers() {
    let executor = FakeExecutor::replying(ResponseMode::Frames(Framing::Lines), |_| {
        Ok(FakeReply::new(|frames, _| {
            let frames = frames.into_iter().map(|one| match &*one.data {
                b"first" => frame(data(ROLE)),
                _ => one,
            });
            Ok(output(frames.collect()))
        }))
    });
    let stage = stage(executor, vec![Script::events(["first\n", "oops\n"])]);
    let error = stage.stream().await.unwrap_err();
    assert!(matches!(error, CallError::Upstream(_)), "{error:?}");
    assert_eq!((stage.counts().failed, stage.executor.faults()), (1, 0));
}

/// A plugin that translates a stream: it returns `event` once, and ends after it if it is to.
fn writes(event: &'static str, done: bool) -> FakeExecutor {
    FakeExecutor::replying(ResponseMode::Frames(Framing::Lines), move |_| {
        let mut frames = vec![frame(event)];
        Ok(FakeReply::new(move |_, _| {
            Ok(Output {
                frames: std::mem::take(&mut frames),
                done,
                ..Output::default()
            })
        }))
    })
}

#[tokio::test(start_paused = true)]
async fn invalid_events_are_the_plugins_fault() {
    for (event, done, detail) in [
        (
            "{\"choices\":",
            false,
            "it returned a frame that is not JSON: EOF while parsing a value",
        ),
        ("[DONE]", false, "it returned a frame that is not JSON"),
        (ROLE, true, "it ended the response before it was complete"),
    ] {
        let event = event.trim_start_matches("data: ").trim_end();
        let lines = vec![Script::events(["{\"text\":\"one\"}\n", "two\n"])];
        expect_invalid_output(stage(writes(event, done), lines), detail).await;
    }
}

#[tokio::test(start_paused = true)]
async fn limits_plugin_input_and_output_size() {
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    let over = (WHOLE_RESPONSE_BYTES_MAX >> 20) + 1;
    for response in [ResponseMode::Whole, ResponseMode::Frames(Framing::Lines)] {
        let executor = FakeExecutor::replying(response, |_| Ok(FakeReply::echoing()));
        let pieces = vec![Piece::Chunk(chunk.clone()); 2 * over];
        let script = Script::response(200, "application/json", pieces);
        let stage = stage(executor, vec![script]);
        assert!(stage.whole().await.is_err());
        assert!(stage.upstream.bytes_read() <= over << 20, "{response:?}");
    }
    let frames = vec![frame(chunk); over];
    let executor = FakeExecutor::replying(ResponseMode::Whole, move |_| {
        let frames = frames.clone();
        Ok(FakeReply::new(move |_, _| Ok(output(frames.clone()))))
    });
    let stage = stage(executor, vec![Script::json(200, "{}")]);
    let error = stage.whole().await.unwrap_err();
    assert!(error.to_string().contains("32 MiB"), "{error}");
}

pub(crate) fn next(plan: Plan) -> Output {
    Output {
        next: Some(Box::new(plan)),
        ..Output::default()
    }
}

/// Requests this many further exchanges, then forwards the response.
fn with_round_trips(further: u32) -> FakeExecutor {
    FakeExecutor::replying(ResponseMode::Whole, move |_| {
        let mut left = further;
        Ok(FakeReply::new(move |frames, _| {
            if left == 0 {
                return Ok(output(frames));
            }
            left -= 1;
            let body = PlannedBody::Bytes(Bytes::from(format!("{left} left")));
            Ok(next(planned(body, ResponseMode::Whole)))
        }))
    })
}

#[tokio::test(start_paused = true)]
async fn plugin_may_send_further_requests_up_to_limit() {
    for further in 0..ROUND_TRIPS_MAX {
        let mut scripts = vec![Script::json(200, "{\"job\":1}"); further as usize];
        scripts.push(Script::json(200, COMPLETION));
        let stage = stage(with_round_trips(further), scripts);
        assert_eq!(text(stage.whole().await).await, COMPLETION);
        assert_eq!(stage.upstream.calls(), further as usize + 1);
        let bodies = (1..=further).map(|trip| stage.upstream.body_of(trip as usize));
        let expected = (0..further)
            .rev()
            .map(|left| Bytes::from(format!("{left} left")));
        assert!(bodies.eq(expected));
        assert_eq!((stage.counts().success, stage.executor.faults()), (1, 0));
        stage.assert_closed();
    }
}

/// The call must end in a fault of the plugin, without effect on any credential.
pub(crate) async fn expect_invalid_output(stage: Stage, word: &str) {
    let error = stage.stream().await.unwrap_err();
    let CallError::Plugin(fault) = error else {
        panic!("{word}: {error:?}")
    };
    assert_eq!(fault.kind, FaultKind::InvalidOutput);
    assert!(fault.detail.contains(word), "{}", fault.detail);
    assert_eq!(
        (stage.counts().inconclusive, stage.executor.faults()),
        (1, 1),
        "{word}"
    );
    assert_eq!(stage.failed_credentials(), Vec::<String>::new());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn rejects_requests_over_round_trip_limit() {
    let trips = ROUND_TRIPS_MAX;
    let scripts = vec![Script::json(200, "{\"job\":1}"); trips as usize];
    expect_invalid_output(
        stage(with_round_trips(trips), scripts),
        "more than 4 requests",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn validates_further_plans() {
    for (word, break_rule) in [
        (
            "captures",
            (|plan| plan.captures = vec![("/a".into(), "b".into())]) as fn(&mut Plan),
        ),
        ("elsewhere.test", |plan| {
            plan.request.url = url::Url::parse("https://elsewhere.test/").unwrap();
        }),
    ] {
        let executor = FakeExecutor::replying(ResponseMode::Whole, move |_| {
            Ok(FakeReply::new(move |_, _| {
                let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
                break_rule(&mut plan);
                Ok(next(plan))
            }))
        });
        expect_invalid_output(stage(executor, vec![Script::json(200, "{}")]), word).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rejects_further_plan_with_frames() {
    let executor = FakeExecutor::replying(ResponseMode::Whole, |_| {
        Ok(FakeReply::new(|_, _| {
            let mut output = next(planned(PlannedBody::Original, ResponseMode::Relay));
            output.frames = vec![frame(data(ROLE))];
            Ok(output)
        }))
    });
    expect_invalid_output(
        stage(executor, vec![Script::json(200, "{}")]),
        "further request",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn last_of_several_responses_may_be_relayed() {
    let executor = FakeExecutor::replying(ResponseMode::Whole, |_| {
        Ok(FakeReply::new(|_, _| {
            Ok(next(planned(PlannedBody::Original, ResponseMode::Relay)))
        }))
    });
    let scripts = vec![Script::json(200, "{}"), Script::events(stream())];
    let stage = stage(executor, scripts);
    assert_eq!(text(stage.stream().await).await, stream().concat());
    assert_eq!((stage.counts().success, stage.counts().failed), (1, 0));
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn failed_further_request_fails_over() {
    let executor = || with_round_trips(1);
    let job = || Script::json(200, "{\"job\":1}");
    let scripts = vec![
        job(),
        Script::json(500, ""),
        job(),
        Script::json(200, COMPLETION),
    ];
    let stage = Setting::new(2)
        .executor(executor())
        .stage(FakeUpstream::in_order(scripts));
    assert_eq!(text(stage.whole().await).await, COMPLETION);
    assert_eq!(stage.upstream.credentials(), ["a", "a", "b", "b"]);
    assert_eq!(stage.failed_credentials(), ["a"]);
}
