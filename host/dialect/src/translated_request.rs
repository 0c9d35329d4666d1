//! Translates a client's request into a provider's dialect, and the response back.

use bytes::Bytes;

use crate::embed::EmbedRequest;
use crate::ir::{
    CallIds, Effort, Malformed, Request, Response, ResponseContext, TranslationError,
    TranslationReport, Warning,
};
use crate::traits::Traits;
use crate::{Dialect, RequestHead, Thinking, Translator};

/// A client's request in a provider's dialect.
#[derive(Clone, Debug)]
pub struct TranslatedRequest {
    /// The body for the provider.
    pub body: Bytes,
    /// What the translation dropped or changed.
    pub warnings: Vec<Warning>,
    /// How many of the warnings are due to the provider's dialect. The others are about members that
    /// only the client's dialect has.
    pub losses: usize,
    from: Dialect,
    to: Dialect,
    response_kind: ResponseKind,
}

/// What the translation of the response needs to know of the request.
#[derive(Clone, Debug)]
enum ResponseKind {
    Content(Box<ResponseContext>),
    TokenCount,
    Embeddings(Box<EmbedRequest>),
}

/// A client's request with its context.
#[derive(Clone, Copy, Debug)]
pub struct TranslationInput<'a> {
    /// The client's dialect.
    pub dialect: Dialect,
    /// The body.
    pub body: &'a [u8],
    /// The head of the request.
    pub head: &'a RequestHead<'a>,
    /// The provider's name of the model, without the suffix that `thinking` was read from.
    pub model: &'a str,
    /// What the provider takes for the model. Ignored for embeddings.
    pub traits: &'a Traits,
    /// How hard the model reasons, in place of what the body says; `None` leaves it to the body.
    /// Ignored for token counts and embeddings.
    pub thinking: Option<Thinking>,
    /// The call's id. Synthesized ids are derived from it.
    pub id: &'a str,
    /// When the call arrived, in seconds since the Unix epoch.
    pub created: u64,
}

impl TranslatedRequest {
    /// Translates a request for content.
    ///
    /// # Errors
    /// If the request is invalid, or the provider's dialect cannot express it.
    pub fn translate_content(
        source: &TranslationInput<'_>,
        to: Dialect,
    ) -> Result<Self, TranslationError> {
        let mut report = TranslationReport::default();
        let (mut decoded, mut response_context) = decode(source, &mut report)?;
        let client_losses = report.warnings().len();
        if !to.codec().has_cache_marks() {
            decoded.drop_cache_marks(&mut report);
        }
        response_context.tool_names = decoded.shape(source.traits, &mut report);
        let body = to
            .codec()
            .encode_request(&decoded, source.traits, &mut report)?;
        Ok(Self {
            body: body.into(),
            losses: report.warnings().len() - client_losses,
            warnings: report.into_warnings(),
            from: source.dialect,
            to,
            response_kind: ResponseKind::Content(Box::new(response_context)),
        })
    }

    /// Reads a request for content in the common form, for an executor that speaks no dialect. It returns the
    /// translation as well, which writes the response for the client, and has the warnings and no body.
    ///
    /// # Errors
    /// If the request is invalid.
    pub fn read_common(source: &TranslationInput<'_>) -> Result<(Request, Self), TranslationError> {
        let mut report = TranslationReport::default();
        let (mut request, response_context) = decode(source, &mut report)?;
        request.drop_signatures_of_others(source.dialect);
        let translation = Self {
            body: Bytes::new(),
            losses: 0,
            warnings: report.into_warnings(),
            from: source.dialect,
            to: source.dialect,
            response_kind: ResponseKind::Content(Box::new(response_context)),
        };
        Ok((request, translation))
    }

    /// Translates a request for a token count.
    ///
    /// # Errors
    /// Why it cannot be said in the other dialect, or that this one counts nothing.
    pub fn translate_count(
        source: &TranslationInput<'_>,
        to: Dialect,
    ) -> Result<Self, TranslationError> {
        let mut report = TranslationReport::default();
        let mut decoded =
            source
                .dialect
                .codec()
                .decode_request(source.body, source.head, &mut report)?;
        source.model.clone_into(&mut decoded.model);
        // They change no count.
        decoded.drop_cache_marks(&mut TranslationReport::default());
        decoded.make_call_ids_unique();
        decoded.settle_tool_results(&mut report);
        // The response has no names.
        decoded.shape(source.traits, &mut report);
        let format = to.codec().token_count();
        let format = format.ok_or_else(|| TranslationError::new("", NO_TOKEN_COUNT))?;
        let body = format.encode_request(&decoded, source.traits, &mut report)?;
        Ok(Self {
            body: body.into(),
            losses: report.warnings().len(),
            warnings: report.into_warnings(),
            from: source.dialect,
            to,
            response_kind: ResponseKind::TokenCount,
        })
    }

    /// Translates a request for embeddings.
    ///
    /// # Errors
    /// Why it cannot be said in the other dialect, or that one of the two dialects has no embeddings.
    pub fn translate_embeddings(
        source: &TranslationInput<'_>,
        to: Dialect,
    ) -> Result<Self, TranslationError> {
        let mut report = TranslationReport::default();
        let formats = source.dialect.codec().embeddings();
        let (from, into) = formats
            .zip(to.codec().embeddings())
            .ok_or_else(|| TranslationError::new("", NO_EMBEDDINGS))?;
        let mut decoded = from.decode_request(source.body, source.head, &mut report)?;
        source.model.clone_into(&mut decoded.model);
        let body = into.encode_request(&decoded, &mut report)?;
        Ok(Self {
            body: body.into(),
            losses: report.warnings().len(),
            warnings: report.into_warnings(),
            from: source.dialect,
            to,
            response_kind: ResponseKind::Embeddings(Box::new(decoded)),
        })
    }

    /// The request as the client sent it, for a response in the client's dialect that must be written in
    /// another form: as a stream, or as a whole.
    #[must_use]
    pub fn same_dialect(source: &TranslationInput<'_>) -> Self {
        let codec = source.dialect.codec();
        let mut report = TranslationReport::default();
        // The request reached the provider, so a member that cannot be decoded is no error here.
        let response_context = match codec.decode_request(source.body, source.head, &mut report) {
            Ok(decoded) => ResponseContext::new(&decoded, source.id, source.created),
            Err(_) => ResponseContext {
                id: source.id.to_owned(),
                created: source.created,
                model: source.head.model.clone().into_owned(),
                include_usage: true,
                ..ResponseContext::default()
            },
        };
        Self {
            body: Bytes::new(),
            warnings: Vec::new(),
            losses: 0,
            from: source.dialect,
            to: source.dialect,
            response_kind: ResponseKind::Content(Box::new(response_context)),
        }
    }

    /// Encodes a response with content for the client; `None` for token counts and embeddings.
    #[must_use]
    pub fn encode_response(&self, mut response: Response) -> Option<Vec<u8>> {
        match &self.response_kind {
            ResponseKind::Content(context) => {
                if self.from != self.to {
                    restore(&mut response, context);
                }
                Some(self.from.codec().encode_response(&response, context))
            }
            ResponseKind::TokenCount | ResponseKind::Embeddings(_) => None,
        }
    }

    /// Translates a provider's whole response into the client's dialect.
    ///
    /// # Errors
    /// If it is not a response of the provider's dialect.
    pub fn translate_response(&self, body: &[u8]) -> Result<Vec<u8>, Malformed> {
        let (client, provider) = (self.from.codec(), self.to.codec());
        match &self.response_kind {
            ResponseKind::Content(context) => {
                let mut response = provider.decode_response(body)?;
                restore(&mut response, context);
                Ok(client.encode_response(&response, context))
            }
            ResponseKind::TokenCount => {
                let format = provider.token_count();
                let count = format.and_then(|format| format.decode_response(body));
                let count = count.ok_or(Malformed("the response is not a token count"))?;
                Ok(client.encode_token_count(count))
            }
            ResponseKind::Embeddings(request) => {
                let formats = client.embeddings().zip(provider.embeddings());
                let (from, into) = formats.ok_or(Malformed(NO_EMBEDDINGS))?;
                let response = into.decode_response(body)?;
                Ok(from.encode_response(&response, request))
            }
        }
    }

    /// Returns a translator for the provider's stream; `None` for token counts and embeddings.
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

/// Decodes a request for content, with the provider's model and what the suffix requests.
fn decode(
    source: &TranslationInput<'_>,
    report: &mut TranslationReport,
) -> Result<(Request, ResponseContext), TranslationError> {
    let codec = source.dialect.codec();
    let mut decoded = codec.decode_request(source.body, source.head, report)?;
    // Only the response needs it, and it may be most of a small request.
    let echo = std::mem::take(&mut decoded.echo);
    // Made before the provider's name of the model is set: responses repeat the client's.
    let response_context = ResponseContext {
        echo,
        ..ResponseContext::new(&decoded, source.id, source.created)
    };
    source.model.clone_into(&mut decoded.model);
    if let Some(thinking) = source.thinking {
        decoded.reasoning = thinking.override_reasoning(decoded.reasoning);
    }
    decoded.make_call_ids_unique();
    decoded.settle_tool_results(report);
    // After the suffix, which may request reasoning that the body does not.
    show_reasoning(source.dialect, &mut decoded);
    Ok((decoded, response_context))
}

/// Gives the calls of a provider's response unique ids, and the names that the client knows.
fn restore(response: &mut Response, context: &ResponseContext) {
    CallIds::new(&context.id).apply(response);
    context.tool_names.apply(response);
}

/// Asks for the reasoning where the client's dialect shows it by default.
fn show_reasoning(from: Dialect, request: &mut Request) {
    if from.codec().shows_reasoning()
        && let Some(reasoning) = &mut request.reasoning
        && reasoning.effort != Some(Effort::None)
    {
        reasoning.shown.get_or_insert(true);
    }
}

const NO_TOKEN_COUNT: &str = "the provider's dialect counts no tokens";
const NO_EMBEDDINGS: &str = "the provider's dialect has no embeddings";
