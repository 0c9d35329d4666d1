//! Sampling and reasoning settings, as each model accepts them.

use serde_json::{Value, json};

use super::fixtures::{base_request, encode_members, reasoning_options};
use crate::ir::{Effort, Format, Reasoning, Request, Sampling};

#[test]
fn sampling_depends_on_model() {
    let sampling = |temperature, top_p| Sampling {
        temperature: Some(temperature),
        top_p: Some(top_p),
        ..Sampling::default()
    };
    let cases = [
        (
            "m",
            sampling(0.5, 0.5),
            json!({"temperature": 0.5, "top_p": 0.5}),
            vec![],
        ),
        (
            "m",
            sampling(1.5, 0.5),
            json!({"temperature": 1.0, "top_p": 0.5}),
            vec!["temperature"],
        ),
        (
            "claude-sonnet-4-5",
            sampling(0.5, 0.5),
            json!({"temperature": 0.5}),
            vec!["top_p"],
        ),
        (
            "claude-sonnet-4-5",
            sampling(0.5, 1.0),
            json!({"temperature": 0.5}),
            vec![],
        ),
        (
            "claude-opus-4-8",
            sampling(0.5, 0.5),
            json!({}),
            vec!["temperature", "top_p"],
        ),
        ("claude-opus-4-8", sampling(1.0, 1.0), json!({}), vec![]),
    ];
    for (model, sampling, expected, warned) in cases {
        let request = Request {
            sampling: sampling.clone(),
            ..base_request(model)
        };
        let (members, warnings) = encode_members(&request, &["temperature", "top_p"]);
        assert_eq!(
            (members, warnings),
            (expected, warned.into_iter().map(str::to_owned).collect()),
            "{model} {sampling:?}"
        );
    }
    let request = Request {
        sampling: Sampling {
            top_k: Some(5),
            ..sampling(0.5, 0.97)
        },
        reasoning: reasoning_options(None, Some(2_000)),
        ..base_request("m")
    };
    let (members, warnings) = encode_members(&request, &["temperature", "top_p", "top_k"]);
    assert_eq!(
        (members, warnings),
        (
            json!({"top_p": 0.97}),
            vec!["temperature".to_owned(), "top_k".to_owned()]
        )
    );
}

#[test]
fn drops_unsupported_members_by_client_name() {
    let mut request = base_request("m");
    request.sampling = Sampling {
        presence_penalty: Some(0.0),
        frequency_penalty: Some(0.5),
        seed: Some(1),
        ..Sampling::default()
    };
    request.stop = vec!["\n".to_owned(), "END".to_owned()];
    request.format = Format::Json;
    request.user = Some("u".to_owned());
    request.openai = [
        ("service_tier".to_owned(), json!("default")),
        ("store".to_owned(), json!(false)),
        ("verbosity".to_owned(), json!("low")),
    ]
    .into_iter()
    .collect();
    let names = [
        "max_tokens",
        "metadata",
        "service_tier",
        "stop_sequences",
        "system",
    ];
    let (members, warnings) = encode_members(&request, &names);
    assert_eq!(members["max_tokens"], 32_000);
    assert_eq!(members["metadata"], json!({"user_id": "u"}));
    assert_eq!(members["service_tier"], "standard_only");
    assert_eq!(members["stop_sequences"], json!(["END"]));
    assert!(members["system"].as_str().unwrap().contains("JSON"));
    assert_eq!(
        warnings,
        [
            "frequency_penalty",
            "seed",
            "stop",
            "verbosity",
            "response_format"
        ]
    );
}

fn budget(budget: u64) -> Value {
    json!({"type": "enabled", "budget_tokens": budget})
}

type ThinkingCase = (
    &'static str,
    Option<Reasoning>,
    Option<u64>,
    Value,
    Vec<&'static str>,
);

fn check_cases(cases: impl IntoIterator<Item = ThinkingCase>) {
    for (model, reasoning, tokens_max, expected, warned) in cases {
        let mut request = base_request(model);
        request.reasoning = reasoning;
        request.sampling.tokens_max = tokens_max;
        let (members, warnings) =
            encode_members(&request, &["thinking", "output_config", "max_tokens"]);
        assert_eq!(members, expected, "{model} {reasoning:?}");
        assert_eq!(warnings, warned, "{model} {reasoning:?}");
    }
}

#[test]
fn clamps_thinking_budget() {
    check_cases([
        (
            "m",
            reasoning_options(Some(Effort::High), None),
            None,
            json!({"thinking": budget(24_576), "max_tokens": 32_768}),
            vec![],
        ),
        (
            "m",
            reasoning_options(None, None),
            None,
            json!({"thinking": {"type": "adaptive"}, "max_tokens": 32_000}),
            vec![],
        ),
        (
            "m",
            reasoning_options(Some(Effort::None), None),
            Some(9),
            json!({"thinking": {"type": "disabled"}, "max_tokens": 9}),
            vec![],
        ),
        (
            "m",
            reasoning_options(None, Some(0)),
            Some(9),
            json!({"thinking": {"type": "disabled"}, "max_tokens": 9}),
            vec![],
        ),
        (
            "m",
            reasoning_options(None, Some(500)),
            Some(2_000),
            json!({"thinking": budget(1_024), "max_tokens": 2_000}),
            vec!["reasoning.max_tokens"],
        ),
        (
            "m",
            reasoning_options(None, Some(9_000)),
            Some(4_000),
            json!({"thinking": budget(2_000), "max_tokens": 4_000}),
            vec!["reasoning.max_tokens"],
        ),
        (
            "m",
            reasoning_options(Some(Effort::Low), None),
            Some(900),
            json!({"max_tokens": 900}),
            vec!["reasoning"],
        ),
        (
            "claude-sonnet-4-5",
            reasoning_options(None, None),
            None,
            json!({"thinking": budget(8_192), "max_tokens": 32_000}),
            vec![],
        ),
    ]);
}

#[test]
fn newer_models_get_effort() {
    check_cases([
        (
            "claude-opus-4-6",
            reasoning_options(Some(Effort::Max), None),
            None,
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}, "max_tokens": 32_000}),
            vec![],
        ),
        (
            "claude-opus-4-6",
            reasoning_options(None, Some(2_000)),
            None,
            json!({"thinking": budget(2_000), "max_tokens": 32_000}),
            vec![],
        ),
        (
            "claude-opus-5",
            reasoning_options(None, Some(2_000)),
            None,
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}, "max_tokens": 32_000}),
            vec!["reasoning.max_tokens"],
        ),
        (
            "claude-opus-5",
            reasoning_options(Some(Effort::Minimal), None),
            None,
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}, "max_tokens": 32_000}),
            vec!["reasoning_effort"],
        ),
    ]);
}
