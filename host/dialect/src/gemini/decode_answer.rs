//! Reads a provider's whole answer: it is what a stream of one event would be.

use serde_json::Value;

use super::decoder::Decoder;
use crate::interlingua::{
    Answer, Begun, Delta, Event, EventDecoder as _, Finish, Malformed, Part, Thought, ToolCall,
};

/// Reads a `GenerateContentResponse`.
///
/// # Errors
/// If it is none.
pub fn decode_answer(body: &[u8]) -> Result<Answer, Malformed> {
    let value: Value =
        serde_json::from_slice(body).map_err(|_| Malformed("the answer is not JSON"))?;
    let known = ["candidates", "promptFeedback", "usageMetadata"];
    if !known.iter().any(|name| value.get(name).is_some()) {
        return Err(Malformed("the answer is no response object"));
    }
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    decoder.event("", body, &mut events)?;
    decoder.close(&mut events);
    decoder.finish(&mut events);
    let mut answer = Answer::default();
    let mut finish = None;
    for event in events {
        match event {
            Event::Begin(begun) => answer.parts.push(begin(begun)),
            Event::Delta(delta) => extend(answer.parts.last_mut(), delta),
            Event::Done | Event::End => {}
            Event::Error(_) => return Err(Malformed("the answer is an error")),
            Event::Finish(told) => finish = Some(told),
            Event::Start { id, model } => (answer.id, answer.model) = (id, model),
            Event::Usage(usage) => answer.usage = Some(usage),
        }
    }
    let calls = answer
        .parts
        .iter()
        .any(|part| matches!(part, Part::ToolCall(_)));
    answer.finish = finish.unwrap_or(if calls {
        Finish::ToolCalls
    } else {
        Finish::Stop
    });
    Ok(answer)
}

fn begin(begun: Begun) -> Part {
    match begun {
        Begun::Reasoning { redacted } => Part::Reasoning(Thought {
            text: String::new(),
            signature: None,
            redacted,
        }),
        Begun::Refusal => Part::Refusal(String::new()),
        Begun::Text => Part::text(""),
        Begun::ToolCall {
            id,
            name,
            signature,
        } => Part::ToolCall(ToolCall {
            id,
            name,
            arguments: String::new(),
            signature,
        }),
        Begun::Whole(part) => part,
    }
}

fn extend(part: Option<&mut Part>, delta: Delta) {
    match (part, delta) {
        (Some(Part::Reasoning(thought)), Delta::Reasoning(text)) => thought.text.push_str(&text),
        (Some(Part::Reasoning(thought)), Delta::Signature(signature)) => {
            thought.signature = Some(signature);
        }
        (Some(Part::Refusal(all)), Delta::Refusal(text))
        | (Some(Part::Text { text: all, .. }), Delta::Text(text)) => all.push_str(&text),
        (Some(Part::Text { citations, .. }), Delta::Citation(citation)) => citations.push(citation),
        (Some(Part::ToolCall(call)), Delta::Arguments(text)) => call.arguments.push_str(&text),
        // The decoder makes no other pairs.
        _ => {}
    }
}
