//! Sessions that change their provider: what one provider signed never reaches another one, whatever the client's
//! API. Providers are scripted, and refuse foreign signatures in their own words.
//!
//! Sources: router-for-me/CLIProxyAPI#1584, openai/codex#8145, BigPizzaV3/CodexPlusPlus#218, nguyenphutrong/quotio#218.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::Jackfield;
use crate::health::scripted::{ReceivedRequest, Reply, ScriptedProvider};

/// How every signature begins that Jackfield wrapped.
const WRAPPED: &str = "amFja2ZpZWxkOjE6";

/// The providers, each on a port of its own, with the server in front of them.
struct World {
    jackfield: Jackfield,
    claude: ScriptedProvider,
    gemini: ScriptedProvider,
    openai: ScriptedProvider,
    deepseek: ScriptedProvider,
}

impl World {
    /// Starts everything. Gemini answers its second request with `gemini_second`, if there is one.
    async fn start(gemini_second: Option<Reply>) -> Self {
        let (claude, gemini) = (start_claude().await, start_gemini(gemini_second).await);
        let (openai, deepseek) = (start_openai().await, start_deepseek().await);
        let provider = |name: &str, executor: &str, url: String, model: &str| {
            format!(
                "  - name: {name}\n    executor: {executor}\n    base-url: {url}\n    \
                 credentials: [ {{ id: key-{name}, api-key: key-{name} }} ]\n    models: [ {{ name: {model} }} ]\n"
            )
        };
        let config = [
            "retry: { rounds: 1 }\nmodels:\n  - name: smart\n    targets:\n      \
             - { provider: gem, model: gemini-3-pro-preview, priority: 10 }\n      \
             - { provider: ant, model: claude-sonnet-4-5 }\nproviders:\n"
                .to_owned(),
            provider("ant", "anthropic", claude.url(""), "claude-sonnet-4-5"),
            provider("gem", "gemini", gemini.url(""), "gemini-3-pro-preview"),
            provider("oai", "openai", openai.url("/v1"), "gpt-5.5"),
            provider(
                "deep",
                "openai-compatible",
                deepseek.url("/v1"),
                "deepseek-v4-pro",
            ),
        ]
        .concat();
        let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
        Self {
            jackfield,
            claude,
            gemini,
            openai,
            deepseek,
        }
    }

    /// Sends a request that must succeed; returns its body and its warnings.
    async fn post(&self, path: &str, body: &Value) -> (Value, String) {
        let request = self.jackfield.client.post(self.jackfield.url(path));
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status();
        let warnings = response.headers().get("x-jackfield-warnings");
        let warnings = warnings.map_or("", |it| it.to_str().unwrap()).to_owned();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        (serde_json::from_str(&text).unwrap(), warnings)
    }
}

/// Claude: it refuses thinking that it did not sign.
async fn start_claude() -> ScriptedProvider {
    ScriptedProvider::start(|request| {
        let foreign = request.contains(WRAPPED) || request.contains(r#""signature":"""#);
        let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "EqQBSIG"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
        ], "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}});
        refuse_or(foreign, "Invalid `signature` in `thinking` block", &body)
    })
    .await
}

/// Gemini 3: it refuses foreign signatures, and calls without one. `second` is its reply to the second request.
async fn start_gemini(second: Option<Reply>) -> ScriptedProvider {
    let count = AtomicUsize::new(0);
    ScriptedProvider::start(move |request| {
        let before = count.fetch_add(1, Ordering::Relaxed);
        if let Some(second) = second.as_ref().filter(|_| before == 1) {
            return second.clone();
        }
        let body = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "Hm", "thought": true},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "U0lHMQ=="},
    ]}, "finishReason": "STOP"}], "responseId": "r1"});
        let lacks_one = unsigned_call(request);
        let foreign = request.contains(WRAPPED) || lacks_one;
        refuse_or(
            foreign,
            "Function call is missing a thought_signature",
            &body,
        )
    })
    .await
}

/// OpenAI: it refuses encrypted content that is not its own.
async fn start_openai() -> ScriptedProvider {
    ScriptedProvider::start(|request| {
        let body = json!({"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5.5", "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAASIG"},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}", "status": "completed"},
        ]});
        let message = "The encrypted content amFj...x could not be verified.";
        refuse_or(request.contains(WRAPPED), message, &body)
    })
    .await
}

/// DeepSeek: it knows no details of reasoning.
async fn start_deepseek() -> ScriptedProvider {
    ScriptedProvider::start(|request| {
        let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let message = json!({"role": "assistant", "content": null, "reasoning_content": "I look.", "tool_calls": [call]});
        let body = json!({"id": "c1", "object": "chat.completion", "model": "deepseek-v4-pro", "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls"},
        ]});
        refuse_or(
            request.contains(WRAPPED),
            "unknown variant `reasoning.encrypted`",
            &body,
        )
    })
    .await
}

fn refuse_or(foreign: bool, message: &str, body: &Value) -> Reply {
    if foreign {
        let error = json!({"type": "invalid_request_error", "message": message});
        return Reply::json(400, &json!({"type": "error", "error": error}));
    }
    Reply::json(200, body)
}

/// Whether the first call of a turn of a Gemini request has no signature.
fn unsigned_call(request: &ReceivedRequest) -> bool {
    let request = request.json();
    let contents = request["contents"].as_array().cloned().unwrap_or_default();
    contents.iter().any(|content| {
        let parts = content["parts"].as_array().cloned().unwrap_or_default();
        let first = parts.iter().find(|part| part.get("functionCall").is_some());
        first.is_some_and(|call| call.get("thoughtSignature").is_none())
    })
}

/// A request of an Anthropic client, with thinking.
fn messages_request(model: &str, history: &[Value]) -> Value {
    let tool = json!({"name": "f", "input_schema": {"type": "object", "properties": {}}});
    let mut messages = vec![json!({"role": "user", "content": "hi"})];
    messages.extend_from_slice(history);
    json!({"model": model, "max_tokens": 4096, "messages": messages, "tools": [tool], "thinking": {"type": "enabled", "budget_tokens": 1024}})
}

/// The turn of a response of an Anthropic client, and the result of its call.
fn messages_turn(response: &Value) -> Vec<Value> {
    let content = response["content"].as_array().unwrap();
    let call = content.iter().find(|block| block["type"] == "tool_use");
    let result = json!({"type": "tool_result", "tool_use_id": call.unwrap()["id"], "content": "o"});
    vec![
        json!({"role": "assistant", "content": content}),
        json!({"role": "user", "content": [result]}),
    ]
}

/// Claude demands no thinking then, and gets the call without the blocks.
fn assert_clean_for_claude(request: &ReceivedRequest) {
    let sent = request.json();
    let blocks = sent["messages"][1]["content"].as_array().unwrap();
    let kinds: Vec<&str> = blocks
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["tool_use"], "{sent}");
    assert_eq!(sent.get("thinking"), None, "{sent}");
}

#[tokio::test]
async fn claude_code_changes_from_gemini_or_deepseek_to_claude() {
    for model in ["gemini-3-pro-preview", "deepseek-v4-pro"] {
        let world = World::start(None).await;
        let (first, _) = world
            .post("/v1/messages", &messages_request(model, &[]))
            .await;
        assert!(first.to_string().contains(WRAPPED), "{first}");
        let request = messages_request("claude-sonnet-4-5", &messages_turn(&first));
        let (_, warnings) = world.post("/v1/messages", &request).await;
        assert_eq!(warnings, "messages.thinking, thinking", "{model}");
        let requests = world.claude.requests();
        assert_eq!(requests.len(), 1);
        assert_clean_for_claude(&requests[0]);
        // And back: the first provider gets what it signed.
        let request = messages_request(model, &messages_turn(&first));
        world.post("/v1/messages", &request).await;
        if model.starts_with("gemini") {
            assert!(world.gemini.requests()[1].contains("U0lHMQ=="));
        }
    }
}

#[tokio::test]
async fn claude_gets_nothing_of_gemini_by_failover_within_a_call() {
    let overloaded =
        json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}});
    let world = World::start(Some(Reply::json(503, &overloaded))).await;
    let (first, _) = world
        .post("/v1/messages", &messages_request("smart", &[]))
        .await;
    let request = messages_request("smart", &messages_turn(&first));
    let (_, warnings) = world.post("/v1/messages", &request).await;
    assert_eq!(warnings, "messages.thinking, thinking");
    // Gemini was asked with its signature, and then Claude without.
    assert!(world.gemini.requests()[1].contains("U0lHMQ=="));
    assert_clean_for_claude(&world.claude.requests()[0]);
}

#[tokio::test]
async fn codex_changes_from_claude_or_gemini_to_openai() {
    for model in ["claude-sonnet-4-5", "gemini-3-pro-preview"] {
        let world = World::start(None).await;
        let tool = json!({"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}});
        let reasoning = json!({"effort": "medium", "summary": "auto"});
        let input = json!([{"role": "user", "content": "hi"}]);
        let mut request = json!({"model": model, "input": input, "tools": [tool], "reasoning": reasoning, "store": false, "include": ["reasoning.encrypted_content"]});
        let (first, _) = world.post("/v1/responses", &request).await;
        assert!(first.to_string().contains(WRAPPED), "{first}");
        let output = first["output"].as_array().unwrap();
        let call = output.iter().find(|item| item["type"] == "function_call");
        let result = json!({"type": "function_call_output", "call_id": call.unwrap()["call_id"], "output": "o"});
        let input = request["input"].as_array_mut().unwrap();
        input.extend(output.iter().cloned().chain([result]));
        request["model"] = "gpt-5.5".into();
        let (_, warnings) = world.post("/v1/responses", &request).await;
        assert_eq!(warnings, "input.reasoning", "{model}");
        let requests = world.openai.requests();
        assert_eq!(requests.len(), 1);
        let sent = requests[0].json();
        let kinds: Vec<_> = sent["input"].as_array().unwrap().iter().collect();
        assert!(
            kinds.iter().all(|item| item["type"] != "reasoning"),
            "{sent}"
        );
        assert!(kinds.iter().any(|item| item["type"] == "function_call"));
    }
}

#[tokio::test]
async fn gemini_cli_changes_from_claude_to_gemini() {
    let world = World::start(None).await;
    let path = |model: &str| format!("/v1beta/models/{model}:generateContent");
    let user = json!({"role": "user", "parts": [{"text": "hi"}]});
    let tools = json!([{"functionDeclarations": [{"name": "f"}]}]);
    let config = json!({"thinkingConfig": {"includeThoughts": true, "thinkingBudget": 1024}});
    let mut request = json!({"contents": [user], "tools": tools, "generationConfig": config});
    let (first, _) = world.post(&path("claude-sonnet-4-5"), &request).await;
    assert!(first.to_string().contains(WRAPPED), "{first}");
    let turn = first["candidates"][0]["content"].clone();
    let result = json!({"functionResponse": {"name": "f", "response": {"output": "o"}}});
    let contents = request["contents"].as_array_mut().unwrap();
    contents.extend([turn, json!({"role": "user", "parts": [result]})]);
    let (_, warnings) = world.post(&path("gemini-3-pro-preview"), &request).await;
    assert_eq!(warnings, "contents.parts.thoughtSignature");
    let requests = world.gemini.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].contains("skip_thought_signature_validator"));
    assert!(requests[0].contains("functionCall"));
}

#[tokio::test]
async fn chat_client_changes_from_claude_to_deepseek() {
    let world = World::start(None).await;
    let function = json!({"name": "f", "parameters": {"type": "object", "properties": {}}});
    let tool = json!({"type": "function", "function": function});
    let user = json!({"role": "user", "content": "hi"});
    let mut request = json!({"model": "claude-sonnet-4-5", "messages": [user], "tools": [tool], "reasoning_effort": "medium"});
    let (first, _) = world.post("/v1/chat/completions", &request).await;
    assert!(first.to_string().contains(WRAPPED), "{first}");
    let turn = first["choices"][0]["message"].clone();
    let result =
        json!({"role": "tool", "tool_call_id": turn["tool_calls"][0]["id"], "content": "o"});
    let messages = request["messages"].as_array_mut().unwrap();
    messages.extend([turn, result]);
    request["model"] = "deepseek-v4-pro".into();
    let (_, warnings) = world.post("/v1/chat/completions", &request).await;
    assert_eq!(warnings, "messages.reasoning_details");
    let requests = world.deepseek.requests();
    assert_eq!(requests.len(), 1);
    let sent = requests[0].json();
    assert_eq!(sent["messages"][1].get("reasoning_details"), None);
    assert_eq!(sent["messages"][1]["reasoning_content"], "Hm");
}

/// A history of which the server knows nothing, as after a restart: the provider's refusal teaches it.
#[tokio::test]
async fn refusal_is_tried_once_more_and_remembered() {
    let refusing = ScriptedProvider::start(|request| {
        let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}});
        let message = "messages.1.content.0: Invalid `signature` in `thinking` block";
        refuse_or(request.contains("of-minimax"), message, &body)
    })
    .await;
    let config = format!(
        "providers:\n  - name: ant\n    executor: anthropic\n    base-url: {}\n    \
         credentials: [ {{ id: one, api-key: k }} ]\n    models: [ {{ name: claude-sonnet-4-5 }} ]\n",
        refusing.url("")
    );
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    let thinking = json!({"type": "thinking", "thinking": "t", "signature": "of-minimax"});
    let turn = json!({"role": "assistant", "content": [thinking, {"type": "text", "text": "b"}]});
    let history = [turn, json!({"role": "user", "content": "c"})];
    let request = messages_request("claude-sonnet-4-5", &history).to_string();
    for expected in [2, 3] {
        let post = jackfield.client.post(jackfield.url("/v1/messages"));
        let response = post.body(request.clone()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let warnings = response.headers()["x-jackfield-warnings"].to_str().unwrap();
        assert_eq!(warnings, "messages.thinking");
        assert_eq!(refusing.count(), expected);
    }
    let credential = jackfield.credential("one").await;
    assert_eq!(credential["last_failure"], Value::Null, "{credential}");
}
