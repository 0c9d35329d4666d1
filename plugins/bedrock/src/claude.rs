//! Claude's models by `InvokeModel`: the body is that of Claude's API with a few differences (Amazon Bedrock user
//! guide, Anthropic Claude Messages API).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jackfield_plugin::encode::json_string;
use jackfield_plugin::executor::{
    Body, Failure, Frame, HttpRequest, Output, Patch, Payload, Scope, client,
};
use serde::Deserialize;

use crate::errors;
use crate::settings::Settings;

/// Adds the client's body: the model is in the URL, the operation says whether to stream, and the API's version
/// and the betas are members.
pub(crate) fn with_body(mut request: HttpRequest, settings: &Settings) -> HttpRequest {
    let text = str::to_owned;
    let mut patches = vec![
        Patch::Remove(text("/model")),
        // A removal needs a member, and reading whether there is one would cost the instance.
        Patch::Add((text("/stream"), text("true"))),
        Patch::Remove(text("/stream")),
        Patch::Add((text("/anthropic_version"), json_string(VERSION))),
    ];
    // Where none would pass, nothing is read: the plan is then remembered for all clients.
    let of_client = match settings.betas.is_empty() {
        true => Vec::new(),
        false => client::header("anthropic-beta"),
    };
    let betas: Vec<String> = of_client
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|beta| settings.betas.iter().any(|known| known == beta))
        .map(json_string)
        .collect();
    if !betas.is_empty() {
        let list = format!("[{}]", betas.join(","));
        patches.push(Patch::Add((text("/anthropic_beta"), list)));
    }
    request.body = Body::Patched(patches);
    request
}

/// The version of Claude's API on Bedrock.
const VERSION: &str = "bedrock-2023-05-31";

/// Unpacks the events of Claude's API from the messages of Amazon's event stream.
pub(crate) struct ClaudeStream;

/// The payload of a message `chunk` (Amazon Bedrock API reference, `PayloadPart`).
#[derive(Deserialize)]
struct PayloadPart {
    bytes: String,
}

/// The type of an event, which is also its name.
#[derive(Deserialize)]
struct EventType {
    r#type: String,
}

impl ClaudeStream {
    pub(crate) fn push(&mut self, frames: Vec<Frame>) -> Result<Output, Failure> {
        let mut events = Vec::new();
        for frame in frames {
            if let Some(failure) = errors::of_frame(&frame) {
                return Err(failure);
            }
            if frame.name == "chunk" {
                events.push(event(frame.data.as_bytes()).ok_or_else(|| {
                    let message = "the provider sent a chunk that has no event of Claude";
                    Failure::new(Scope::PROVIDER, "transient", message)
                })?);
            }
        }
        Ok(Output::frames(events))
    }
}

fn event(payload: &[u8]) -> Option<Frame> {
    let part: PayloadPart = serde_json::from_slice(payload).ok()?;
    let data = STANDARD.decode(part.bytes).ok()?;
    let event: EventType = serde_json::from_slice(&data).ok()?;
    Some(Frame {
        name: event.r#type,
        data: Payload::Bytes(data),
    })
}
