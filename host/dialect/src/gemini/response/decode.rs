//! Reads a provider's whole answer: it is what a stream of one event would be.

use serde_json::Value;

use crate::gemini::stream::reader::StreamDecoder;
use crate::ir::{
    Delta, Event, FinishReason, Malformed, Part, PartStart, ReasoningPart, Response, ToolCall,
};
use crate::stream::LegacyDecoder;

/// Reads a `GenerateContentResponse`.
///
/// # Errors
/// If it is none.
pub(crate) fn decode_response(body: &[u8]) -> Result<Response, Malformed> {
    let value: Value =
        serde_json::from_slice(body).map_err(|_| Malformed("the answer is not JSON"))?;
    let known = ["candidates", "promptFeedback", "usageMetadata"];
    if !known.iter().any(|name| value.get(name).is_some()) {
        return Err(Malformed("the answer is no response object"));
    }
    let mut decoder = StreamDecoder::default();
    let mut events = Vec::new();
    decoder.event("", body, &mut events)?;
    decoder.close(&mut events);
    decoder.finish(&mut events);
    let mut response = Response::default();
    let mut finish = None;
    for event in events {
        match event {
            Event::PartStart(part_start) => response.parts.push(part_from_start(part_start)),
            Event::Delta(delta) => append_delta(response.parts.last_mut(), delta),
            Event::Done | Event::PartEnd => {}
            Event::Error(_) => return Err(Malformed("the answer is an error")),
            Event::Finish(reason) => finish = Some(reason),
            Event::Start { id, model } => (response.id, response.model) = (id, model),
            Event::Usage(usage) => response.usage = Some(usage),
        }
    }
    let calls = response
        .parts
        .iter()
        .any(|part| matches!(part, Part::ToolCall(_)));
    response.finish = finish.unwrap_or(if calls {
        FinishReason::ToolCalls
    } else {
        FinishReason::Stop
    });
    Ok(response)
}

fn part_from_start(part_start: PartStart) -> Part {
    match part_start {
        PartStart::Reasoning { redacted } => Part::Reasoning(ReasoningPart {
            text: String::new(),
            signature: None,
            redacted,
        }),
        PartStart::Refusal => Part::Refusal(String::new()),
        PartStart::Text => Part::text(""),
        PartStart::ToolCall {
            id,
            name,
            signature,
        } => Part::ToolCall(ToolCall {
            id,
            name,
            arguments: String::new(),
            signature,
        }),
        PartStart::Complete(part) => part,
    }
}

fn append_delta(part: Option<&mut Part>, delta: Delta) {
    match (part, delta) {
        (Some(Part::Reasoning(reasoning)), Delta::Reasoning(text)) => {
            reasoning.text.push_str(&text)
        }
        (Some(Part::Reasoning(reasoning)), Delta::Signature(signature)) => {
            reasoning.signature = Some(signature);
        }
        (Some(Part::Refusal(all)), Delta::Refusal(text))
        | (Some(Part::Text { text: all, .. }), Delta::Text(text)) => all.push_str(&text),
        (Some(Part::Text { citations, .. }), Delta::Citation(citation)) => citations.push(citation),
        (Some(Part::ToolCall(call)), Delta::Arguments(text)) => call.arguments.push_str(&text),
        // The decoder makes no other pairs.
        _ => {}
    }
}
