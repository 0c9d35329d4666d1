//! Generates whole responses, and reduces them to what all of some dialects can express.

use jackfield_dialect::Dialect;
use jackfield_dialect::Usage;
use jackfield_dialect::ir::{FinishReason, Part, ReasoningPart, Response, Signature, ToolCall};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use Dialect::{AnthropicMessages, Gemini, OpenaiChat};

use crate::{CASES, DIALECTS, TestResult, failed, pairs, response_context};

prop_compose! {
    /// Returns a response with reasoning, then a text or a refusal, then calls. The parts are rotated, so
    /// that any of them can be first.
    pub(crate) fn response()(
        reasoning_parts in reasoning_parts(),
        text_or_refusal in option::of((text(), any::<bool>())),
        calls in vec(call(), 0..3),
        finish in 0..6_usize,
        usage in option::of(usage()),
        rotated in any::<Index>(),
    ) -> Response {
        let mut parts: Vec<Part> = reasoning_parts.into_iter().map(Part::Reasoning).collect();
        let called = !calls.is_empty();
        let mut refused = false;
        if let Some((text, refusal)) = text_or_refusal {
            refused = refusal && !called;
            parts.push(if refused { Part::Refusal(text) } else { Part::text(text) });
        }
        for (index, mut call) in calls.into_iter().enumerate() {
            call.id = format!("call_{index}");
            parts.push(Part::ToolCall(call));
        }
        let first = rotated.index(parts.len().max(1));
        parts.rotate_left(first);
        let finish = match finish {
            0 => FinishReason::Length,
            1 => FinishReason::ContentFilter,
            _ if called => FinishReason::ToolCalls,
            _ if refused => FinishReason::Refusal,
            _ => FinishReason::Stop,
        };
        Response { id: "a".to_owned(), model: "m".to_owned(), parts, finish, usage }
    }
}

fn text() -> impl Strategy<Value = String> {
    "[ -~é\n\u{1F600}]{0,12}[a-z]"
}

/// Generates a signature from a provider of one of these dialects.
fn signature(origins: &'static [Dialect]) -> impl Strategy<Value = Signature> {
    (select(origins), "[a-zA-Z0-9]{4,9}").prop_map(|(origin, data)| Signature {
        data: match origin {
            // The id of the reasoning item, then its encrypted content.
            Dialect::OpenaiResponses => format!("rs_{data}\n{data}"),
            _ => data,
        },
        origin,
    })
}

/// Generates reasoning parts. Either all have signatures or none has one, as real providers send them.
fn reasoning_parts() -> impl Strategy<Value = Vec<ReasoningPart>> {
    let signed =
        (text(), signature(&DIALECTS), any::<bool>()).prop_map(|(text, signature, redacted)| {
            ReasoningPart {
                text: if redacted { String::new() } else { text },
                signature: Some(signature),
                redacted,
            }
        });
    let bare = text().prop_map(|text| ReasoningPart {
        text,
        signature: None,
        redacted: false,
    });
    prop_oneof![2 => vec(signed, 0..3), 1 => vec(bare, 1..3)]
}

/// The dialects whose providers sign tool calls.
const CALL_SIGNERS: [Dialect; 2] = [Gemini, OpenaiChat];

fn call() -> impl Strategy<Value = ToolCall> {
    let name = "[a-z][a-z_]{0,8}";
    (name, text(), option::of(signature(&CALL_SIGNERS))).prop_map(|(name, value, signature)| {
        ToolCall {
            id: String::new(),
            name,
            arguments: json!({"a": {"b": [value, 1.5, null]}}).to_string(),
            signature,
        }
    })
}

fn usage() -> impl Strategy<Value = Usage> {
    let quarters = (0..=4_u64, 0..=4_u64, 0..=4_u64);
    (0..9_999_u64, 0..9_999_u64, quarters).prop_map(
        |(input, output, (cached, written, reasoning))| Usage {
            input,
            output,
            cached_input: input * cached / 4,
            cache_write_input: (input - input * cached / 4) * written / 4,
            reasoning: output * reasoning / 4,
        },
    )
}

/// Returns the response reduced to what all of these dialects can express.
pub(crate) fn common(generated: &Response, dialects: &[Dialect]) -> Response {
    let mut response = generated.clone();
    if dialects.contains(&OpenaiChat) {
        // An OpenAI chat message has a fixed order of parts.
        response.parts.sort_by_key(|part| match part {
            Part::Reasoning(_) => 0,
            Part::ToolCall(_) => 2,
            _ => 1,
        });
    }
    if let Some(usage) = &mut response.usage
        && dialects.contains(&Gemini)
    {
        // Google has no count of the tokens written to a cache. They stay a part of the input.
        usage.cache_write_input = 0;
    }
    let refuses = !dialects.contains(&Gemini) && !dialects.contains(&AnthropicMessages);
    for part in &mut response.parts {
        // For an Anthropic client, a call's signature is in a separate reasoning block. Decoding a request
        // joins the two, decoding a response does not.
        if let Part::ToolCall(call) = part
            && dialects.contains(&AnthropicMessages)
        {
            call.signature = None;
        }
        if let Part::Refusal(text) = part
            && !refuses
        {
            *part = Part::text(std::mem::take(text));
        }
    }
    if response.finish == FinishReason::Refusal && !refuses {
        response.finish = FinishReason::Stop;
    }
    if response.finish == FinishReason::ContentFilter && dialects.contains(&AnthropicMessages) {
        response.finish = FinishReason::Length;
    }
    response
}

/// Removes what the encoder sets itself: the id and the model's name. Normalizes the JSON of call arguments.
pub(crate) fn normalize(response: &Response) -> TestResult<Response> {
    let mut response = response.clone();
    response.id.clear();
    response.model.clear();
    // Some dialects require the usage. Their encoders write zeros if it is unknown.
    response.usage = Some(response.usage.unwrap_or_default());
    for part in &mut response.parts {
        // The OpenAI chat decoder gives unsigned reasoning an empty signature, so that clients send the
        // reasoning back to the provider.
        if let Part::Reasoning(reasoning) = part {
            reasoning.signature = reasoning.signature.take().filter(|it| !it.data.is_empty());
        }
        if let Part::ToolCall(call) = part {
            let value: Value = serde_json::from_str(&call.arguments)
                .map_err(|error| failed(&call.arguments, error))?;
            call.arguments = value.to_string();
        }
    }
    response.parts = join_reasoning(std::mem::take(&mut response.parts));
    Ok(response)
}

/// Joins reasoning without a signature with the reasoning part that follows it.
fn join_reasoning(parts: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (Some(Part::Reasoning(before)), Part::Reasoning(reasoning))
                if before.signature.is_none() =>
            {
                before.text.push_str(&reasoning.text);
                before.signature = reasoning.signature;
            }
            (_, part) => joined.push(part),
        }
    }
    joined
}

fn recode_response(dialect: Dialect, response: &Response) -> TestResult<Response> {
    let body = dialect
        .codec()
        .encode_response(response, &response_context());
    dialect
        .codec()
        .decode_response(&body)
        .map_err(|error| failed(dialect, error))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn responses_round_trip(generated in response()) {
        for (first, second) in pairs() {
            let response = common(&generated, &[first, second]);
            let once = recode_response(first, &response)?;
            prop_assert_eq!(normalize(&once)?, normalize(&response)?, "{}", first);
            let back = recode_response(first, &recode_response(second, &once)?)?;
            prop_assert_eq!(normalize(&back)?, normalize(&response)?, "{} via {}", first, second);
        }
    }
}
