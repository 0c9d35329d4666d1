//! The dialect `gemini`: Google's Gemini API, version `v1beta`: `models/{model}:generateContent` and its
//! sibling methods. Only the URL has the model, and whether the response is streamed.
//!
//! The format is protobuf JSON. Members are read in camel case and in snake case, and written in camel case
//! (<https://ai.google.dev/api/generate-content>).

mod citations;
mod embeddings;
mod error;
mod media;
mod models;
mod reasoning;
mod request;
mod response;
mod schema_keywords;
mod signatures;
mod stream;
mod token_count;
mod usage;

#[cfg(test)]
mod tests;

use error::{ERRORS, error_kind, render_error, render_stream_error};
use models::{decode_model_list, render_model, render_model_list};
use request::{decode_request, encode_request};
use response::{check_body, decode_response, encode_response};
pub use stream::ArrayWriter;
use stream::{decoder, encoder, observer};

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::codec::{Codec, Embeddings, ModelEntry, TokenCount};
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
const DIALECT: Dialect = Dialect::Gemini;

/// The codec of the Gemini API.
pub(crate) struct Gemini;

impl Codec for Gemini {
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
        reasoning::suffix::edit_thinking(thinking, traits, edit, report)
    }

    fn signature_members(&self) -> &'static [SignatureMembers] {
        &*signatures::MEMBERS
    }

    fn refuses_empty_signature(&self, _model: &str) -> bool {
        true
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

    /// An empty line: Google's SDK for Python takes a comment for JSON (`_iter_response_stream` in
    /// `google/genai/_api_client.py` of googleapis/python-genai).
    fn keep_alive(&self) -> &'static [u8] {
        b"\n"
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

    fn token_count(&self) -> Option<&'static dyn TokenCount> {
        Some(&token_count::GeminiTokenCount)
    }

    fn encode_token_count(&self, tokens: u64) -> Vec<u8> {
        token_count::encode(tokens)
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&embeddings::GeminiEmbeddings)
    }
}
