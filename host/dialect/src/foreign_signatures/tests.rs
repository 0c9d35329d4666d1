//! Tests of the signatures in bodies that are not translated.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Drops what Jackfield wrapped, and what is empty if the model refuses that.
fn strip_foreign(dialect: Dialect, body: &str, model: &str) -> Option<(String, Vec<String>)> {
    let refuses_empty = dialect.codec().refuses_empty_signature(model);
    strip(dialect, body, model, false, &|part| {
        let signature = part.signature.as_deref();
        signature.is_some_and(|text| is_wrapped(text) || (text.is_empty() && refuses_empty))
    })
}

fn strip_refused(dialect: Dialect, body: &str, model: &str) -> Option<(String, Vec<String>)> {
    strip(dialect, body, model, true, &|_| true)
}

fn strip(
    dialect: Dialect,
    body: &str,
    model: &str,
    refused: bool,
    drops: &dyn Fn(&SignedPart<'_>) -> bool,
) -> Option<(String, Vec<String>)> {
    let filter = SignatureFilter { refused, drops };
    let stripped = strip_signatures(dialect, body.as_bytes(), model, filter)?;
    let text = String::from_utf8(stripped.body.to_vec()).unwrap();
    serde_json::from_str::<&RawValue>(&text).unwrap();
    let fields = stripped.warnings.into_iter().map(|warning| warning.field);
    Some((text, fields.collect()))
}

const CLAUDE: &str = "claude-sonnet-4-5";

#[test]
fn claude_gets_no_thinking_of_others() {
    let body = r#"{"messages": [{"role":"user","content":"hi"}, {"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":""}, {"type":"redacted_thinking","data":"amFja2ZpZWxkOjE6Z2VtaW5pOmNhbGw6VTBsSE1RPT0="},{"type":"tool_use","id":"t","name":"f","input":{"signature":""}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}], "max_tokens":9.0}"#;
    let expected = r#"{"messages": [{"role":"user","content":"hi"}, {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"signature":""}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}], "max_tokens":9.0}"#;
    let (stripped, fields) = strip_foreign(Dialect::AnthropicMessages, body, CLAUDE).unwrap();
    assert_eq!(stripped, expected);
    assert_eq!(fields, ["messages.thinking"]);
    // A model that returns thinking without signatures takes it back.
    let (remaining, _) = strip_foreign(Dialect::AnthropicMessages, body, "glm-5.2").unwrap();
    assert!(
        remaining.contains(r#""signature":""},{"type":"tool_use""#),
        "{remaining}"
    );
}

#[test]
fn thinking_is_switched_off_where_a_block_would_be_demanded() {
    let body = |thinking: &str, first: &str| {
        format!(
            r#"{{"thinking":{thinking},"messages":[{{"role":"user","content":"hi"}},{{"role":"assistant","content":[{first}{{"type":"tool_use","id":"t","name":"f","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t"}}]}},{{"role":"system","content":"s"}}],"context_management":{{"edits":[{{"type":"clear_thinking_20251015","keep":"all"}}]}}}}"#
        )
    };
    let budget = r#"{"type":"enabled","budget_tokens":1024}"#;
    let (wrapped, own) = (
        r#"{"type":"thinking","thinking":"a","signature":"amFja2ZpZWxkOjE6x"},"#,
        r#"{"type":"thinking","thinking":"b","signature":"EqQB"},"#,
    );
    let strip = |body: &str| strip_foreign(Dialect::AnthropicMessages, body, CLAUDE);
    let (text, fields) = strip(&body(budget, wrapped)).unwrap();
    let fields_expected = ["messages.thinking", "thinking", "context_management"];
    assert_eq!(fields, fields_expected);
    let stripped: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(stripped.as_object().unwrap().len(), 1, "{text}");
    let (text, _) = strip(&body(budget, &format!("{wrapped}{own}"))).unwrap();
    assert!(
        text.contains("budget_tokens") && text.contains("EqQB"),
        "{text}"
    );
    let (text, _) = strip(&body(r#"{"type":"adaptive"}"#, wrapped)).unwrap();
    assert!(
        text.contains("adaptive") && text.contains("clear_thinking"),
        "{text}"
    );
    assert_eq!(strip(&body(budget, own)), None);
    // The provider demanded thinking that the client never had.
    let refused = strip_refused(Dialect::AnthropicMessages, &body(budget, ""), CLAUDE);
    assert_eq!(refused.unwrap().1, ["thinking", "context_management"]);
}

#[test]
fn turns_are_judged_without_removed_messages() {
    let result = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}"#;
    let body = format!(
        r#"{{"thinking":{{"type":"enabled"}},"messages":[{{"role":"assistant","content":[{{"type":"tool_use"}}]}},{result},{{"role":"assistant","content":[{{"type":"thinking"}}]}},{{"role":"user","content":"c"}}]}}"#
    );
    let (text, fields) = strip_foreign(Dialect::AnthropicMessages, &body, CLAUDE).unwrap();
    assert_eq!(fields, ["messages.thinking", "thinking"], "{text}");
    assert_eq!(
        strip_refused(Dialect::AnthropicMessages, &text, CLAUDE),
        None
    );
}

#[test]
fn a_message_without_content_is_removed() {
    let body = r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"b"}]},{"role":"user","content":"c"}]}"#;
    let (stripped, _) = strip_foreign(Dialect::AnthropicMessages, body, CLAUDE).unwrap();
    let expected = r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"c"}]}"#;
    assert_eq!(stripped, expected);
}

#[test]
fn openai_gets_no_reasoning_of_others() {
    let body = r#"{"input":[{"role":"user","content":"hi"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"amFja2ZpZWxkOjE6YW50aHJvcGljLW1lc3NhZ2VzOkVxUUJTSUc=.call"},{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"},{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAA"},{"type":"function_call","id":"fc_2","call_id":"d","name":"f","arguments":"{}"}]}"#;
    let (stripped, fields) = strip_foreign(Dialect::OpenaiResponses, body, "gpt-5.5").unwrap();
    let expected = r#"{"input":[{"role":"user","content":"hi"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"},{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAA"},{"type":"function_call","id":"fc_2","call_id":"d","name":"f","arguments":"{}"}]}"#;
    assert_eq!(stripped, expected);
    assert_eq!(fields, ["input.reasoning"]);
    let (refused, _) = strip_refused(Dialect::OpenaiResponses, body, "gpt-5.5").unwrap();
    assert!(
        !refused.contains("rs_") && !refused.contains("fc_"),
        "{refused}"
    );
    // Ids alone are removed with a warning, too.
    let ids = r#"{"input":[{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"}]}"#;
    let (refused, fields) = strip_refused(Dialect::OpenaiResponses, ids, "gpt-5.5").unwrap();
    assert!(!refused.contains("fc_"), "{refused}");
    assert_eq!(fields, ["input.id"]);
    // What stands beside it without encrypted content is of the same provider.
    let beside = body.replace(
        r#"{"type":"reasoning","id":"rs_1""#,
        r#"{"type":"reasoning","id":"rs_0","summary":[],"encrypted_content":null},{"type":"reasoning","id":"rs_1""#,
    );
    let (stripped, _) = strip_foreign(Dialect::OpenaiResponses, &beside, "gpt-5.5").unwrap();
    assert_eq!(stripped, expected);
    // Items without encrypted content are stored at the provider.
    let stored = r#"{"input":[{"type":"reasoning","id":"rs_1","encrypted_content":null}]}"#;
    assert_eq!(
        strip_foreign(Dialect::OpenaiResponses, stored, "gpt-5.5"),
        None
    );
}

#[test]
fn gemini_gets_the_placeholder_for_lost_signatures() {
    let body = r#"{"contents":[{"role":"model","parts":[{"text":"Hm","thought":true},{"text":"","thought":true,"thoughtSignature":"amFja2ZpZWxkOjE6eA=="},{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"g","args":{}}}]},{"role":"user","parts":[]},{"role":"model","parts":[{"thoughtSignature":"amFja2ZpZWxkOjE6eA==", "functionCall":{"name":"f"}},{"text":"x","thought_signature":"amFja2ZpZWxkOjE6eA=="}]},{"role":"model","parts":[{"functionCall":{"name":"h"}}]}]}"#;
    let expected = r#"{"contents":[{"role":"model","parts":[{"text":"Hm","thought":true},{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g","args":{}}}]},{"role":"user","parts":[]},{"role":"model","parts":[{"thoughtSignature":"skip_thought_signature_validator", "functionCall":{"name":"f"}},{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"h"}}]}]}"#;
    let (stripped, fields) = strip_foreign(Dialect::Gemini, body, "gemini-3-pro").unwrap();
    assert_eq!(stripped, expected);
    assert_eq!(fields, ["contents.parts.thoughtSignature"]);
    let (refused, _) = strip_refused(Dialect::Gemini, &stripped, "gemini-3-pro").unwrap();
    let call =
        r#"{"functionCall":{"name":"h"},"thoughtSignature":"skip_thought_signature_validator"}"#;
    assert_eq!(
        refused,
        stripped.replace(r#"{"functionCall":{"name":"h"}}"#, call)
    );
    assert_eq!(
        strip_refused(Dialect::Gemini, &refused, "gemini-3-pro"),
        None
    );
}

#[test]
fn chat_gets_no_details_of_others() {
    let body = r#"{"messages":[{"role":"assistant","content":"x","reasoning_details":[{"type":"reasoning.encrypted","data":"amFja2ZpZWxkOjE6eA==","index":0,"span":[0,2]}],"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"amFja2ZpZWxkOjE6eA=="}}}]},{"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"a","signature":null},{"type":"reasoning.encrypted","data":"amFja2ZpZWxkOjE6eA=="}]}]}"#;
    let expected = r#"{"messages":[{"role":"assistant","content":"x","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"a","signature":null}]}]}"#;
    let (stripped, fields) = strip_foreign(Dialect::OpenaiChat, body, "deepseek-v4").unwrap();
    assert_eq!(stripped, expected);
    let fields_expected = [
        "messages.reasoning_details",
        "messages.tool_calls.extra_content",
    ];
    assert_eq!(fields, fields_expected);
    let (google, _) = strip_foreign(Dialect::OpenaiChat, body, "gemini-3-pro").unwrap();
    assert!(google.contains(Signature::PLACEHOLDER), "{google}");
    let bare = r#"{"messages":[{"tool_calls":[{"id":"c"},{"id":"d"}]},{"tool_calls":[{"id":"e","extra_content":{}}]}]}"#;
    let google =
        r#""extra_content":{"google":{"thought_signature":"skip_thought_signature_validator"}}"#;
    let expected = format!(
        r#"{{"messages":[{{"tool_calls":[{{"id":"c",{google}}},{{"id":"d"}}]}},{{"tool_calls":[{{"id":"e",{google}}}]}}]}}"#
    );
    let (text, _) = strip_refused(Dialect::OpenaiChat, bare, "google/gemini-3-pro").unwrap();
    assert_eq!(text, expected);
    assert_eq!(
        strip_refused(Dialect::OpenaiChat, bare, "deepseek-v4"),
        None
    );
    let (refused, _) = strip_refused(Dialect::OpenaiChat, body, "deepseek-v4").unwrap();
    assert!(!refused.contains("reasoning_details"), "{refused}");
}

#[test]
fn finds_signatures_by_their_members_only() {
    let find = |dialect: Dialect, text: &str| {
        let mut found = Vec::new();
        scan_signatures(dialect, text.as_bytes(), &mut |text| {
            found.push(text.to_owned())
        });
        found
    };
    let text = r#"{"text":"a \"signature\":\"no\" signature","signature" : "a\/b","data":"no","x":"signature"}"#;
    assert_eq!(find(Dialect::AnthropicMessages, text), ["a/b"]);
    let redacted = r#"{"type":"redacted_thinking","data":"d"}{"signature":""}"#;
    assert_eq!(find(Dialect::AnthropicMessages, redacted), ["", "d"]);
    let gemini = "data: {\"thoughtSignature\":\"s\"}\n\ndata: {\"thought_signature\":\"t\",\"thoughtSignature\":1}";
    assert_eq!(find(Dialect::Gemini, gemini), ["s", "t"]);
    let responses =
        r#"{"encrypted_content":"e"},{"encrypted_content":null},{"encrypted_content":"cut"#;
    assert_eq!(find(Dialect::OpenaiResponses, responses), ["e"]);
    assert_eq!(find(Dialect::OpenaiCompletions, responses), [""; 0]);
}

/// A part of a generated body: as JSON, and whether it is dropped.
type Generated = (String, bool);

/// A list of parts, by dialect, and the text around it.
fn generated(dialect: Dialect) -> (&'static str, &'static str, Vec<Generated>) {
    let part = |json: &str, dropped: bool| (json.to_owned(), dropped);
    match dialect {
        Dialect::AnthropicMessages => (
            r#" { "max_tokens" : 1.50, "messages":[{"content" : ["#,
            r#"],"role":"assistant"}]} "#,
            vec![
                part(
                    r#"{ "type":"text" ,"text":"amFja2ZpZWxkOjE6 \"signature\":\"\"" }"#,
                    false,
                ),
                part(r#"{"type":"thinking","signature":"EqQB"}"#, false),
                part(
                    r#"{"type":"thinking","thinking":"\ud83d","signature":""}"#,
                    true,
                ),
                part(
                    r#"{"type" :"redacted_thinking","data": "amFja2ZpZWxkOjE6eA=="}"#,
                    true,
                ),
            ],
        ),
        Dialect::Gemini => (
            r#"{"contents":[{"role":"model","parts":["#,
            r#"]}], "x":1e400}"#,
            vec![
                part(r#"{"text":"t","thoughtSignature":"own"}"#, false),
                part(r#"{"inlineData":{"data":"aaaa"}}"#, false),
                part(
                    r#"{"thought" : true,"text":"a","thoughtSignature":"amFja2ZpZWxkOjE6eA=="}"#,
                    true,
                ),
                part(r#"{"thought":true,"thought_signature":""}"#, true),
            ],
        ),
        Dialect::OpenaiChat | Dialect::OpenaiCompletions => (
            r#"{"messages":[{"x":1,"reasoning_details":["#,
            r#"],"content":null}]}"#,
            vec![
                part(
                    r#"{"type":"reasoning.text","text":"","signature":""}"#,
                    false,
                ),
                part(r#"{"data":"own"}"#, false),
                part(r#"{"data": "amFja2ZpZWxkOjE6eA==" }"#, true),
            ],
        ),
        Dialect::OpenaiResponses => (
            r#"{"input":["#,
            r#"],"store":false}"#,
            vec![
                part(r#"{"role":"user","content":"amFja2ZpZWxkOjE6"}"#, false),
                part(r#"{"type":"reasoning","encrypted_content":"gAAA"}"#, false),
                part(
                    r#"{"encrypted_content":"amFja2ZpZWxkOjE6eA==","type":"reasoning"}"#,
                    true,
                ),
            ],
        ),
    }
}

const DIALECTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

proptest! {
    #[test]
    fn all_other_bytes_stay(
        dialect in prop::sample::select(&DIALECTS[..]),
        picked in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
        separator in prop::sample::select(&[",", " , ", ",\n\t"][..]),
    ) {
        let (before, after, parts) = generated(dialect);
        let picked: Vec<&Generated> = picked.iter().map(|index| index.get(&parts)).collect();
        let join = |parts: &[&Generated]| {
            let texts: Vec<&str> = parts.iter().map(|(json, _)| json.as_str()).collect();
            format!("{before}{}{after}", texts.join(separator))
        };
        let remaining: Vec<&Generated> = picked.iter().copied().filter(|(_, dropped)| !dropped).collect();
        let stripped = strip_foreign(dialect, &join(&picked), CLAUDE).map(|(text, _)| text);
        // A turn of which nothing is left is removed as a whole, which other tests show.
        if remaining.len() == picked.len() {
            prop_assert_eq!(stripped, None);
        } else if !remaining.is_empty() {
            prop_assert_eq!(stripped.as_deref(), Some(&*join(&remaining)));
        }
    }

    #[test]
    fn stripping_twice_is_stripping_once(
        dialect in prop::sample::select(&DIALECTS[..]),
        picked in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
        refused in any::<bool>(),
    ) {
        let (before, after, parts) = generated(dialect);
        let texts: Vec<&str> = picked.iter().map(|index| index.get(&parts).0.as_str()).collect();
        let body = format!("{before}{}{after}", texts.join(","));
        let strip = |body: &str| if refused {
            strip_refused(dialect, body, CLAUDE)
        } else {
            strip_foreign(dialect, body, CLAUDE)
        };
        if let Some((stripped, fields)) = strip(&body) {
            prop_assert!(stripped.len() < body.len() && !fields.is_empty());
            prop_assert_eq!(strip(&stripped), None);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in r#"[\[\]{}":,a-z_ \\]{0,64}"#) {
        for dialect in Dialect::ALL {
            for body in [&bytes[..], text.as_bytes()] {
                scan_signatures(dialect, body, &mut |_| {});
                let filter = SignatureFilter { refused: true, drops: &|_| true };
                let _ = strip_signatures(dialect, body, "m", filter);
            }
        }
    }
}

/// Texts with signatures, and what is similar to them.
const SCANNED: [(Dialect, &str, &[&str]); 4] = [
    (
        Dialect::AnthropicMessages,
        r#"{"content":[{"type":"thinking","thinking":"a \"signature\":\"no\"","signature" : "Eq\/B"},{"type":"redacted_thinking","data":"xyz"},{"signature":7}]}"#,
        &["Eq/B", "xyz"],
    ),
    (
        Dialect::Gemini,
        r#"{"parts":[{"inlineData":{"data":"AAAA"},"thoughtSignature":"U0lH"},{"thought_signature":""}]}"#,
        &["U0lH", ""],
    ),
    (
        Dialect::OpenaiChat,
        r#"{"reasoning_details":[{"data":"d","signature":"s"}],"extra_content":{"google":{"thought_signature":"t"}}}"#,
        &["d", "s", "t"],
    ),
    (
        Dialect::OpenaiResponses,
        r#"{"output":[{"type":"reasoning","encrypted_content":"gAAA"},{"type":"message"}]}"#,
        &["gAAA"],
    ),
];

#[test]
fn pieces_have_the_signatures_of_the_whole() {
    for (dialect, text, expected) in SCANNED {
        let expected: std::collections::BTreeSet<&str> = expected.iter().copied().collect();
        for length in 1..=text.len() {
            let mut found = std::collections::BTreeSet::new();
            let mut scan = SignatureScan::new(dialect);
            for piece in text.as_bytes().chunks(length) {
                scan.push(piece, &mut |signature| {
                    found.insert(signature.to_owned());
                });
            }
            assert!(
                found.iter().eq(expected.iter().copied()),
                "{dialect} in {length}: {found:?}"
            );
            assert!(scan.held_bytes() <= text.len());
        }
    }
}

#[test]
fn pieces_of_a_long_text_are_not_stored() {
    let mut scan = SignatureScan::new(Dialect::Gemini);
    let mut longest = 0;
    scan.push(br#"{"inlineData":{"data":""#, &mut |_| {});
    for _ in 0..100 {
        scan.push(&[b'A'; 16 << 10], &mut |_| {});
        longest = longest.max(scan.held_bytes());
    }
    assert!(longest < 64, "{longest}");
    // A signature without an end is forgotten.
    scan.push(br#""},"thoughtSignature":""#, &mut |_| {});
    for _ in 0..100 {
        scan.push(&[b'A'; 16 << 10], &mut |_| {});
        longest = longest.max(scan.held_bytes());
    }
    assert!(longest <= crate::limits::SIGNATURE_BYTES_MAX, "{longest}");
}
