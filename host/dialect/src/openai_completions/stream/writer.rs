//! Encodes streams.

use crate::Usage;
use crate::error_class::TranslatedError;
use crate::ir::{Delta, Event, EventEncoder, Frame, ResponseContext};
use crate::json::to_vec;
use crate::openai_chat::{ERRORS, UsageObject, frame, render_error};
use crate::openai_completions::response::encode::{TextChoice, TextCompletion, finish_reason};

/// Returns an encoder for the stream of a text completion: chunks with pieces of the text, a chunk with the
/// finish reason, the usage if the client asked for it, `[DONE]`.
#[must_use]
pub(crate) fn encoder(response_context: ResponseContext) -> Box<dyn EventEncoder> {
    Box::new(CompletionsWriter {
        response_context,
        usage: None,
        ended: false,
    })
}

#[derive(Debug)]
struct CompletionsWriter {
    response_context: ResponseContext,
    usage: Option<Usage>,
    ended: bool,
}

impl EventEncoder for CompletionsWriter {
    fn event(&mut self, event: &Event, out: &mut Vec<Frame>) {
        if self.ended {
            return;
        }
        match event {
            Event::Delta(Delta::Text(text) | Delta::Refusal(text)) => {
                out.push(self.chunk(&[TextChoice::new(text, None)], None));
            }
            Event::Finish(finish) => {
                out.push(self.chunk(&[TextChoice::new("", Some(finish_reason(finish)))], None));
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
                // No `[DONE]` follows, as in `openai_chat::render_stream_error`.
                let translated = TranslatedError::new(&ERRORS, None, error);
                out.push(frame(render_error(&translated.body()).to_vec()));
            }
            Event::PartStart(_) | Event::Delta(_) | Event::PartEnd | Event::Start { .. } => {}
        }
    }
}

impl CompletionsWriter {
    fn chunk(&self, choices: &[TextChoice<'_>], usage: Option<Usage>) -> Frame {
        // If the client asked for the usage, the chunks without it have null.
        let include_usage = self.response_context.include_usage;
        let usage = include_usage.then(|| usage.map(UsageObject::from));
        frame(to_vec(&TextCompletion::new(
            &self.response_context,
            choices,
            usage,
        )))
    }
}
