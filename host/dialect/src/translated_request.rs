//! A client's request in a provider's dialect, and the way back for its answer.

use bytes::Bytes;

use crate::embed::EmbedRequest;
use crate::ir::{
    Effort, Malformed, Request, ResponseContext, TranslationError, TranslationReport, Warning,
};
use crate::{Dialect, RequestHead, Thinking, Translator, anthropic, gemini};

/// A client's request in a provider's dialect.
#[derive(Clone, Debug)]
pub struct TranslatedRequest {
    /// The body for the provider.
    pub body: Bytes,
    /// What of the request did not come through.
    pub warnings: Vec<Warning>,
    /// How many of these are for the provider's dialect, which has no words for it. The others are for
    /// the client's, which says what no other dialect can.
    pub losses: usize,
    from: Dialect,
    to: Dialect,
    response_kind: ResponseKind,
}

/// What the answer needs to know of the request.
#[derive(Clone, Debug)]
enum ResponseKind {
    Content(Box<ResponseContext>),
    TokenCount,
    Embeddings(Box<EmbedRequest>),
}

/// What is translated: a client's request, and how it came.
#[derive(Clone, Copy, Debug)]
pub struct TranslationInput<'a> {
    /// The client's dialect.
    pub dialect: Dialect,
    /// Its body.
    pub body: &'a [u8],
    /// What it asks for.
    pub head: &'a RequestHead<'a>,
    /// The provider's name of the model, without a suffix that is told by `thinking`.
    pub model: &'a str,
    /// How hard the model is to think, whatever the body says; none leaves it to the body. Counts and
    /// vectors have nothing of it.
    pub thinking: Option<Thinking>,
    /// The call's id: what made-up ids are made of.
    pub id: &'a str,
    /// When it came, in seconds since the Unix epoch.
    pub created: u64,
}

impl TranslatedRequest {
    /// Translates a request for content.
    ///
    /// # Errors
    /// Why it cannot be said in the other dialect.
    pub fn translate_content(
        source: &TranslationInput<'_>,
        to: Dialect,
    ) -> Result<Self, TranslationError> {
        let mut report = TranslationReport::default();
        let mut decoded = source
            .dialect
            .decode_request(source.body, source.head, &mut report)?;
        // Only the answer repeats it, and it may be most of a small request.
        let echo = std::mem::take(&mut decoded.echo);
        let response_context = ResponseContext {
            echo,
            ..ResponseContext::new(&decoded, source.id, source.created)
        };
        source.model.clone_into(&mut decoded.model);
        if let Some(thinking) = source.thinking {
            decoded.reasoning = thinking.override_reasoning(decoded.reasoning);
        }
        show_reasoning(source.dialect, &mut decoded);
        let client_losses = report.warnings().len();
        let body = to.encode_request(&decoded, &mut report)?;
        Ok(Self {
            body: body.into(),
            losses: report.warnings().len() - client_losses,
            warnings: report.into_warnings(),
            from: source.dialect,
            to,
            response_kind: ResponseKind::Content(Box::new(response_context)),
        })
    }

    /// Translates a request for a count of tokens.
    ///
    /// # Errors
    /// Why it cannot be said in the other dialect, or that this one counts nothing.
    pub fn translate_count(
        source: &TranslationInput<'_>,
        to: Dialect,
    ) -> Result<Self, TranslationError> {
        let mut report = TranslationReport::default();
        let mut decoded = source
            .dialect
            .decode_request(source.body, source.head, &mut report)?;
        source.model.clone_into(&mut decoded.model);
        let body = match to {
            Dialect::AnthropicMessages => anthropic::encode_count_request(&decoded, &mut report)?,
            Dialect::Gemini => gemini::encode_count_request(&decoded, &mut report)?,
            Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiResponses => {
                return Err(TranslationError::new(
                    "",
                    "the provider's dialect counts no tokens",
                ));
            }
        };
        Ok(Self {
            body: body.into(),
            losses: report.warnings().len(),
            warnings: report.into_warnings(),
            from: source.dialect,
            to,
            response_kind: ResponseKind::TokenCount,
        })
    }

    /// Translates a request for vectors.
    ///
    /// # Errors
    /// Why it cannot be said in the other dialect, or that one of the two has no vectors.
    pub fn translate_embeddings(
        source: &TranslationInput<'_>,
        to: Dialect,
    ) -> Result<Self, TranslationError> {
        let mut report = TranslationReport::default();
        let (body, head) = (source.body, source.head);
        let mut decoded = match source.dialect {
            Dialect::Gemini => gemini::embeddings::decode_request(body, head, &mut report)?,
            Dialect::OpenaiChat => {
                crate::openai_chat::embeddings::decode_request(body, head, &mut report)?
            }
            _ => return Err(TranslationError::new("", NO_EMBEDDINGS)),
        };
        source.model.clone_into(&mut decoded.model);
        let body = match to {
            Dialect::Gemini => gemini::embeddings::encode_request(&decoded, &mut report)?,
            Dialect::OpenaiChat => {
                crate::openai_chat::embeddings::encode_request(&decoded, &mut report)
            }
            _ => return Err(TranslationError::new("", NO_EMBEDDINGS)),
        };
        Ok(Self {
            body: body.into(),
            losses: report.warnings().len(),
            warnings: report.into_warnings(),
            from: source.dialect,
            to,
            response_kind: ResponseKind::Embeddings(Box::new(decoded)),
        })
    }

    /// A provider's whole answer, as the client is owed it.
    ///
    /// # Errors
    /// If it is no such answer.
    pub fn translate_response(&self, body: &[u8]) -> Result<Vec<u8>, Malformed> {
        match &self.response_kind {
            ResponseKind::Content(response_context) => {
                let response = self.to.decode_response(body)?;
                Ok(self.from.encode_response(&response, response_context))
            }
            ResponseKind::TokenCount => {
                let count = self.to.decode_count(body);
                let count = count.ok_or(Malformed("it is no count of tokens"))?;
                Ok(self.from.encode_count(count))
            }
            ResponseKind::Embeddings(request) => {
                let response = match self.to {
                    Dialect::Gemini => gemini::embeddings::decode_response(body)?,
                    _ => crate::openai_chat::embeddings::decode_response(body)?,
                };
                Ok(match self.from {
                    Dialect::Gemini => gemini::embeddings::encode_response(&response, request),
                    _ => crate::openai_chat::embeddings::encode_response(&response, request),
                })
            }
        }
    }

    /// Turns a stream of the provider's into the client's; none where nothing is streamed.
    #[must_use]
    pub fn translator(&self) -> Option<Translator> {
        match &self.response_kind {
            ResponseKind::Content(response_context) => {
                let response_context = response_context.as_ref().clone();
                Some(Translator::new(self.to, self.from, response_context))
            }
            ResponseKind::TokenCount | ResponseKind::Embeddings(_) => None,
        }
    }
}

/// Chats have no word for whether thoughts are to be shown: whoever asks for them gets them, as the
/// providers that have thoughts in their chats do (DeepSeek, vLLM, OpenRouter).
fn show_reasoning(from: Dialect, request: &mut Request) {
    if from == Dialect::OpenaiChat
        && let Some(reasoning) = &mut request.reasoning
        && reasoning.effort != Some(Effort::None)
    {
        reasoning.shown.get_or_insert(true);
    }
}

const NO_EMBEDDINGS: &str = "the provider's dialect has no vectors of texts";
