//! Real clients in front of pools that fail: they must not ask their user to log in, and what one key cannot
//! serve another one does.

use serde_json::json;
use tokio::task::JoinSet;

use super::client::ClientApi;
use super::replies::{ProviderApi, SSE, StreamParts, overloaded_event};
use super::scripted::{Reply, ScriptedProvider};
use super::{ONE, pool, pool_with, start};
use crate::coding_tools::CodingTool;
use crate::harness::Upstream;
use crate::sdks::{SdkCall, SdkScript};

/// What the tools print when they believe that their own key or login is at fault.
const LOGIN: [&str; 8] = [
    "failed to authenticate",
    "/login",
    "log in",
    "login",
    "sign in",
    "codex login",
    "authentication_error",
    "401 unauthorized",
];

/// The real tool before a pool whose keys the provider refuses, twice: while Jackfield still tries the keys, and
/// while they cool.
async fn assert_no_login(tool: CodingTool, executor: &'static str, path: &'static str) {
    let mut cases = JoinSet::new();
    for status in [401, 403] {
        cases.spawn(async move {
            let (kind, words) = match status {
                401 => ("authentication_error", "invalid x-api-key"),
                _ => ("permission_error", "OAuth token was revoked"),
            };
            let body = json!({ "type": "error", "error": { "type": kind, "message": words } });
            let provider = ScriptedProvider::start(move |_| Reply::json(status, &body)).await;
            let providers = pool("p", executor, &provider.url(path), &["key-a", "key-b"]);
            let jackfield = start(&providers, "").await;
            let origin = format!("http://{}", jackfield.address);
            for round in ["first", "while cooling"] {
                let home = tempfile::tempdir().unwrap();
                let (succeeded, log) = tool.run(&home, &origin, ONE, "m1").await.unwrap();
                assert!(!succeeded, "{tool:?} {status} {round}: {log}");
                assert!(provider.count() > 0, "{tool:?} sent no request: {log}");
                let printed = log.to_lowercase();
                for phrase in LOGIN {
                    let found = printed.contains(phrase);
                    assert!(!found, "{tool:?} {status} {round} prints {phrase:?}: {log}");
                }
                assert!(
                    log.contains("503"),
                    "{tool:?} {status} {round} shows no 503: {log}"
                );
            }
        });
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

#[tokio::test]
async fn claude_code_does_not_require_a_login() {
    assert_no_login(CodingTool::ClaudeCode, "anthropic", "").await;
}

#[tokio::test]
async fn codex_does_not_require_a_login() {
    assert_no_login(CodingTool::Codex, "openai", "/v1").await;
}

/// Eight seconds of preamble, then an overload: the official SDKs get the stream of another provider.
async fn sdk_streams_after_an_overload(
    script: SdkScript,
    only: &'static [&'static str],
    api: ClientApi,
    executor: &str,
    path: &str,
) {
    let p = ScriptedProvider::start(|request| {
        let api = ProviderApi::of(&request.path);
        if !request.wants_stream() {
            return Reply::html(503);
        }
        Reply::stream(SSE, &StreamParts::of(api, "").preamble)
            .pause(std::time::Duration::from_secs(8))
            .then(&[overloaded_event(api)])
    })
    .await;
    let q = Upstream::start(&[]).await;
    let providers = pool_with("p", executor, &p.url(path), &["key-a"], ", priority: 5")
        + &pool("q", executor, &format!("{}{path}", q.origin()), &["key-q"]);
    let jackfield = start(&providers, "").await;
    let call = SdkCall {
        origin: &format!("http://{}", jackfield.address),
        key: ONE,
        model: "m1",
        expected_key: "key-q",
        excluded: &[],
    };
    if let Err(log) = script.run_only(call, only).await {
        panic!("{api:?}: {log}");
    }
    assert!(p.count() > 0, "{api:?}: the first provider was not called");
}

#[tokio::test]
async fn the_openai_sdk_for_python_streams_after_an_overload() {
    let only = &["chat_stream"];
    let (script, api) = (SdkScript::PYTHON_OPENAI_CHAT, ClientApi::Chat);
    sdk_streams_after_an_overload(script, only, api, "openai-compatible", "/v1").await;
    let only = &["responses_stream"];
    let (script, api) = (SdkScript::PYTHON_OPENAI_RESPONSES, ClientApi::Responses);
    sdk_streams_after_an_overload(script, only, api, "openai", "/v1").await;
}

#[tokio::test]
async fn the_anthropic_sdk_for_python_streams_after_an_overload() {
    let only = &["messages_stream"];
    let (script, api) = (SdkScript::PYTHON_ANTHROPIC, ClientApi::Messages);
    sdk_streams_after_an_overload(script, only, api, "anthropic", "").await;
}

#[tokio::test]
async fn the_google_sdk_for_python_streams_after_an_overload() {
    let only = &["stream"];
    let (script, api) = (SdkScript::PYTHON_GOOGLE, ClientApi::Gemini);
    sdk_streams_after_an_overload(script, only, api, "gemini", "").await;
}
