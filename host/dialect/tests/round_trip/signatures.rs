//! A signature returns unchanged to the provider that made it, for every dialect of the client.

use jackfield_dialect::ir::{Part, Response, Role, Signature, TranslationReport};
use jackfield_dialect::traits::Traits;
use jackfield_dialect::{Dialect, RequestHead};
use proptest::prelude::*;
use serde_json::{Value, json};

use Dialect::{AnthropicMessages, Gemini, OpenaiChat, OpenaiCompletions, OpenaiResponses};

use crate::responses::{self, common, normalize};
use crate::{CASES, TestResult, failed, pairs, response_context};

/// Adapts a response to one provider and to the order of parts that the client's dialect supports. All
/// signatures are from this provider. Calls are signed only if the provider's dialect has call signatures.
fn provider_response(provider: Dialect, client: Dialect, generated: &Response) -> Response {
    let order = if client == OpenaiChat {
        client
    } else {
        provider
    };
    let mut response = common(generated, &[Gemini, order]);
    let own = |signature: &mut Signature| {
        signature.origin = provider;
        signature.data = data_for(provider, &signature.data);
    };
    for part in &mut response.parts {
        match part {
            Part::Reasoning(reasoning) => {
                // In other dialects, redacted reasoning is only reasoning without text.
                reasoning.redacted &= matches!(provider, AnthropicMessages | OpenaiChat);
                reasoning.signature.iter_mut().for_each(own);
            }
            Part::ToolCall(call) => {
                let signature = call.signature.take();
                call.signature = signature.filter(|_| signs_calls(provider));
                call.signature.iter_mut().for_each(own);
            }
            _ => {}
        }
    }
    // Clients do not send unsigned reasoning back.
    response.parts.retain(|part| match part {
        Part::Reasoning(reasoning) => reasoning.signature.is_some(),
        _ => true,
    });
    response
}

fn signs_calls(provider: Dialect) -> bool {
    matches!(provider, Gemini | OpenaiChat)
}

/// Returns valid signature data. For OpenAI responses, it is the id of an item and its encrypted content.
fn data_for(provider: Dialect, data: &str) -> String {
    let word: String = data.chars().filter(char::is_ascii_alphanumeric).collect();
    match provider {
        OpenaiResponses => format!("rs_{word}\n{word}"),
        _ => word,
    }
}

/// Returns the client's next request, with the response in its history and a result for each tool call.
fn next_request(client: Dialect, response: &Value) -> Value {
    let calls = |name: &str| {
        let items = response.pointer(name).and_then(Value::as_array).cloned();
        items.unwrap_or_default()
    };
    match client {
        AnthropicMessages => {
            let results: Vec<Value> = calls("/content")
                .iter()
                .filter(|block| block["type"] == "tool_use")
                .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "r"}))
                .chain([json!({"type": "text", "text": "go on"})])
                .collect();
            json!({"model": "m", "max_tokens": 99, "tools": [{"name": "a", "input_schema": {"type": "object"}}],
            "messages": [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": response["content"]},
                {"role": "user", "content": results},
            ]})
        }
        Gemini => {
            let results: Vec<Value> = calls("/candidates/0/content/parts")
                .iter()
                .filter_map(|part| part.get("functionCall"))
                .map(|call| {
                    json!({"functionResponse": {
                        "id": call["id"], "name": call["name"], "response": {"result": "r"},
                    }})
                })
                .chain([json!({"text": "go on"})])
                .collect();
            json!({"tools": [{"functionDeclarations": [{"name": "a"}]}], "contents": [
                {"role": "user", "parts": [{"text": "q"}]},
                response["candidates"][0]["content"],
                {"role": "user", "parts": results},
            ]})
        }
        OpenaiChat | OpenaiCompletions => {
            let mut messages = vec![
                json!({"role": "user", "content": "q"}),
                response["choices"][0]["message"].clone(),
            ];
            let results = calls("/choices/0/message/tool_calls");
            messages.extend(
                results.iter().map(
                    |call| json!({"role": "tool", "tool_call_id": call["id"], "content": "r"}),
                ),
            );
            messages.push(json!({"role": "user", "content": "go on"}));
            json!({"model": "m", "messages": messages,
                "tools": [{"type": "function", "function": {"name": "a"}}]})
        }
        OpenaiResponses => {
            let mut input = vec![json!({"role": "user", "content": "q"})];
            let output = calls("/output");
            let results = output.iter().filter(|item| item["type"] == "function_call");
            let results = results.map(|call| {
                json!({"type": "function_call_output", "call_id": call["call_id"], "output": "r"})
            });
            let results: Vec<Value> = results.collect();
            input.extend(output);
            input.extend(results);
            input.push(json!({"role": "user", "content": "go on"}));
            json!({"model": "m", "input": input, "tools": [{"type": "function", "name": "a"}]})
        }
    }
}

/// Returns the response as the provider decodes it from the client's next request.
fn send_back(client: Dialect, provider: Dialect, response: &Response) -> TestResult<Response> {
    let place = format!("{client} to {provider}");
    let body: Value = serde_json::from_slice(
        &client
            .codec()
            .encode_response(response, &response_context()),
    )
    .map_err(|error| failed(&place, error))?;
    let body = next_request(client, &body).to_string();
    let mut report = TranslationReport::default();
    let head = RequestHead::from_path("m", false).map_err(|error| failed(&place, error))?;
    let request = client
        .codec()
        .decode_request(body.as_bytes(), &head, &mut report)
        .map_err(|error| failed(&place, error))?;
    let body = provider
        .codec()
        .encode_request(&request, &Traits::everything(), &mut report)
        .map_err(|error| failed(&place, error))?;
    prop_assert_eq!(report.warnings(), &[], "{}", place);
    let read = provider
        .codec()
        .decode_request(&body, &head, &mut report)
        .map_err(|error| failed(&place, error))?;
    let turns = read.turns.into_iter();
    Ok(Response {
        parts: turns
            .filter(|turn| turn.role == Role::Assistant)
            .flat_map(|turn| turn.parts)
            .collect(),
        finish: response.finish.clone(),
        usage: response.usage,
        ..Response::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn signatures_return_to_their_provider(generated in responses::response()) {
        for (client, provider) in pairs() {
            let response = provider_response(provider, client, &generated);
            let back = send_back(client, provider, &response)?;
            prop_assert_eq!(normalize(&back)?, normalize(&response)?, "{} to {}", client, provider);
        }
    }
}
