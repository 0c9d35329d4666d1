//! The dialect `openai-chat`: OpenAI's chat completions, and the variants of them that other providers
//! send.

mod citations;
pub(crate) mod embeddings;
mod error;
#[cfg(test)]
pub(crate) mod json_strategy;
mod media;
mod models;
mod reasoning;
mod request;
mod response;
mod signatures;
mod stream;
mod tools;
mod usage;

pub(crate) use error::{ERRORS, OpenaiError, codes, error_kind, render_error, render_stream_error};
pub(crate) use models::{decode_model_list, render_model, render_model_list};
use request::{decode_request, encode_request};
use response::encode_response;
pub(crate) use response::{check_body, decode_response};
use stream::encoder;
pub(crate) use stream::{decoder, observer};

// The text completions, OpenAI's older API, use these too.
pub(crate) use request::decode::{decode_sampling, decode_stop, include_usage, reject_multiple};
pub(crate) use request::encode::{encode_sampling, encode_stop};
pub(crate) use stream::writer::frame;
pub(crate) use usage::UsageObject;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::codec::{Codec, Embeddings, ModelEntry};
use crate::foreign_signatures::{SignatureEdit, SignatureMembers};
use crate::ir::{
    EventDecoder, EventEncoder, Malformed, Request, Response, ResponseContext, TranslationError,
    TranslationReport,
};
use crate::stream::Observer;
use crate::thinking::{BodyEdit, Thinking};
use crate::traits::Traits;
use crate::{BodyCheck, Dialect, ErrorBody, ErrorTable, RequestHead};

/// The dialect of this module.
const DIALECT: Dialect = Dialect::OpenaiChat;

/// The codec of chat completions.
pub(crate) struct OpenaiChat;

impl Codec for OpenaiChat {
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
        reasoning::edit_thinking(thinking, traits, edit, report)
    }

    fn shows_reasoning(&self) -> bool {
        // Requests have no member for it. Providers with reasoning in their chats always send it (DeepSeek,
        // vLLM, OpenRouter).
        true
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

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&embeddings::OpenaiEmbeddings)
    }
}
