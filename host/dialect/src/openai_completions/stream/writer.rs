//! Writes events as the stream of a text completion.

use serde_json::{Value, json};

use crate::Usage;
use crate::ir::{Delta, Event, EventEncoder, Frame, ResponseContext};
use crate::json::to_vec;
use crate::openai_chat::{encode_usage, error_body, frame, render_error};
use crate::openai_completions::response::encode::{ID, OBJECT, choice, finish_reason};

/// Writes the stream of a text completion: pieces of the text, one piece with the reason for the end, the
/// usage if the client asked for it, `[DONE]`.
#[must_use]
pub(crate) fn encoder(response_context: ResponseContext) -> Box<dyn EventEncoder> {
    Box::new(StreamEncoder {
        response_context,
        usage: None,
        ended: false,
    })
}

#[derive(Debug)]
struct StreamEncoder {
    response_context: ResponseContext,
    usage: Option<Usage>,
    ended: bool,
}

impl EventEncoder for StreamEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<Frame>) {
        if self.ended {
            return;
        }
        match event {
            Event::Delta(Delta::Text(text) | Delta::Refusal(text)) => {
                out.push(self.chunk(&[choice(text, None)], None));
            }
            Event::Finish(finish) => {
                out.push(self.chunk(&[choice("", Some(finish_reason(finish)))], None));
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => {
                self.ended = true;
                if let (true, Some(usage)) = (self.response_context.include_usage, self.usage) {
                    out.push(self.chunk(&[], Some(usage)));
                }
                out.push(frame(b"[DONE]".to_vec()));
            }
            Event::Error(error) => {
                self.ended = true;
                out.push(frame(render_error(&error_body(error)).to_vec()));
            }
            Event::PartStart(_) | Event::Delta(_) | Event::PartEnd | Event::Start { .. } => {}
        }
    }
}

impl StreamEncoder {
    fn chunk(&self, choices: &[Value], usage: Option<Usage>) -> Frame {
        let mut chunk = json!({
            "id": format!("{ID}{}", self.response_context.id),
            "object": OBJECT,
            "created": self.response_context.created,
            "model": self.response_context.model,
            "choices": choices,
        });
        if self.response_context.include_usage {
            chunk["usage"] = usage.map_or(Value::Null, encode_usage);
        }
        frame(to_vec(&chunk))
    }
}
