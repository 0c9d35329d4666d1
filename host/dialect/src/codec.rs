//! What the host needs of a dialect. In this crate [`Dialect::codec`](crate::Dialect::codec) is the only place that
//! asks which dialect it is; everything else calls these methods.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::embed::{EmbedRequest, EmbedResponse};
use crate::foreign_signatures::{SignatureEdit, SignatureMembers};
use crate::ir::{
    EventDecoder, EventEncoder, Malformed, Request, Response, ResponseContext, TranslationError,
    TranslationReport,
};
use crate::json;
use crate::sse;
use crate::stream::Observer;
use crate::thinking::{BodyEdit, Thinking};
use crate::traits::Traits;
use crate::{BodyCheck, ErrorBody, ErrorTable, RequestHead};

/// Reads and writes one dialect.
pub trait Codec: Send + Sync {
    /// Decodes a client's request.
    ///
    /// # Errors
    /// If the request is not valid in this dialect, or needs something that no other dialect has.
    fn decode_request(
        &self,
        body: &[u8],
        head: &RequestHead<'_>,
        report: &mut TranslationReport,
    ) -> Result<Request, TranslationError>;

    /// Encodes a request for a provider that takes what `traits` say. What they change is a warning.
    ///
    /// # Errors
    /// If the dialect cannot express something whose loss would make the response wrong.
    fn encode_request(
        &self,
        request: &Request,
        traits: &Traits,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError>;

    /// Edits a client's request so that it asks for `thinking`, in place of what the body says. `traits` are
    /// those of the provider and the model, without the suffix.
    ///
    /// # Errors
    /// If a member that has to change is not what the dialect documents.
    fn edit_thinking(
        &self,
        thinking: Thinking,
        traits: &Traits,
        edit: &mut BodyEdit,
        report: &mut TranslationReport,
    ) -> Result<(), TranslationError>;

    /// Returns a client's request, changed so that it asks for `thinking`: [`Self::edit_thinking`],
    /// with all other bytes as they were.
    ///
    /// # Errors
    /// As [`Self::edit_thinking`]; and if the body is not a JSON object, or has a member that has to
    /// change twice.
    fn apply_thinking(
        &self,
        thinking: Thinking,
        traits: &Traits,
        body: &Bytes,
        report: &mut TranslationReport,
    ) -> Result<Bytes, TranslationError> {
        let mut edit = BodyEdit::read(body)?;
        self.edit_thinking(thinking, traits, &mut edit, report)?;
        json::apply(body, &edit.into_patches()).map_err(|error| {
            let message = match std::error::Error::source(&error) {
                Some(source) => source.to_string(),
                None => error.to_string(),
            };
            TranslationError::new("", message)
        })
    }

    /// Whether clients of this dialect expect the reasoning in the response if the request asks for
    /// reasoning and does not say whether to show it.
    fn shows_reasoning(&self) -> bool {
        false
    }

    /// Whether requests of this dialect say what to cache.
    fn has_cache_marks(&self) -> bool {
        false
    }

    /// The members that hold signatures, in requests and responses.
    fn signature_members(&self) -> &'static [SignatureMembers] {
        &[]
    }

    /// Whether a model refuses a part whose signature is empty.
    fn refuses_empty_signature(&self, _model: &str) -> bool {
        false
    }

    /// Removes the signatures that the edit drops from a request.
    fn strip_signatures(&self, _root: &RawValue, _edit: &mut SignatureEdit<'_>) {}

    /// Checks a whole response whose status promises success.
    fn check_body(&self, body: &[u8]) -> BodyCheck;

    /// Decodes a provider's whole response.
    ///
    /// # Errors
    /// If it is not a response of this dialect.
    fn decode_response(&self, body: &[u8]) -> Result<Response, Malformed>;

    /// Encodes a whole response for a client.
    fn encode_response(&self, response: &Response, context: &ResponseContext) -> Vec<u8>;

    /// Returns an observer for a stream that is relayed.
    fn observer(&self) -> Box<dyn Observer>;

    /// Returns a decoder for a provider's stream.
    fn decoder(&self) -> Box<dyn EventDecoder>;

    /// Returns an encoder for a client's stream.
    fn encoder(&self, context: ResponseContext) -> Box<dyn EventEncoder>;

    /// The bytes that end a stream in this dialect, for providers that send a finish reason and then
    /// close the connection. `None` if the dialect has no such event, or if it must hold something that
    /// only the provider knows.
    fn missing_terminator(&self) -> Option<&'static [u8]> {
        None
    }

    /// Bytes that keep a silent stream of events alive and that this dialect's clients ignore.
    fn keep_alive(&self) -> &'static [u8] {
        sse::KEEP_ALIVE_COMMENT
    }

    /// The words that this dialect's API uses for an HTTP status: the kind of the error, and its code if
    /// there is one.
    fn error_kind(&self, status: u16) -> (&'static str, Option<&'static str>);

    /// The labels of this dialect's API for every class of errors.
    fn errors(&self) -> &'static ErrorTable;

    /// Renders an error as the body of a response.
    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes;

    /// Renders an error as the last event of a stream.
    fn render_stream_error(&self, error: &ErrorBody<'_>) -> Bytes;

    /// Renders one model, as the API's list of models has it.
    fn render_model(&self, model: &ModelEntry<'_>) -> Bytes;

    /// Renders the list of models, all on one page.
    fn render_model_list(&self, models: &[ModelEntry<'_>]) -> Bytes;

    /// Decodes a provider's list of models: their names. Those that generate no content and return no embeddings are
    /// left out, where the API says so.
    ///
    /// # Errors
    /// If it is no list of models of this API.
    fn decode_model_list(&self, body: &[u8]) -> Result<Vec<String>, Malformed>;

    /// The dialect's format of token counts; `None` if its API does not count tokens.
    fn token_count(&self) -> Option<&'static dyn TokenCount> {
        None
    }

    /// Encodes a token count for a client. OpenAI's APIs count no tokens; their clients get
    /// Anthropic's format.
    fn encode_token_count(&self, tokens: u64) -> Vec<u8> {
        format!(r#"{{"input_tokens":{tokens}}}"#).into_bytes()
    }

    /// The dialect's format of embeddings; `None` if its API has none. OpenAI's belongs to the chat, which
    /// most clients of OpenAI speak.
    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        None
    }
}

/// Writes requests for token counts to a provider, and reads its responses.
pub trait TokenCount: Send + Sync {
    /// Encodes a request for the token count of `request`.
    ///
    /// # Errors
    /// As [`Codec::encode_request`].
    fn encode_request(
        &self,
        request: &Request,
        traits: &Traits,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError>;

    /// Decodes a provider's response; `None` if it holds no count.
    fn decode_response(&self, body: &[u8]) -> Option<u64>;
}

/// Reads and writes the requests and responses of an API for embeddings.
pub trait Embeddings: Send + Sync {
    /// Decodes a client's request.
    ///
    /// # Errors
    /// If the request is not valid, or has something that is no text.
    fn decode_request(
        &self,
        body: &[u8],
        head: &RequestHead<'_>,
        report: &mut TranslationReport,
    ) -> Result<EmbedRequest, TranslationError>;

    /// Encodes a request for a provider.
    ///
    /// # Errors
    /// If there are more texts than the API takes in one request.
    fn encode_request(
        &self,
        request: &EmbedRequest,
        report: &mut TranslationReport,
    ) -> Result<Vec<u8>, TranslationError>;

    /// Decodes a provider's response.
    ///
    /// # Errors
    /// If it holds no embeddings.
    fn decode_response(&self, body: &[u8]) -> Result<EmbedResponse, Malformed>;

    /// Encodes a response for the client that sent `request`.
    fn encode_response(&self, response: &EmbedResponse, request: &EmbedRequest) -> Vec<u8>;
}

/// A model, as lists of models show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelEntry<'a> {
    /// The name that clients use.
    pub name: &'a str,
    /// Who serves it.
    pub owner: &'a str,
    /// When it was created, in seconds since the Unix epoch.
    pub created: u64,
}
