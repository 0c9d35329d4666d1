//! What Claude takes by version.

use serde_json::json;

use super::fixtures::{base_request, encode_members, reasoning_options};
use crate::ir::Effort;

/// What Claude takes by version, from `traits/rows/anthropic.json`.
#[test]
fn switches_thinking_off_as_the_model_takes_it() {
    let disabled = json!({"thinking": {"type": "disabled"}});
    let always = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}});
    let between = json!({"thinking": {"type": "between_tools"}});
    for (model, expected) in [
        ("claude-fable-5", &always),
        ("claude-fable-5-1", &always),
        ("anthropic.claude-mythos-5", &always),
        ("claude-opus-5-5", &always),
        ("claude-sonnet-5-5", &between),
        ("claude-opus-5", &disabled),
        ("claude-sonnet-5", &disabled),
        ("anthropic/claude-opus-4.7", &disabled),
        ("claude-sonnet-4-5", &disabled),
        ("m", &disabled),
    ] {
        let mut request = base_request(model);
        request.reasoning = reasoning_options(Some(Effort::None), None);
        let (members, warned) = encode_members(&request, &["thinking", "output_config"]);
        assert_eq!(members, *expected, "{model}");
        assert_eq!(warned.is_empty(), *expected == disabled, "{model}");
    }
}

#[test]
fn thinking_depends_on_the_version() {
    let budget = |model: &str, effort: Effort| {
        let mut request = base_request(model);
        request.reasoning = reasoning_options(Some(effort), None);
        let (members, _) = encode_members(&request, &["thinking"]);
        members["thinking"]["type"] == "enabled"
    };
    for (model, expected) in [
        ("claude-3-7-sonnet-20250219", true),
        ("claude-sonnet-4-20250514", true),
        ("claude-opus-4-1-20250805", true),
        ("claude-haiku-4-5-20251001", true),
        ("us.anthropic.claude-opus-4-6-v1", false),
        ("claude-opus-4-7", false),
        ("claude-haiku-5-5", false),
        ("claude-opus-7", false),
        ("m", true),
    ] {
        assert_eq!(budget(model, Effort::High), expected, "{model}");
    }
}
