//! The dialect `openai-completions`: text completions, the predecessor of chat completions. A request has a
//! prompt, and the response has the text that follows it. Providers' responses, streams and errors are read
//! by the module of the chat, whose readers accept `text` beside `message` and `delta`.

mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;

use request::{decode_request, encode_request};
use response::encode_response;
use stream::encoder;

use bytes::Bytes;

use crate::codec::{Codec, ModelEntry};
use crate::ir::{
    EventDecoder, EventEncoder, Malformed, Request, Response, ResponseContext, TranslationError,
    TranslationReport,
};
use crate::openai_chat::{
    ERRORS, check_body, decode_model_list, decode_response, decoder, error_kind, observer,
    render_error, render_model, render_model_list, render_stream_error,
};
use crate::stream::Observer;
use crate::thinking::{self, BodyEdit, Thinking};
use crate::traits::Traits;
use crate::{BodyCheck, ErrorBody, ErrorTable, RequestHead};

/// The codec of text completions.
pub(crate) struct OpenaiCompletions;

impl Codec for OpenaiCompletions {
    fn decode_request(
        &self,
        body: &[u8],
        head: &RequestHead<'_>,
        report: &mut TranslationReport,
    ) -> Result<Request, TranslationError> {
        decode_request(body, head, report)
    }

    fn encode_request(
        &self,
        request: &Request,
        traits: &Traits,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError> {
        encode_request(request, traits, report)
    }

    fn edit_thinking(
        &self,
        thinking: Thinking,
        _traits: &Traits,
        _edit: &mut BodyEdit,
        report: &mut TranslationReport,
    ) -> Result<(), TranslationError> {
        if thinking != Thinking::Auto {
            report.warn(
                thinking::SUFFIX_FIELD,
                "changed: text completions have no setting for thinking",
            );
        }
        Ok(())
    }

    fn check_body(&self, body: &[u8]) -> BodyCheck {
        check_body(body)
    }

    fn decode_response(&self, body: &[u8]) -> Result<Response, Malformed> {
        decode_response(body).and_then(Response::check)
    }

    fn encode_response(&self, response: &Response, context: &ResponseContext) -> Vec<u8> {
        encode_response(response, context)
    }

    fn observer(&self) -> Box<dyn Observer> {
        observer()
    }

    fn decoder(&self) -> Box<dyn EventDecoder> {
        decoder()
    }

    fn encoder(&self, context: ResponseContext) -> Box<dyn EventEncoder> {
        encoder(context)
    }

    fn missing_terminator(&self) -> Option<&'static [u8]> {
        Some(b"data: [DONE]\n\n")
    }

    fn error_kind(&self, status: u16) -> (&'static str, Option<&'static str>) {
        error_kind(status)
    }

    fn errors(&self) -> &'static ErrorTable {
        &ERRORS
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        render_error(error)
    }

    fn render_stream_error(&self, error: &ErrorBody<'_>) -> Bytes {
        render_stream_error(error)
    }

    fn render_model(&self, model: &ModelEntry<'_>) -> Bytes {
        render_model(model)
    }

    fn render_model_list(&self, models: &[ModelEntry<'_>]) -> Bytes {
        render_model_list(models)
    }

    fn decode_model_list(&self, body: &[u8]) -> Result<Vec<String>, Malformed> {
        decode_model_list(body)
    }
}
