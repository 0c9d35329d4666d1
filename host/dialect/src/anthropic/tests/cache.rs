//! The places up to which the API caches a prompt.

use serde_json::{Value, json};

use super::super::request::encode::encode_request;
use super::fixtures::{assistant, base_request, reasoning_part, tool, turn, user};
use crate::Dialect;
use crate::ir::{CacheMark, Part, Request, Role, TranslationReport};
use crate::traits::Traits;

const MODEL: &str = "claude-sonnet-4-5";

/// Encodes a request for Claude. Returns the named members, and the fields of the warnings.
fn encode_members(request: &Request, names: &[&str]) -> (Value, Vec<String>) {
    let traits = Traits::built_in(Dialect::AnthropicMessages, "api.anthropic.com", MODEL);
    let mut report = TranslationReport::default();
    let body = encode_request(request, &traits, &mut report).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let member = |name: &&str| Some(((*name).to_owned(), body.get(*name)?.clone()));
    let warned = report.into_warnings().into_iter();
    (
        names.iter().filter_map(member).collect(),
        warned.map(|it| it.field).collect(),
    )
}

fn marked(text: &str) -> Value {
    json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}})
}

/// The API caches nothing without marks: router-for-me/CLIProxyAPI#2419.
#[test]
fn marks_what_an_agent_repeats() {
    let mut request = base_request(MODEL);
    request.system = vec![Part::text("s")];
    // A first turn without tools may be the only one.
    let (members, _) = encode_members(&request, &["system", "messages"]);
    assert_eq!(
        members,
        json!({"system": "s", "messages": [{"role": "user", "content": "Hi"}]})
    );
    request.tools = vec![tool("a"), tool("b")];
    request
        .turns
        .extend([assistant("b"), user("c"), assistant("d"), user("e")]);
    let (members, warned) = encode_members(&request, &["system", "messages", "tools"]);
    assert_eq!(members["system"], json!([marked("s")]));
    assert_eq!(members["messages"][0]["content"], "Hi");
    assert_eq!(members["messages"][2]["content"], json!([marked("c")]));
    assert_eq!(members["messages"][4]["content"], json!([marked("e")]));
    assert_eq!(members["tools"][0].get("cache_control"), None);
    assert_eq!(
        members["tools"][1]["cache_control"],
        json!({"type": "ephemeral"})
    );
    assert_eq!(warned, Vec::<String>::new());
}

#[test]
fn sends_the_last_four_marks_of_a_client() {
    let mark = || Part::CacheMark(CacheMark::default());
    let mut request = base_request(MODEL);
    request.system = vec![Part::text("s"), mark()];
    for text in ["b", "c", "d", "e"] {
        request
            .turns
            .push(turn(Role::Assistant, vec![Part::text("a")]));
        request
            .turns
            .push(turn(Role::User, vec![Part::text(text), mark()]));
    }
    let (members, warned) = encode_members(&request, &["system", "messages"]);
    assert_eq!(members["system"], json!([marked("s")]));
    let contents: Vec<_> = [2, 4, 6, 8]
        .map(|at| members["messages"][at]["content"].clone())
        .into();
    assert_eq!(
        contents,
        [
            json!("b"),
            json!([marked("c")]),
            json!([marked("d")]),
            json!([marked("e")])
        ]
    );
    assert_eq!(warned, ["cache_control"]);
    // A mark after thinking, and one without anything before it, have no place.
    request.turns = vec![
        turn(Role::User, vec![mark(), Part::text("a")]),
        turn(
            Role::Assistant,
            vec![reasoning_part(Dialect::AnthropicMessages), mark()],
        ),
        turn(
            Role::User,
            vec![
                Part::text("b"),
                Part::CacheMark(CacheMark { is_long: true }),
            ],
        ),
    ];
    let (members, _) = encode_members(&request, &["messages"]);
    let long =
        json!([{"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    assert_eq!(members["messages"][0]["content"], "a");
    assert_eq!(
        members["messages"][1]["content"][0].get("cache_control"),
        None
    );
    assert_eq!(members["messages"][2]["content"], long);
}
