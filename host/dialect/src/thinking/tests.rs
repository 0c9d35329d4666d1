//! Thinking suffixes: parsing, and the patches to bodies of each dialect. Other bytes do not change.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Dialect;

fn thinking(suffix: &str) -> Thinking {
    Thinking::parse(suffix).unwrap()
}

/// The traits of a model, at a server without a row.
fn built_in(dialect: Dialect, model: &str) -> Traits {
    Traits::built_in(dialect, "", model)
}

/// Applies a suffix to a body. Returns the patched body, and the fields of the warnings.
fn apply_suffix(dialect: Dialect, model: &str, suffix: &str, body: &str) -> (String, Vec<String>) {
    let mut report = TranslationReport::default();
    let body = Bytes::copy_from_slice(body.as_bytes());
    let patched = dialect.codec().apply_thinking(
        thinking(suffix),
        &built_in(dialect, model),
        &body,
        &mut report,
    );
    let patched = String::from_utf8(patched.unwrap().into()).unwrap();
    let fields = report
        .into_warnings()
        .into_iter()
        .map(|warning| warning.field);
    (patched, fields.collect())
}

/// Checks cases. Each has a suffix, a body, the patched body, and the fields of the warnings.
fn check(dialect: Dialect, model: &str, cases: &[(&str, &str, &str, &[&str])]) {
    for (suffix, body, expected, warned) in cases {
        let (patched, fields) = apply_suffix(dialect, model, suffix, body);
        assert_eq!(patched, *expected, "{model}({suffix}) {body}");
        assert_eq!(fields, *warned, "{model}({suffix}) {body}");
    }
}

#[test]
fn cliproxyapi_compat_2_4_parses_effort_budget_or_auto() {
    for effort in Effort::ALL {
        assert_eq!(
            Thinking::parse(effort.openai_name()),
            Some(Thinking::Effort(effort))
        );
    }
    let cases = [
        ("max", Some(Thinking::Effort(Effort::Max))),
        ("HIGH", Some(Thinking::Effort(Effort::High))),
        ("8192", Some(Thinking::Budget(8_192))),
        ("0", Some(Thinking::Effort(Effort::None))),
        ("-1", Some(Thinking::Auto)),
        ("auto", Some(Thinking::Auto)),
        ("", None),
        ("-2", None),
        ("+1", None),
        ("1.5", None),
        ("7b", None),
        ("beta", None),
        ("99999999999999999999", None),
    ];
    for (suffix, expected) in cases {
        assert_eq!(Thinking::parse(suffix), expected, "{suffix:?}");
    }
}

#[test]
fn keeps_reasoning_visibility_of_body() {
    let requested = Reasoning {
        effort: Some(Effort::Low),
        budget_tokens: Some(7),
        shown: Some(true),
    };
    let overridden = |suffix: &str| {
        thinking(suffix)
            .override_reasoning(Some(requested))
            .unwrap()
    };
    assert_eq!(overridden("high").effort, Some(Effort::High));
    assert_eq!(
        (overridden("9").effort, overridden("9").budget_tokens),
        (None, Some(9))
    );
    for suffix in ["high", "9", "auto"] {
        assert_eq!(overridden(suffix).shown, Some(true));
    }
    assert_eq!(thinking("auto").override_reasoning(None), None);
}

#[test]
fn sets_effort_for_openai_chat() {
    check(
        Dialect::OpenaiChat,
        "m",
        &[
            (
                "high",
                r#"{ "model": "m(high)",  "messages":[] }"#,
                r#"{ "model": "m(high)",  "messages":[],"reasoning_effort":"high" }"#,
                &[],
            ),
            (
                "none",
                r#"{"reasoning_effort" : "low", "n":1.0}"#,
                r#"{"reasoning_effort" : "none", "n":1.0}"#,
                &[],
            ),
            ("8192", "{}", r#"{"reasoning_effort":"medium"}"#, &["model"]),
            (
                "max",
                r#"{"reasoning":{"exclude":true,"effort":"low"}}"#,
                r#"{"reasoning":{"exclude":true},"reasoning_effort":"xhigh"}"#,
                &[],
            ),
            (
                "auto",
                r#"{"a":1,"reasoning":{"max_tokens":9,"enabled":true},"reasoning_effort":"low"}"#,
                r#"{"a":1}"#,
                &[],
            ),
            ("auto", r#"{"a":1e2}"#, r#"{"a":1e2}"#, &[]),
        ],
    );
}

#[test]
fn sets_effort_object_for_openai_responses() {
    check(
        Dialect::OpenaiResponses,
        "gpt-5",
        &[
            (
                "low",
                r#"{"input":""}"#,
                r#"{"input":"","reasoning":{"effort":"low"}}"#,
                &[],
            ),
            (
                "low",
                r#"{"reasoning":null}"#,
                r#"{"reasoning":{"effort":"low"}}"#,
                &[],
            ),
            (
                "low",
                r#"{"reasoning":{ "summary":"auto", "effort":"high"}}"#,
                r#"{"reasoning":{ "summary":"auto", "effort":"low"}}"#,
                &[],
            ),
            (
                "auto",
                r#"{"reasoning":{"summary":"auto","effort":"high"}}"#,
                r#"{"reasoning":{"summary":"auto"}}"#,
                &[],
            ),
        ],
    );
}

#[test]
fn leaves_openai_completions_unchanged() {
    let body = r#"{"prompt":"a"}"#;
    let dialect = Dialect::OpenaiCompletions;
    check(
        dialect,
        "m",
        &[("high", body, body, &["model"]), ("auto", body, body, &[])],
    );
}

#[test]
fn sets_anthropic_budget_below_max_tokens() {
    check(
        Dialect::AnthropicMessages,
        "claude-sonnet-4-5",
        &[
            (
                "8192",
                r#"{"max_tokens":32000, "temperature":0.5, "top_p":0.99, "top_k":4}"#,
                r#"{"max_tokens":32000, "top_p":0.99,"thinking":{"type":"enabled","budget_tokens":8192}}"#,
                &["temperature", "top_k"],
            ),
            (
                "24576",
                r#"{"max_tokens":8000,"thinking":{"type":"disabled"}}"#,
                r#"{"max_tokens":8000,"thinking":{"type":"enabled","budget_tokens":4000}}"#,
                &["model"],
            ),
            (
                "none",
                r#"{"max_tokens":8000,"temperature":0.5}"#,
                r#"{"max_tokens":8000,"temperature":0.5,"thinking":{"type":"disabled"}}"#,
                &[],
            ),
            (
                "high",
                r#"{"max_tokens":500,"thinking":{"type":"enabled","budget_tokens":1024}}"#,
                r#"{"max_tokens":500}"#,
                &["model"],
            ),
            (
                "auto",
                r#"{"max_tokens":500,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}"#,
                r#"{"max_tokens":500}"#,
                &[],
            ),
        ],
    );
}

#[test]
fn sets_effort_for_newer_anthropic_models() {
    check(
        Dialect::AnthropicMessages,
        "claude-opus-4-7",
        &[
            (
                "max",
                r#"{"output_config":{"format":{}},"thinking":{"type":"disabled"}}"#,
                r#"{"output_config":{"format":{},"effort":"max"},"thinking":{"type":"adaptive"}}"#,
                &[],
            ),
            (
                "8192",
                r#"{"thinking":{"type":"adaptive","display":"summarized"}}"#,
                r#"{"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"medium"}}"#,
                &["model"],
            ),
        ],
    );
}

#[test]
fn skips_anthropic_thinking_where_api_forbids_it() {
    let used = r#""messages":[{"role":"assistant","content":[THOUGHT{"type":"tool_use"}]},{"role":"user","content":[{"type":"tool_result"}]}]"#;
    let without = format!(r#"{{"max_tokens":9000,{}}}"#, used.replace("THOUGHT", ""));
    let reasoning_block = r#"{"type":"thinking","thinking":"a","signature":"s"},"#;
    let with = without.replace(
        r#"{"type":"tool_use"}"#,
        &format!(r#"{reasoning_block}{{"type":"tool_use"}}"#),
    );
    let model = "claude-sonnet-4-5";
    let dialect = Dialect::AnthropicMessages;
    assert_eq!(
        apply_suffix(dialect, model, "low", &without),
        (without.clone(), vec!["model".to_owned()])
    );
    let (patched, warned) = apply_suffix(dialect, model, "low", &with);
    let patched: Value = serde_json::from_str(&patched).unwrap();
    assert_eq!(patched["thinking"]["budget_tokens"], 1_024);
    assert!(warned.is_empty());
    let forced = r#"{"max_tokens":9000,"tool_choice":{"type":"any"}}"#;
    check(dialect, model, &[("low", forced, forced, &["model"])]);
}

#[test]
fn sets_gemini_budget_or_level_in_client_spelling() {
    let dialect = Dialect::Gemini;
    check(
        dialect,
        "gemini-2.5-flash",
        &[
            (
                "high",
                r#"{"contents":[]}"#,
                r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":24576}}}"#,
                &[],
            ),
            (
                "100000",
                r#"{"generation_config":{"thinking_config":{"thinking_budget":1, "include_thoughts":true}}}"#,
                r#"{"generation_config":{"thinking_config":{"thinking_budget":24576, "include_thoughts":true}}}"#,
                &["model"],
            ),
            (
                "auto",
                r#"{"generationConfig":{"topK":1,"thinkingConfig":{"thinkingBudget":1}}}"#,
                r#"{"generationConfig":{"topK":1}}"#,
                &[],
            ),
        ],
    );
    check(
        dialect,
        "gemini-3-flash",
        &[
            (
                "minimal",
                r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":1}}}"#,
                r#"{"generationConfig":{"thinkingConfig":{"thinkingLevel":"MINIMAL"}}}"#,
                &[],
            ),
            (
                "512",
                r#"{"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}}}"#,
                r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":512}}}"#,
                &[],
            ),
        ],
    );
}

#[test]
fn rejects_unpatchable_body_with_member() {
    let refused = |dialect: Dialect, body: &'static str| {
        let body = Bytes::from_static(body.as_bytes());
        let patched = dialect.codec().apply_thinking(
            thinking("high"),
            &Traits::default(),
            &body,
            &mut TranslationReport::default(),
        );
        patched.unwrap_err()
    };
    let error = refused(Dialect::OpenaiResponses, r#"{"reasoning":"high"}"#);
    assert_eq!(error.to_string(), "reasoning: must be an object");
    let error = refused(
        Dialect::Gemini,
        r#"{"generationConfig":{"thinkingConfig":1}}"#,
    );
    assert_eq!(error.field, "generationConfig.thinkingConfig");
    assert!(refused(Dialect::OpenaiChat, "[]").what.contains("object"));
    let twice = r#"{"reasoning_effort":"low","reasoning_effort":"high"}"#;
    assert!(refused(Dialect::OpenaiChat, twice).what.contains("twice"));
}

proptest! {
    #[test]
    fn never_panics_and_keeps_other_members(
        dialect in prop::sample::select(Dialect::ALL.to_vec()),
        suffix in prop::sample::select(vec!["none", "low", "max", "auto", "0", "9000"]),
        model in prop::sample::select(vec!["m", "claude-opus-4-8", "claude-3-7", "gemini-3-pro"]),
        requested in prop::sample::select(vec![
            json!(null), json!(3), json!("high"), json!({"effort": "low"}), json!({"type": "adaptive"}),
            json!({"thinkingConfig": {"thinkingLevel": "LOW", "thinking_budget": 1}}),
        ]),
        names in prop::sample::subsequence(vec![
            "generationConfig", "output_config", "reasoning", "reasoning_effort", "thinking",
        ], 0..5),
        rest in "[a-z ]{0,8}",
    ) {
        let mut body = json!({"rest": rest.as_str(), "max_tokens": 9_000});
        for name in &names {
            body[*name] = requested.clone();
        }
        let text = Bytes::from(body.to_string());
        let mut report = TranslationReport::default();
        let Ok(patched) = dialect.codec().apply_thinking(thinking(suffix), &built_in(dialect, model), &text, &mut report) else {
            prop_assert!(!names.is_empty());
            return Ok(());
        };
        let patched_body: Value = serde_json::from_slice(&patched).unwrap();
        prop_assert_eq!(&patched_body["rest"], rest.as_str());
        // A second application changes nothing.
        let again = dialect.codec().apply_thinking(thinking(suffix), &built_in(dialect, model), &patched, &mut report).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), patched_body);
    }
}

/// The default traits with these members.
fn traits_with(set: Value) -> Traits {
    let mut traits = Traits::default();
    traits.apply(&serde_json::from_value(set).unwrap());
    traits
}

/// Applies a suffix to a body by these traits. Returns the patched body, and the fields of the warnings.
fn apply_by_traits(dialect: Dialect, set: Value, suffix: &str, body: &str) -> (Value, Vec<String>) {
    let mut report = TranslationReport::default();
    let body = Bytes::copy_from_slice(body.as_bytes());
    let codec = dialect.codec();
    let patched = codec.apply_thinking(thinking(suffix), &traits_with(set), &body, &mut report);
    let warnings = report.into_warnings().into_iter();
    (
        serde_json::from_slice(&patched.unwrap()).unwrap(),
        warnings.map(|warning| warning.field).collect(),
    )
}

/// Traits, a suffix, a body, the patched body, and the number of warnings.
const BY_TRAITS: [(&str, &str, &str, &str, usize); 8] = [
    (
        r#"{"efforts":["low","high"]}"#,
        "max",
        "{}",
        r#"{"reasoning_effort":"high"}"#,
        1,
    ),
    (
        r#"{"efforts":["high","max"]}"#,
        "max",
        "{}",
        r#"{"reasoning_effort":"max"}"#,
        0,
    ),
    (
        r#"{"reasoning-request":"enable-thinking"}"#,
        "low",
        r#"{"enable_thinking":false,"reasoning_effort":"high"}"#,
        r#"{"enable_thinking":true}"#,
        1,
    ),
    (
        r#"{"reasoning-request":"thinking-and-effort"}"#,
        "high",
        "{}",
        r#"{"thinking":{"type":"enabled"},"reasoning_effort":"high"}"#,
        0,
    ),
    (
        r#"{"reasoning-request":"thinking-and-effort"}"#,
        "none",
        r#"{"reasoning_effort":"high"}"#,
        r#"{"thinking":{"type":"disabled"}}"#,
        0,
    ),
    (
        r#"{"reasoning-request":"none"}"#,
        "high",
        r#"{"n":1}"#,
        r#"{"n":1}"#,
        1,
    ),
    (
        r#"{"effort-with-tools":false}"#,
        "high",
        r#"{"tools":[{}]}"#,
        r#"{"tools":[{}]}"#,
        1,
    ),
    (
        r#"{"reasoning-request":"thinking"}"#,
        "auto",
        r#"{"thinking":{"type":"enabled"},"n":1}"#,
        r#"{"n":1}"#,
        0,
    ),
];

/// A suffix asks in the members and words that the traits say, also of the configuration.
#[test]
fn suffix_obeys_traits_in_chats() {
    for (set, suffix, body, expected, warned) in BY_TRAITS {
        let traits = serde_json::from_str(set).unwrap();
        let (patched, warnings) = apply_by_traits(Dialect::OpenaiChat, traits, suffix, body);
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(patched, expected, "{set} {suffix}");
        assert_eq!(warnings, vec!["model"; warned], "{set} {suffix}");
    }
}

#[test]
fn suffix_obeys_traits_in_every_dialect() {
    let cases = [
        (
            Dialect::OpenaiResponses,
            json!({"efforts": ["medium", "high"]}),
            "low",
            json!({"max_tokens": 9000, "reasoning": {"effort": "medium"}}),
        ),
        (
            Dialect::Gemini,
            json!({"thinking": "budget", "thinking-budget-max": 4096}),
            "high",
            json!({"max_tokens": 9000, "generationConfig": {"thinkingConfig": {"thinkingBudget": 4096}}}),
        ),
    ];
    let body = r#"{"max_tokens":9000}"#;
    for (dialect, traits, suffix, expected) in cases {
        let (patched, _) = apply_by_traits(dialect, traits, suffix, body);
        assert_eq!(patched, expected, "{dialect}");
    }
    let traits = json!({"thinking": "effort"});
    let (patched, _) = apply_by_traits(Dialect::AnthropicMessages, traits, "high", body);
    assert_eq!(patched["output_config"]["effort"], "high", "{patched}");
}
