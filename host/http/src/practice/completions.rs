//! OpenAI's legacy completions: a text goes on.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, End};
use super::asked::{Asked, Choice, Output, Turn, Wrong, tokens_of};
use super::chat::{COMPLETION, usage};
use super::openai::check_shape;
use super::voice::event;
use super::wishes::Wishes;

/// What a completion asks for.
pub(super) fn check(body: Value) -> Result<Asked, Wrong> {
    check_shape(&body, &COMPLETION)?;
    let prompt = match &body["prompt"] {
        Value::Array(prompts) => prompts
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join("\n"),
        prompt => prompt.as_str().unwrap_or_default().to_owned(),
    };
    if body["model"] == "" {
        return Err(Wrong::at("model", "you must provide a model parameter"));
    }
    let wishes = Wishes::read(&body, &prompt).map_err(|told| Wrong::at("practice", told))?;
    let stop = match &body["stop"] {
        Value::String(stop) => vec![stop.clone()],
        stops => {
            let stops = stops.as_array().into_iter().flatten();
            stops
                .filter_map(|stop| stop.as_str().map(str::to_owned))
                .collect()
        }
    };
    Ok(Asked {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == Value::Bool(true),
        wishes,
        system: String::new(),
        tools: Vec::new(),
        choice: Choice::Auto,
        parallel: false,
        calls_before: 0,
        tokens: tokens_of([prompt.as_str()]),
        turn: Turn::Prompt(prompt),
        media: Vec::new(),
        output: Output::Text,
        reasoning: false,
        tokens_max: body["max_tokens"].as_u64(),
        stop,
        usage: body["stream_options"]["include_usage"] == Value::Bool(true),
        answers: body["n"].as_u64().unwrap_or(1),
        body,
    })
}

fn choice(text: &str, index: u64, reason: Option<&str>) -> Value {
    json!({ "text": text, "index": index, "logprobs": null, "finish_reason": reason })
}

fn reason(answer: &Answer) -> &'static str {
    if answer.end == End::Length {
        "length"
    } else {
        "stop"
    }
}

fn body(asked: &Asked, choices: &[Value]) -> Value {
    json!({ "id": "cmpl-practice-1", "object": "text_completion", "created": 1,
        "model": asked.model, "choices": choices })
}

/// The whole answer.
pub(super) fn whole(asked: &Asked, answer: &Answer) -> Value {
    let text = answer.text.concat();
    let choice = |index| choice(&text, index, Some(reason(answer)));
    let mut body = body(asked, &(0..asked.answers).map(choice).collect::<Vec<_>>());
    body["usage"] = usage(answer);
    body
}

/// The answer's events.
pub(super) fn events(asked: &Asked, answer: &Answer) -> Vec<Bytes> {
    let mut events = Vec::new();
    for index in 0..asked.answers {
        let piece = |piece: &String| event(None, &body(asked, &[choice(piece, index, None)]));
        events.extend(answer.text.iter().map(piece));
        events.push(event(
            None,
            &body(asked, &[choice("", index, Some(reason(answer)))]),
        ));
    }
    if asked.usage {
        let mut last = body(asked, &[]);
        last["usage"] = usage(answer);
        events.push(event(None, &last));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}
