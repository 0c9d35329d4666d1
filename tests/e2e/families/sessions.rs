//! Sessions that change their provider and come back, amid the calls of a tool and between them, with reasoning: raw
//! HTTP clients of each API, between each two dialects, and between each dialect and each family of strict servers.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Families;

/// How many sessions run at the same time.
const SESSIONS_AT_ONCE: usize = 8;

/// One family of each dialect. Each session is with at least one of them.
const OF_EACH_DIALECT: [&str; 4] = ["claude", "gemini", "openai-chat", "openai-responses"];

/// A client's API.
#[derive(Debug, Clone, Copy)]
enum SessionApi {
    Messages,
    Chat,
    Gemini,
    Responses,
}

/// A client with the history of its session, which it sends as it got it.
struct Session<'a> {
    families: &'a Families,
    api: SessionApi,
    history: Vec<Value>,
}

/// What the client learns from a response.
struct TurnResponse {
    text: String,
    /// The ids and the names of the calls.
    calls: Vec<(String, String)>,
}

impl Session<'_> {
    /// Adds the user's text.
    fn add_text(&mut self, text: &str) {
        self.history.push(match self.api {
            SessionApi::Messages | SessionApi::Chat | SessionApi::Responses => {
                json!({"role": "user", "content": text})
            }
            SessionApi::Gemini => json!({"role": "user", "parts": [{"text": text}]}),
        });
    }

    /// Adds the results of calls.
    fn add_results(&mut self, calls: &[(String, String)]) {
        let text = "It is sunny.";
        let results = calls.iter().map(|(id, name)| match self.api {
            SessionApi::Messages => {
                json!({"type": "tool_result", "tool_use_id": id, "content": text})
            }
            SessionApi::Chat => json!({"role": "tool", "tool_call_id": id, "content": text}),
            SessionApi::Responses => {
                json!({"type": "function_call_output", "call_id": id, "output": text})
            }
            SessionApi::Gemini => {
                let mut response = json!({"name": name, "response": {"output": text}});
                // Gemini's own calls have no ids.
                if !id.is_empty() {
                    response["id"] = json!(id);
                }
                json!({"functionResponse": response})
            }
        });
        let results: Vec<Value> = results.collect();
        match self.api {
            SessionApi::Messages => self
                .history
                .push(json!({"role": "user", "content": results})),
            SessionApi::Gemini => self.history.push(json!({"role": "user", "parts": results})),
            SessionApi::Chat | SessionApi::Responses => self.history.extend(results),
        }
    }

    fn request(&self, family: &str) -> (String, Value) {
        let model = format!("at-{family}");
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        let (name, about) = ("look", "Looks out of the window.");
        let history = &self.history;
        match self.api {
            SessionApi::Messages => (
                "/v1/messages".to_owned(),
                json!({
                    "model": model, "max_tokens": 4096, "system": "Be brief.", "messages": history,
                    "thinking": {"type": "enabled", "budget_tokens": 1024},
                    "tools": [{"name": name, "description": about, "input_schema": schema}],
                }),
            ),
            SessionApi::Chat => {
                let mut messages = vec![json!({"role": "system", "content": "Be brief."})];
                messages.extend_from_slice(history);
                let function = json!({"name": name, "description": about, "parameters": schema});
                let tools = json!([{"type": "function", "function": function}]);
                let body = json!({"model": model, "messages": messages, "reasoning_effort": "medium", "tools": tools});
                ("/v1/chat/completions".to_owned(), body)
            }
            SessionApi::Responses => (
                "/v1/responses".to_owned(),
                json!({
                    "model": model, "instructions": "Be brief.", "input": history, "store": false,
                    "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "medium", "summary": "auto"},
                    "tools": [{"type": "function", "name": name, "description": about, "parameters": schema, "strict": false}],
                }),
            ),
            SessionApi::Gemini => (
                format!("/v1beta/models/{model}:generateContent"),
                json!({
                    "contents": history, "systemInstruction": {"parts": [{"text": "Be brief."}]},
                    "generationConfig": {"thinkingConfig": {"includeThoughts": true, "thinkingBudget": 1024}},
                    "tools": [{"functionDeclarations": [{"name": name, "description": about, "parametersJsonSchema": schema}]}],
                }),
            ),
        }
    }

    /// Sends the session to a family, and adds its found.
    async fn send(&mut self, family: &str) -> Result<TurnResponse, String> {
        let (path, body) = self.request(family);
        let jackfield = &self.families.jackfield;
        let request = jackfield.client.post(jackfield.url(&path));
        let request = request.header("anthropic-version", "2023-06-01");
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        if status != 200 {
            return Err(format!("{status} {text}\nafter {body}"));
        }
        Ok(self.add(&serde_json::from_str(&text).unwrap()))
    }

    fn add(&mut self, response: &Value) -> TurnResponse {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut found = TurnResponse {
            text: String::new(),
            calls: Vec::new(),
        };
        match self.api {
            SessionApi::Messages => {
                for block in list(&response["content"]) {
                    found.text += &text(&block["text"]);
                    if block["type"] == "tool_use" {
                        found.calls.push((text(&block["id"]), text(&block["name"])));
                    }
                }
                self.history
                    .push(json!({"role": "assistant", "content": response["content"]}));
            }
            SessionApi::Chat => {
                let message = &response["choices"][0]["message"];
                found.text = text(&message["content"]);
                for call in list(&message["tool_calls"]) {
                    found
                        .calls
                        .push((text(&call["id"]), text(&call["function"]["name"])));
                }
                // As the SDKs' users do, who leave out what is null.
                let mut message = message.clone();
                let members = message.as_object_mut().unwrap();
                members.retain(|name, value| name == "content" || !value.is_null());
                self.history.push(message);
            }
            SessionApi::Responses => {
                for item in list(&response["output"]) {
                    found.text += &text(&item["content"][0]["text"]);
                    if item["type"] == "function_call" {
                        found
                            .calls
                            .push((text(&item["call_id"]), text(&item["name"])));
                    }
                    self.history.push(item);
                }
            }
            SessionApi::Gemini => {
                let content = &response["candidates"][0]["content"];
                for part in list(&content["parts"]) {
                    if part["thought"] != true {
                        found.text += &text(&part["text"]);
                    }
                    let call = &part["functionCall"];
                    if call.is_object() {
                        found.calls.push((text(&call["id"]), text(&call["name"])));
                    }
                }
                self.history.push(content.clone());
            }
        }
        found
    }

    /// A call that one family makes, and whose result another one gets.
    async fn call(&mut self, from: &str, to: &str) -> Result<(), String> {
        self.add_text("Look, please. mock:call look {\"city\":\"Rome\"}");
        let called = self
            .send(from)
            .await
            .map_err(|error| format!("call at {from}: {error}"))?;
        if called.calls.len() != 1 || called.calls[0].1 != "look" {
            return Err(format!(
                "{from} did not call: {:?} {}",
                called.calls, called.text
            ));
        }
        self.add_results(&called.calls);
        let found = self.send(to).await;
        let found = found.map_err(|error| format!("result of {from}'s call at {to}: {error}"))?;
        let expected = format!("key-of-{to} says: result It is sunny.");
        let passed = found.text.starts_with(&expected);
        if passed {
            Ok(())
        } else {
            Err(format!("{to} says: {}", found.text))
        }
    }

    /// From one family to another, and back.
    async fn there_and_back(&mut self, one: &str, other: &str) -> Result<(), String> {
        self.call(one, one).await?;
        self.call(one, other).await?;
        self.call(other, other).await?;
        self.call(other, one).await?;
        self.call(one, one).await?;
        self.add_text("Thank you.");
        let last = self
            .send(other)
            .await
            .map_err(|error| format!("last at {other}: {error}"))?;
        let passed = last
            .text
            .starts_with(&format!("key-of-{other} says: word-1"));
        if passed {
            Ok(())
        } else {
            Err(format!("{other} says: {}", last.text))
        }
    }
}

async fn check_switches(api: SessionApi) {
    let families = Arc::new(Families::start(&[], &[]).await);
    let at_once = Arc::new(Semaphore::new(SESSIONS_AT_ONCE));
    let names: Vec<String> = families
        .families
        .iter()
        .map(|family| family.name.clone())
        .collect();
    let mut sessions = JoinSet::new();
    for one in &names {
        let is_first = OF_EACH_DIALECT.contains(&&**one);
        let is_paired =
            |other: &&String| *other != one && (is_first || OF_EACH_DIALECT.contains(&&***other));
        for other in names.iter().filter(is_paired) {
            let (families, at_once) = (Arc::clone(&families), Arc::clone(&at_once));
            let (one, other) = (one.clone(), other.clone());
            sessions.spawn(async move {
                let _permit = at_once.acquire().await.unwrap();
                let history = Vec::new();
                let mut session = Session {
                    families: &families,
                    api,
                    history,
                };
                let outcome = session.there_and_back(&one, &other).await;
                outcome.map_err(|error| format!("== {one} to {other}: {error}"))
            });
        }
    }
    let mut failures = String::new();
    while let Some(outcome) = sessions.join_next().await {
        if let Err(error) = outcome.unwrap() {
            writeln!(failures, "{error}").unwrap();
        }
    }
    assert!(failures.is_empty(), "{api:?}\n{failures}");
}

#[tokio::test]
async fn anthropic_sessions_switch_between_families() {
    check_switches(SessionApi::Messages).await;
}

#[tokio::test]
async fn chat_sessions_switch_between_families() {
    check_switches(SessionApi::Chat).await;
}

#[tokio::test]
async fn gemini_sessions_switch_between_families() {
    check_switches(SessionApi::Gemini).await;
}

#[tokio::test]
async fn responses_sessions_switch_between_families() {
    check_switches(SessionApi::Responses).await;
}
