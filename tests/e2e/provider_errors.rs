//! Errors of providers keep their meaning: in a response with a success status before and after the content, in an
//! error response, and across dialects. Each case has the words that the client's own tools look for.
//!
//! Sources: earendil-works/pi#792, openai/codex#2921, Yeachan-Heo/oh-my-claudecode#3574, jundot/omlx#26.

use serde_json::{Value, json};

use crate::harness::Jackfield;
use crate::health::scripted::{ReceivedRequest, Reply, ScriptedProvider};

/// What a provider replies.
type ReplyScript = Box<dyn Fn(&ReceivedRequest) -> Reply + Send + Sync>;

/// The same reply to every request.
fn always(reply: Reply) -> ReplyScript {
    Box::new(move |_| reply.clone())
}

const OVERFLOW: &str = "Your input exceeds the context window of this model.";

/// The names of the executors, and the path of their base URLs.
const EXECUTORS: [(&str, &str); 4] = [
    ("anthropic", ""),
    ("gemini", ""),
    ("openai", "/v1"),
    ("openai-compatible", "/v1"),
];

/// What a client of an API received.
struct Seen {
    status: u16,
    text: String,
}

impl Seen {
    /// The error of a body, or of the last event of a stream with one.
    fn error(&self) -> Value {
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let whole = json(&self.text);
        if whole.get("error").is_some() {
            return whole["error"].clone();
        }
        let events = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("data:"));
        let errors = events.map(|data| json(data.trim()));
        let mut errors = errors.filter(|data| data.get("error").is_some());
        errors.next_back().unwrap_or_default()["error"].clone()
    }
}

/// A provider of one executor that always sends the same reply, with the server in front of it. Each test has its
/// own, so that no earlier failure cools the credential.
async fn call(executor: &str, script: ReplyScript, path: &str, body: &Value) -> Seen {
    let provider = ScriptedProvider::start(script).await;
    let (_, base) = EXECUTORS
        .iter()
        .find(|(name, _)| *name == executor)
        .unwrap();
    let config = format!(
        "retry: {{ rounds: 1 }}\nproviders:\n  - name: p\n    executor: {executor}\n    base-url: {}\n    \
         credentials: [ {{ id: one, api-key: key-one }} ]\n    models: [ {{ name: m }} ]\n",
        provider.url(base)
    );
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    let request = jackfield.client.post(jackfield.url(path));
    let response = request.body(body.to_string()).send().await.unwrap();
    Seen {
        status: response.status().as_u16(),
        text: response.text().await.unwrap(),
    }
}

fn messages(stream: bool) -> Value {
    json!({"model": "m", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
}

fn responses(stream: bool) -> Value {
    json!({"model": "m", "input": "hi", "stream": stream})
}

fn chat(stream: bool) -> Value {
    json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
}

fn event(data: &Value) -> String {
    let name = data["type"].as_str().unwrap_or("message");
    format!("event: {name}\ndata: {data}\n\n")
}

/// A stream of OpenAI's that fails at once: of responses, or of the chat, which clients of other dialects get.
fn failed_openai(code: &'static str, message: &'static str) -> ReplyScript {
    Box::new(move |request| {
        let error = json!({"code": code, "message": message});
        if request.path.ends_with("/chat/completions") {
            let data = json!({ "error": error });
            return Reply::stream("text/event-stream", &[format!("data: {data}\n\n")]);
        }
        let response = |status: &str, error: &Value| json!({"id": "resp_1", "object": "response", "status": status, "error": error, "output": []});
        let created =
            json!({"type": "response.created", "response": response("in_progress", &Value::Null)});
        let failed = json!({"type": "response.failed", "response": response("failed", &error)});
        Reply::stream("text/event-stream", &[event(&created), event(&failed)])
    })
}

/// A stream of Anthropic's that fails at once.
fn failed_message(kind: &str) -> ReplyScript {
    let error = json!({"type": "error", "error": {"type": kind, "message": "no"}});
    always(Reply::stream("text/event-stream", &[event(&error)]))
}

#[tokio::test]
async fn codex_sees_a_request_that_is_too_long() {
    let claude = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}});
    let gemini = json!({"error": {"code": 400, "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}});
    let compatible = json!({"error": {"message": "This model's maximum context length is 131072 tokens.", "code": 400}});
    let overflow = || failed_openai("context_length_exceeded", OVERFLOW);
    let seen = call("openai", overflow(), "/v1/responses", &responses(true)).await;
    assert_overflow(&seen, "openai");
    for (executor, body) in [
        ("anthropic", &claude),
        ("gemini", &gemini),
        ("openai-compatible", &compatible),
    ] {
        let script = || always(Reply::json(400, body));
        let seen = call(executor, script(), "/v1/responses", &responses(true)).await;
        assert_overflow(&seen, executor);
        let seen = call(executor, script(), "/v1/responses", &responses(false)).await;
        let found = (seen.status, &seen.error()["code"]);
        assert_eq!(found, (400, &json!("context_length_exceeded")));
    }
}

/// Codex knows an overflow by the code in this event only.
fn assert_overflow(seen: &Seen, executor: &str) {
    assert_eq!(seen.status, 200, "{executor}: {}", seen.text);
    assert!(
        seen.text.contains("event: response.failed"),
        "{}",
        seen.text
    );
    let code = &seen.error()["code"];
    assert_eq!(code, "context_length_exceeded", "{executor}: {}", seen.text);
}

#[tokio::test]
async fn claude_code_sees_a_request_that_is_too_long() {
    let error = json!({"error": {"message": OVERFLOW, "type": "invalid_request_error", "code": "context_length_exceeded"}});
    for (executor, reply) in [
        ("openai", failed_openai("context_length_exceeded", OVERFLOW)),
        ("openai-compatible", always(Reply::json(400, &error))),
        (
            "openai-compatible",
            always(Reply::stream(
                "text/event-stream",
                &[format!("data: {error}\n\n")],
            )),
        ),
        ("openai-compatible", always(Reply::json(200, &error))),
    ] {
        let seen = call(executor, reply, "/v1/messages", &messages(true)).await;
        assert_eq!(seen.status, 400, "{}", seen.text);
        let error = seen.error();
        assert_eq!(error["type"], "invalid_request_error");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("prompt is too long"), "{message}");
    }
}

/// An error at once in a stream, and what a client receives.
struct ErrorAtOnce {
    executor: &'static str,
    script: ReplyScript,
    path: &'static str,
    status: u16,
    /// The member of the error that has the word.
    member: &'static str,
    word: &'static str,
}

/// The cases of a provider: the path, the status, and the word of the error's `code`, or of its `type` for clients of
/// Anthropic's API.
fn at_once(
    executor: &'static str,
    script: impl Fn() -> ReplyScript,
    expected: &[(&'static str, u16, &'static str)],
) -> Vec<ErrorAtOnce> {
    let case = |(path, status, word): &(&'static str, u16, &'static str)| ErrorAtOnce {
        executor,
        script: script(),
        path,
        status: *status,
        member: if *path == MESSAGES { "type" } else { "code" },
        word,
    };
    expected.iter().map(case).collect()
}

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";

#[tokio::test]
async fn error_at_once_in_a_stream_has_status_and_code_of_its_kind() {
    let rate = || failed_openai("rate_limit_exceeded", "Rate limit reached for gpt-5.5.");
    let busy = || failed_openai("server_is_overloaded", "Our servers are overloaded.");
    let rate_limits = [
        (CHAT, 429, "rate_limit_exceeded"),
        (MESSAGES, 429, "rate_limit_error"),
        (RESPONSES, 429, "rate_limit_exceeded"),
    ];
    let overloads = [
        (CHAT, 503, "server_is_overloaded"),
        (MESSAGES, 529, "overloaded_error"),
        (RESPONSES, 503, "server_is_overloaded"),
    ];
    let limited = || failed_message("rate_limit_error");
    let overloaded = || failed_message("overloaded_error");
    let cases = [
        at_once("openai", rate, &rate_limits),
        at_once("openai", busy, &overloads),
        at_once("anthropic", limited, &rate_limits),
        at_once("anthropic", overloaded, &overloads),
    ];
    for case in cases.into_iter().flatten() {
        let (executor, path) = (case.executor, case.path);
        let body = match path {
            CHAT => chat(true),
            MESSAGES => messages(true),
            _ => responses(true),
        };
        let seen = call(executor, case.script, path, &body).await;
        let found = (seen.status, seen.error()[case.member].clone());
        let expected = (case.status, json!(case.word));
        assert_eq!(found, expected, "{executor} {path}: {}", seen.text);
    }
}

#[tokio::test]
async fn error_after_content_keeps_its_kind() {
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": "Hello"}}]});
    let error = json!({"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "{\"error\":{\"message\":\"Slow down, please\",\"code\":\"rate_limit_exceeded\"}}"}}});
    let stream = || {
        let events = [format!("data: {chunk}\n\n"), format!("data: {error}\n\n")];
        always(Reply::stream("text/event-stream", &events))
    };
    let seen = call(
        "openai-compatible",
        stream(),
        "/v1/messages",
        &messages(true),
    )
    .await;
    assert!(seen.status == 200 && seen.text.contains("Hello"));
    assert_eq!(seen.error()["type"], "rate_limit_error", "{}", seen.text);
    let seen = call(
        "openai-compatible",
        stream(),
        "/v1/responses",
        &responses(true),
    )
    .await;
    assert_eq!(seen.error()["code"], "rate_limit_exceeded", "{}", seen.text);
}
