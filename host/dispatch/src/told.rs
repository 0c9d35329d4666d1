//! A call as one executor is told it: in the client's own dialect if the executor accepts that,
//! otherwise translated; and the way back for its answers.

mod translations;

use std::sync::Arc;

use bytes::Bytes;
use jackfield_dialect::interlingua::{Refusal, Warning};
use jackfield_dialect::{Dialect, ProviderError, Translated, Usage, Verdict};

use crate::call::{Call, Framing, Operation};
use crate::classify;
use crate::error::CallError;
use crate::exchange::Broke;
use crate::limits::TRANSLATED_INLINE_BYTES_MAX;
use crate::port::Descriptor;
use crate::writer::Writer;
pub(crate) use translations::Translations;
use translations::{Made, Model};

/// A call as one executor is told it.
#[derive(Clone)]
pub(crate) struct Told {
    operation: Operation,
    client: Dialect,
    spoken: Dialect,
    /// The provider's name of the model.
    model: Arc<str>,
    /// None where it is told the client's own body.
    made: Option<Arc<Made>>,
}

/// Why an executor cannot be told a call. Another may.
#[derive(Debug)]
pub(crate) enum Untold {
    /// It accepts no dialect that this host knows.
    NoDialect,
    /// It does not plan the operation.
    NotPlanned,
    /// Its dialect cannot express the call.
    Refused(Refusal),
}

impl Untold {
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
            (Self::Refused(refusal), _) => CallError::Untranslatable(refusal),
        }
    }
}

/// A whole answer, as the client is owed it.
pub(crate) struct Whole {
    pub(crate) body: Bytes,
    pub(crate) usage: Option<Usage>,
}

impl Whole {
    /// The answer as the only item of an array, where a provider gave it whole that was to stream.
    fn alone(self) -> Self {
        let body = [b"[", &self.body[..], b"]"].concat().into();
        Self { body, ..self }
    }
}

impl Told {
    /// Tells a call to whoever is described so, for a model of the provider's, which may have a suffix.
    /// `created` is in seconds since the Unix epoch.
    pub(crate) async fn new(
        call: &Call,
        (descriptor, model): (&Descriptor, &Arc<str>),
        translations: &Translations,
        created: u64,
    ) -> Result<Self, Untold> {
        let operation = call.operation.name();
        if !descriptor.operations.iter().any(|it| it == operation) {
            return Err(Untold::NotPlanned);
        }
        let model = Model::new(model, call.operation);
        let (spoken, made) = translations.best(call, descriptor, &model, created).await?;
        Ok(Self {
            operation: call.operation,
            client: call.dialect,
            spoken,
            model: model.name,
            made,
        })
    }

    /// What the executor and its provider speak.
    pub(crate) fn spoken(&self) -> Dialect {
        self.spoken
    }

    /// The provider's name of the model.
    pub(crate) fn model(&self) -> &Arc<str> {
        &self.model
    }

    /// The body that the executor is told; none for the client's own.
    pub(crate) fn body(&self) -> Option<&Bytes> {
        self.made.as_deref().map(|made| match made {
            Made::Patched(body, _) => body,
            Made::Translated(translated) => &translated.body,
        })
    }

    /// What of the request did not come through.
    pub(crate) fn warnings(&self) -> &[Warning] {
        self.made.as_deref().map_or(&[], Made::warnings)
    }

    /// The translation; none where both speak the same.
    pub(crate) fn translated(&self) -> Option<&Translated> {
        match self.made.as_deref() {
            Some(Made::Translated(translated)) => Some(translated),
            Some(Made::Patched(..)) | None => None,
        }
    }

    /// Whether the provider's bytes are the client's.
    pub(crate) fn is_relayed(&self, framing: Framing) -> bool {
        self.translated().is_none() && framing == Framing::Events
    }

    /// Writes the client's stream.
    pub(crate) fn writer(&self, framing: Framing) -> Writer {
        match self.translated().and_then(Translated::translator) {
            None => Writer::own(self.client, framing),
            Some(translator) => Writer::translated(self.client, translator, framing),
        }
    }

    /// As [`Self::whole`], or [`Self::streamed`] where a stream is owed; a large translation is made where
    /// nobody waits for a thread.
    pub(crate) async fn told_whole(
        &self,
        body: Bytes,
        stream: Option<Framing>,
    ) -> Result<Whole, Broke> {
        let (told, body_len) = (self.clone(), body.len());
        let tell = move || match stream {
            Some(framing) if told.translated().is_some() => told.streamed(&body, framing),
            Some(Framing::Array) => told.whole(body).map(Whole::alone),
            _ => told.whole(body),
        };
        if self.translated().is_none() || body_len <= TRANSLATED_INLINE_BYTES_MAX {
            return tell();
        }
        let told = tokio::task::spawn_blocking(tell).await;
        told.unwrap_or_else(|_| Err(Broke::useless("the host broke off its translation")))
    }

    /// Judges a whole answer, and says it as the client is owed it.
    pub(crate) fn whole(&self, body: Bytes) -> Result<Whole, Broke> {
        let usage = self.judged(&body)?;
        let Some(made) = self.translated() else {
            return Ok(Whole { body, usage });
        };
        let body = made.answer(&body);
        let body = body.map_err(|error| Broke::useless(&error.to_string()))?;
        Ok(Whole {
            body: body.into(),
            usage,
        })
    }

    /// Writes a whole answer as the stream that the client asked for: its provider did not stream.
    fn streamed(&self, body: &Bytes, framing: Framing) -> Result<Whole, Broke> {
        let usage = self.judged(body)?;
        let answer = self.spoken.decode_answer(body);
        let answer = answer.map_err(|error| Broke::useless(&error.to_string()))?;
        let mut writer = self.writer(framing);
        let mut out = Vec::new();
        writer.whole(&answer, &mut out);
        Ok(Whole {
            body: out.into(),
            usage,
        })
    }

    /// What a whole answer with a good status is worth; what it cost, if it is worth anything.
    fn judged(&self, body: &[u8]) -> Result<Option<Usage>, Broke> {
        let verdict = match self.operation {
            Operation::Generate => self.spoken.read_answer(body),
            Operation::CountTokens | Operation::Embed(_) => plain(body),
        };
        match verdict {
            Verdict::Complete { usage, .. } => Ok(usage),
            Verdict::Error(error) => Err(Broke::Failed(classify::inside(error))),
            Verdict::Empty => Err(Broke::useless("the provider's answer was empty")),
            Verdict::Malformed => Err(Broke::useless(
                "the provider's answer was not what it should be",
            )),
        }
    }
}

/// Judges an answer that is no content: a JSON object that is no error.
fn plain(body: &[u8]) -> Verdict {
    if body.trim_ascii().is_empty() {
        return Verdict::Empty;
    }
    if let Some(error) = ProviderError::read(body) {
        return Verdict::Error(error);
    }
    match serde_json::from_slice::<&serde_json::value::RawValue>(body) {
        Ok(raw) if raw.get().starts_with('{') => Verdict::Complete {
            usage: None,
            finish_reason: None,
        },
        _ => Verdict::Malformed,
    }
}
