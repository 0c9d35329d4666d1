//! A call as one executor is told it: in the client's own dialect if the executor accepts that,
//! otherwise translated; and the way back for its answers.

mod translation_cache;

use std::sync::Arc;

use bytes::Bytes;
use jackfield_dialect::ir::{TranslationError, Warning};
use jackfield_dialect::{BodyCheck, Dialect, ProviderError, TranslatedRequest, Usage};

use crate::call::{Call, Operation, StreamFraming};
use crate::classify;
use crate::error::CallError;
use crate::exchange::StreamError;
use crate::limits::TRANSLATED_INLINE_BYTES_MAX;
use crate::port::Descriptor;
use crate::writer::StreamWriter;
pub(crate) use translation_cache::TranslationCache;
use translation_cache::{Model, RewrittenBody};

/// A call as one executor is told it.
#[derive(Clone)]
pub(crate) struct TranslatedCall {
    operation: Operation,
    client_dialect: Dialect,
    upstream_dialect: Dialect,
    /// The provider's name of the model.
    model: Arc<str>,
    /// None where it is told the client's own body.
    rewritten: Option<Arc<RewrittenBody>>,
}

/// Why an executor cannot be told a call. Another may.
#[derive(Debug)]
pub(crate) enum NegotiationError {
    /// It accepts no dialect that this host knows.
    NoDialect,
    /// It does not plan the operation.
    NotPlanned,
    /// Its dialect cannot express the call.
    Untranslatable(TranslationError),
}

impl NegotiationError {
    /// What the client is told, if nobody else can be told the call.
    pub(crate) fn into_error(self, operation: Operation, executor: &str) -> CallError {
        let executor = executor.to_owned();
        match (self, operation) {
            (Self::NoDialect, Operation::Generate) => CallError::Misconfigured(format!(
                "the executor `{executor}` accepts no dialect that this host can speak to it"
            )),
            (Self::NoDialect | Self::NotPlanned, _) => CallError::NotSupported {
                executor,
                operation: operation.name(),
            },
            (Self::Untranslatable(refusal), _) => CallError::Untranslatable(refusal),
        }
    }
}

/// A whole answer, as the client is owed it.
pub(crate) struct BufferedBody {
    pub(crate) body: Bytes,
    pub(crate) usage: Option<Usage>,
}

impl BufferedBody {
    /// The answer as the only item of an array, where a provider gave it whole that was to stream.
    fn wrap_in_array(self) -> Self {
        let body = [b"[", &self.body[..], b"]"].concat().into();
        Self { body, ..self }
    }
}

impl TranslatedCall {
    /// Tells a call to whoever is described so, for a model of the provider's, which may have a suffix.
    /// `created` is in seconds since the Unix epoch.
    pub(crate) async fn new(
        call: &Call,
        (descriptor, model): (&Descriptor, &Arc<str>),
        translations: &TranslationCache,
        created: u64,
    ) -> Result<Self, NegotiationError> {
        let operation = call.operation.name();
        if !descriptor.operations.iter().any(|it| it == operation) {
            return Err(NegotiationError::NotPlanned);
        }
        let model = Model::new(model, call.operation);
        let (upstream_dialect, rewritten) =
            translations.best(call, descriptor, &model, created).await?;
        Ok(Self {
            operation: call.operation,
            client_dialect: call.dialect,
            upstream_dialect,
            model: model.name,
            rewritten,
        })
    }

    /// What the executor and its provider speak.
    pub(crate) fn upstream_dialect(&self) -> Dialect {
        self.upstream_dialect
    }

    /// The provider's name of the model.
    pub(crate) fn model(&self) -> &Arc<str> {
        &self.model
    }

    /// The body that the executor is told; none for the client's own.
    pub(crate) fn body(&self) -> Option<&Bytes> {
        self.rewritten.as_deref().map(|rewritten| match rewritten {
            RewrittenBody::Patched(body, _) => body,
            RewrittenBody::Translated(translated) => &translated.body,
        })
    }

    /// What of the request did not come through.
    pub(crate) fn warnings(&self) -> &[Warning] {
        self.rewritten
            .as_deref()
            .map_or(&[], RewrittenBody::warnings)
    }

    /// The translation; none where both speak the same.
    pub(crate) fn translated(&self) -> Option<&TranslatedRequest> {
        match self.rewritten.as_deref() {
            Some(RewrittenBody::Translated(translated)) => Some(translated),
            Some(RewrittenBody::Patched(..)) | None => None,
        }
    }

    /// Whether the provider's bytes are the client's.
    pub(crate) fn is_relayed(&self, framing: StreamFraming) -> bool {
        self.translated().is_none() && framing == StreamFraming::Events
    }

    /// Writes the client's stream.
    pub(crate) fn writer(&self, framing: StreamFraming) -> StreamWriter {
        match self.translated().and_then(TranslatedRequest::translator) {
            None => StreamWriter::same_dialect(self.client_dialect, framing),
            Some(translator) => StreamWriter::translated(self.client_dialect, translator, framing),
        }
    }

    /// As [`Self::whole`], or [`Self::translate_as_stream`] where a stream is owed; a large translation is made where
    /// nobody waits for a thread.
    pub(crate) async fn translate_body(
        &self,
        body: Bytes,
        stream: Option<StreamFraming>,
    ) -> Result<BufferedBody, StreamError> {
        let (call, body_len) = (self.clone(), body.len());
        let translate = move || match stream {
            Some(framing) if call.translated().is_some() => {
                call.translate_as_stream(&body, framing)
            }
            Some(StreamFraming::Array) => {
                call.translate_whole(body).map(BufferedBody::wrap_in_array)
            }
            _ => call.translate_whole(body),
        };
        if self.translated().is_none() || body_len <= TRANSLATED_INLINE_BYTES_MAX {
            return translate();
        }
        let translated = tokio::task::spawn_blocking(translate).await;
        translated.unwrap_or_else(|_| {
            Err(StreamError::invalid_response(
                "the host broke off its translation",
            ))
        })
    }

    /// Judges a whole answer, and says it as the client is owed it.
    pub(crate) fn translate_whole(&self, body: Bytes) -> Result<BufferedBody, StreamError> {
        let usage = self.check_body(&body)?;
        let Some(translated) = self.translated() else {
            return Ok(BufferedBody { body, usage });
        };
        let body = translated.translate_response(&body);
        let body = body.map_err(|error| StreamError::invalid_response(&error.to_string()))?;
        Ok(BufferedBody {
            body: body.into(),
            usage,
        })
    }

    /// Writes a whole answer as the stream that the client asked for: its provider did not stream.
    fn translate_as_stream(
        &self,
        body: &Bytes,
        framing: StreamFraming,
    ) -> Result<BufferedBody, StreamError> {
        let usage = self.check_body(body)?;
        let response = self.upstream_dialect.codec().decode_response(body);
        let response =
            response.map_err(|error| StreamError::invalid_response(&error.to_string()))?;
        let mut writer = self.writer(framing);
        let mut out = Vec::new();
        writer.write_whole(&response, &mut out);
        Ok(BufferedBody {
            body: out.into(),
            usage,
        })
    }

    /// What a whole answer with a good status is worth; what it cost, if it is worth anything.
    fn check_body(&self, body: &[u8]) -> Result<Option<Usage>, StreamError> {
        let check = match self.operation {
            Operation::Generate => self.upstream_dialect.codec().check_body(body),
            Operation::CountTokens | Operation::Embed(_) => check_object(body),
        };
        match check {
            BodyCheck::Complete { usage, .. } => Ok(usage),
            BodyCheck::Error(error) => Err(StreamError::Upstream(classify::stream_error(error))),
            BodyCheck::Empty => Err(StreamError::invalid_response(
                "the provider's answer was empty",
            )),
            BodyCheck::Malformed => Err(StreamError::invalid_response(
                "the provider's answer was not what it should be",
            )),
        }
    }
}

/// Judges an answer that is no content: a JSON object that is no error.
fn check_object(body: &[u8]) -> BodyCheck {
    if body.trim_ascii().is_empty() {
        return BodyCheck::Empty;
    }
    if let Some(error) = ProviderError::read(body) {
        return BodyCheck::Error(error);
    }
    match serde_json::from_slice::<&serde_json::value::RawValue>(body) {
        Ok(raw) if raw.get().starts_with('{') => BodyCheck::Complete { usage: None },
        _ => BodyCheck::Malformed,
    }
}
