//! The cases that all dialects share.

use super::*;
use crate::ir::{Effort, FinishReason, Role, ToolChoice, ToolKind};

const REQUESTS: [&str; 9] = [
    "text",
    "streamed-text",
    "parallel-tools",
    "streamed-tools",
    "tool-results",
    "images",
    "system",
    "reasoning",
    "structured-output",
];

#[test]
fn golden_requests_round_trip() -> Outcome {
    for case in REQUESTS {
        let body = case_file(case, "request.json")?;
        let (request, lost) = decode(&body)?;
        assert!(lost.is_empty(), "{case}: {lost:?}");
        let (written, lost) = encode(&request)?;
        assert!(lost.is_empty(), "{case}: {lost:?}");
        let (again, _) = decode_value(&written)?;
        let echo = request.echo.clone();
        assert_eq!(Request { echo, ..again }, request, "{case}");
        assert_eq!(written["store"], false, "{case}");
    }
    Ok(())
}

#[test]
fn encoding_preserves_client_members() -> Outcome {
    for case in ["text", "streamed-text", "parallel-tools", "tool-results"] {
        let sent: Value = serde_json::from_slice(&case_file(case, "request.json")?)?;
        let (written, _) = encode(&decode_value(&sent)?.0)?;
        for (name, value) in sent.as_object().into_iter().flatten() {
            // The encoder writes an `input` string as a user message.
            if name != "input" || value.is_array() {
                assert_eq!(written[name], *value, "{case}: {name}");
            }
        }
    }
    Ok(())
}

#[test]
fn reads_golden_conversation() -> Outcome {
    let (tools, _) = decode(&case_file("parallel-tools", "request.json")?)?;
    assert_eq!(tools.tool_choice, Some(ToolChoice::Auto));
    assert_eq!(tools.parallel_tools, Some(true));
    assert!(matches!(&tools.tools[0].kind, ToolKind::Function(Some(_))));

    let (results, _) = decode(&case_file("tool-results", "request.json")?)?;
    let roles: Vec<Role> = results.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    let [
        Part::ToolResult(first),
        Part::ToolResult(_),
        Part::Text { text, .. },
    ] = results.turns[2].parts.as_slice()
    else {
        return Err(format!("{:?}", results.turns[2]).into());
    };
    assert_eq!(first.name.as_deref(), Some("get_weather"));
    assert_eq!(text, "And?");

    let (system, _) = decode(&case_file("system", "request.json")?)?;
    let blocks = [Part::text("Be brief."), Part::text("Answer in French.")];
    assert_eq!(system.system, blocks);
    assert_eq!(system.turns.len(), 3);

    let (reasoning, _) = decode(&case_file("reasoning", "request.json")?)?;
    let settings = reasoning.reasoning.unwrap_or_default();
    assert_eq!(
        (settings.effort, settings.shown),
        (Some(Effort::High), Some(true))
    );
    let Part::Reasoning(part) = &reasoning.turns[1].parts[0] else {
        return Err("no thought".into());
    };
    let signature = part.signature.as_ref().and_then(|it| it.data_for(DIALECT));
    let (id, encrypted) = reasoning::split(signature.unwrap_or_default());
    assert_eq!(id, Some("rs_68a1f130"));
    assert!(encrypted.starts_with("gAAAA"));
    Ok(())
}

#[test]
fn whole_and_streamed_responses_match() -> Outcome {
    for case in ["reasoning", "usage"] {
        let whole = decode_response(&case_file(case, "response.json")?)?;
        let (mut streamed, done) = collect_response(&events(&case_file(case, "stream.sse")?, 7)?);
        assert!(done, "{case}");
        streamed.id.clone_from(&whole.id);
        for (one, other) in streamed.parts.iter_mut().zip(&whole.parts) {
            // The two files come from separate calls, so their ids and signatures differ.
            if let (Part::Reasoning(one), Part::Reasoning(other)) = (one, other) {
                assert!(one.signature.is_some());
                one.signature.clone_from(&other.signature);
            }
        }
        assert_eq!(streamed, whole, "{case}");
    }
    Ok(())
}

#[test]
fn chunk_size_does_not_change_events() -> Outcome {
    for case in [
        "streamed-text",
        "streamed-tools",
        "reasoning",
        "errors",
        "usage",
    ] {
        let stream = case_file(case, "stream.sse")?;
        let whole = events(&stream, stream.len())?;
        for size in 1..200 {
            assert_eq!(events(&stream, size)?, whole, "{case} in chunks of {size}");
        }
    }
    Ok(())
}

#[test]
fn decodes_golden_streams() -> Outcome {
    let (text, done) = collect_response(&events(&case_file("streamed-text", "stream.sse")?, 64)?);
    assert_eq!(text.parts, [Part::text("The capital of France is Paris.")]);
    assert_eq!((text.finish, done), (FinishReason::Stop, true));

    let (tools, _) = collect_response(&events(&case_file("streamed-tools", "stream.sse")?, 64)?);
    assert_eq!(tools.finish, FinishReason::ToolCalls);
    let calls = tools.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some((call.id.as_str(), call.arguments.as_str())),
        _ => None,
    });
    let expected = [
        ("call_weather1", r#"{"city":"Paris","unit":"celsius"}"#),
        ("call_time2", r#"{"zone":"Europe/Paris"}"#),
    ];
    assert_eq!(calls.collect::<Vec<_>>(), expected);

    let failed = events(&case_file("errors", "stream.sse")?, 64)?;
    let Some(Event::Error(error)) = failed.last() else {
        return Err(format!("{failed:?}").into());
    };
    assert_eq!(error.code.as_deref(), Some("server_error"));

    let usage = decode_response(&case_file("usage", "response.json")?)?.usage;
    let expected = Usage {
        input: 100,
        output: 50,
        cached_input: 40,
        cache_write_input: 0,
        reasoning: 30,
    };
    assert_eq!(usage, Some(expected));
    Ok(())
}

#[test]
fn observer_classifies_relayed_streams() -> Outcome {
    for (case, errors, usage) in [
        ("streamed-text", 0, Some(14)),
        ("streamed-tools", 0, Some(92)),
        ("reasoning", 0, Some(40)),
        ("errors", 1, None),
    ] {
        let mut reader = SseReader::default();
        reader.push(case_file(case, "stream.sse")?.into());
        let mut observer = observer();
        let mut seen = Vec::new();
        while let Some(event) = reader.next_event()? {
            seen.push(observer.observe(event.name(), &event.data));
        }
        let count = |is: fn(&EventClass) -> bool| seen.iter().filter(|it| is(it)).count();
        assert_eq!(
            count(|it| matches!(it, EventClass::Error(_))),
            errors,
            "{case}"
        );
        assert_eq!(count(|it| matches!(it, EventClass::Malformed)), 0, "{case}");
        assert_eq!(observer.completed(), errors == 0, "{case}");
        assert_eq!(observer.usage().map(|it| it.input), usage, "{case}");
        assert_eq!(
            seen[..2],
            [EventClass::Preamble, EventClass::Preamble],
            "{case}"
        );
        assert!(observer.has_content(), "{case}");
    }
    Ok(())
}

#[test]
fn checks_response_bodies() -> Outcome {
    for case in REQUESTS {
        if let Some(body) = file(case, "response.json") {
            let BodyCheck::Complete { usage } = check_body(&body) else {
                return Err(format!("{case}: {:?}", check_body(&body)).into());
            };
            assert_eq!(usage, decode_response(&body)?.usage, "{case}");
        }
    }
    let error = case_file("errors", "error.json")?;
    assert!(matches!(check_body(&error), BodyCheck::Error(_)));
    let check = |body: Value| check_body(body.to_string().as_bytes());
    let failed = check(json!({"status": "failed", "error": {"code": "c", "message": "m"}}));
    assert!(matches!(failed, BodyCheck::Error(error) if error.message == "m"));
    assert_eq!(
        check(json!({"status": "completed", "output": []})),
        BodyCheck::Empty
    );
    assert_eq!(check(json!({"output": {}})), BodyCheck::Malformed);
    assert_eq!(check_body(b"<html>"), BodyCheck::Malformed);
    assert_eq!(check_body(b" "), BodyCheck::Empty);
    let cut_off = json!({"output": [], "incomplete_details": {"reason": "max_output_tokens"}});
    assert!(matches!(check(cut_off), BodyCheck::Complete { .. }));
    Ok(())
}
