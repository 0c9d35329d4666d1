//! Writes events as the stream of a text completion.

use serde_json::{Value, json};

use super::completion::{ID, OBJECT, choice, word};
use crate::Usage;
use crate::interlingua::{Delta, Event, EventEncoder, Frame, ResponseContext};
use crate::openai_chat::{frame, print, render_error, told, write_usage};

/// Writes the stream of a text completion: pieces of the text, one piece with the reason for the end, the
/// usage if the client asked for it, `[DONE]`.
#[must_use]
pub fn encoder(owed: ResponseContext) -> Box<dyn EventEncoder> {
    Box::new(Encoder {
        owed,
        usage: None,
        over: false,
    })
}

#[derive(Debug)]
struct Encoder {
    owed: ResponseContext,
    usage: Option<Usage>,
    over: bool,
}

impl EventEncoder for Encoder {
    fn event(&mut self, event: &Event, out: &mut Vec<Frame>) {
        if self.over {
            return;
        }
        match event {
            Event::Delta(Delta::Text(text) | Delta::Refusal(text)) => {
                out.push(self.chunk(&[choice(text, None)], None));
            }
            Event::Finish(finish) => {
                out.push(self.chunk(&[choice("", Some(word(finish)))], None));
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => {
                self.over = true;
                if let (true, Some(usage)) = (self.owed.include_usage, self.usage) {
                    out.push(self.chunk(&[], Some(usage)));
                }
                out.push(frame(b"[DONE]".to_vec()));
            }
            Event::Error(error) => {
                self.over = true;
                out.push(frame(render_error(&told(error)).to_vec()));
            }
            Event::PartStart(_) | Event::Delta(_) | Event::PartEnd | Event::Start { .. } => {}
        }
    }
}

impl Encoder {
    fn chunk(&self, choices: &[Value], usage: Option<Usage>) -> Frame {
        let mut chunk = json!({
            "id": format!("{ID}{}", self.owed.id),
            "object": OBJECT,
            "created": self.owed.created,
            "model": self.owed.model,
            "choices": choices,
        });
        if self.owed.include_usage {
            chunk["usage"] = usage.map_or(Value::Null, write_usage);
        }
        frame(print(&chunk))
    }
}
