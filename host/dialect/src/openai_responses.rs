//! The dialect `openai-responses`: responses, as OpenAI documents them in its API reference
//! (<https://platform.openai.com/docs/api-reference/responses>) and in the types of its own clients.

mod citations;
mod error;
mod media;
mod reasoning;
mod request;
mod response;
mod signatures;
mod stream;
mod tools;
mod usage;

#[cfg(test)]
mod tests;

use error::{ERRORS, error_kind, render_error, render_stream_error};
use request::{decode_request, encode_request};
use response::{check_body, decode_response, encode_response};
use stream::{decoder, encoder, observer};

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::codec::{Codec, ModelEntry};
use crate::foreign_signatures::{SignatureEdit, SignatureMembers};
use crate::ir::{
    EventDecoder, EventEncoder, Malformed, Request, Response, ResponseContext, TranslationError,
    TranslationReport,
};
use crate::openai_chat::{decode_model_list, render_model, render_model_list};
use crate::stream::Observer;
use crate::thinking::{BodyEdit, Thinking};
use crate::traits::Traits;
use crate::{BodyCheck, Dialect, ErrorBody, ErrorTable, RequestHead};

/// The dialect of this module.
const DIALECT: Dialect = Dialect::OpenaiResponses;

/// The codec of responses.
pub(crate) struct OpenaiResponses;

impl Codec for OpenaiResponses {
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
        traits: &Traits,
        edit: &mut BodyEdit,
        report: &mut TranslationReport,
    ) -> Result<(), TranslationError> {
        let effort = thinking.effort(traits, edit, report);
        let word = effort.map(|effort| traits.effort_word(effort).into());
        edit.replace("/reasoning/effort", word)
    }

    fn signature_members(&self) -> &'static [SignatureMembers] {
        &*signatures::MEMBERS
    }

    fn strip_signatures(&self, root: &RawValue, edit: &mut SignatureEdit<'_>) {
        signatures::strip(root, edit);
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
