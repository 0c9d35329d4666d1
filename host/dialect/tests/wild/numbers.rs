//! Numbers that neither 64 bits nor a double hold.

use jackfield_dialect::Dialect;
use serde_json::Value;

use crate::{DIALECTS, Outcome, context, translate_request_text};

/// Amounts of a chain in its smallest unit do not fit into 64 bits.
const WEI: &str = r#"{"wei":1000000000000000000000,"rate":0.1234567890123456789}"#;

/// A request with a call, its result, and a tool whose schema has a bound, all with long numbers.
fn request_with_long_numbers(client: Dialect) -> String {
    let schema = r#"{"type":"object","properties":{"wei":{"type":"integer","maximum":1000000000000000000000}}}"#;
    let quoted = Value::from(WEI);
    match client {
        Dialect::AnthropicMessages => format!(
            r#"{{"max_tokens":9,"messages":[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"c","name":"f","input":{WEI}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"c","content":"o"}}]}}],"tools":[{{"name":"f","input_schema":{schema}}}]}}"#
        ),
        Dialect::Gemini => format!(
            r#"{{"contents":[{{"role":"user","parts":[{{"text":"x"}}]}},{{"role":"model","parts":[{{"functionCall":{{"name":"f","args":{WEI}}}}}]}},{{"role":"user","parts":[{{"functionResponse":{{"name":"f","response":{{"output":"o"}}}}}}]}}],"tools":[{{"functionDeclarations":[{{"name":"f","parametersJsonSchema":{schema}}}]}}]}}"#
        ),
        Dialect::OpenaiChat => format!(
            r#"{{"messages":[{{"role":"user","content":"x"}},{{"role":"assistant","content":null,"tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":{quoted}}}}}]}},{{"role":"tool","tool_call_id":"c","content":"o"}}],"tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]}}"#
        ),
        _ => format!(
            r#"{{"input":[{{"role":"user","content":"x"}},{{"type":"function_call","call_id":"c","name":"f","arguments":{quoted}}},{{"type":"function_call_output","call_id":"c","output":"o"}}],"tools":[{{"type":"function","name":"f","parameters":{schema}}}]}}"#
        ),
    }
}

#[test]
fn long_numbers_keep_their_digits_in_requests() -> Outcome<()> {
    for client in DIALECTS {
        for provider in DIALECTS {
            let body =
                translate_request_text(client, provider, &request_with_long_numbers(client))?;
            let found = |digits: &str| body.matches(digits).count();
            assert_eq!(
                found("1000000000000000000000"),
                2,
                "{client} to {provider}: {body}"
            );
            assert_eq!(
                found("0.1234567890123456789"),
                1,
                "{client} to {provider}: {body}"
            );
        }
    }
    Ok(())
}

#[test]
fn long_numbers_keep_their_digits_in_responses() -> Outcome<()> {
    let quoted = Value::from(WEI);
    let responses = [
        (
            Dialect::AnthropicMessages,
            format!(
                r#"{{"type":"message","content":[{{"type":"tool_use","id":"c","name":"f","input":{WEI}}}],"stop_reason":"tool_use"}}"#
            ),
        ),
        (
            Dialect::Gemini,
            format!(
                r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"functionCall":{{"name":"f","args":{WEI}}}}}]}},"finishReason":"STOP"}}]}}"#
            ),
        ),
        (
            Dialect::OpenaiChat,
            format!(
                r#"{{"choices":[{{"message":{{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":{quoted}}}}}]}},"finish_reason":"tool_calls"}}]}}"#
            ),
        ),
        (
            Dialect::OpenaiResponses,
            format!(
                r#"{{"object":"response","status":"completed","output":[{{"type":"function_call","id":"f1","call_id":"c","name":"f","arguments":{quoted}}}]}}"#
            ),
        ),
    ];
    for (provider, body) in responses {
        for client in DIALECTS {
            let response = provider.codec().decode_response(body.as_bytes())?;
            let whole = String::from_utf8(client.codec().encode_response(&response, &context()))?;
            let mut frames = Vec::new();
            let mut encoder = client.codec().encoder(context());
            for event in response.events() {
                encoder.event(&event, &mut frames);
            }
            let events: Vec<&[u8]> = frames.iter().map(|frame| &*frame.data).collect();
            let streamed = String::from_utf8(events.concat())?;
            for text in [whole, streamed] {
                for digits in ["1000000000000000000000", "0.1234567890123456789"] {
                    assert!(text.contains(digits), "{provider} to {client}: {text}");
                }
            }
        }
    }
    Ok(())
}
