//! A call as one executor is told it: in the client's own dialect if the executor accepts that,
//! otherwise translated; and the way back for its answers.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_credential::split_suffix;
use jackfield_dialect::interlingua::{Notes, Refusal, Warning};
use jackfield_dialect::{
    Asked, Dialect, ProviderError, Source, Thinking, Translated, Usage, Verdict,
};
use parking_lot::Mutex;

use crate::call::{Call, Framing, Operation};
use crate::classify;
use crate::exchange::Broke;
use crate::port::Descriptor;
use crate::writer::Writer;

/// The other bodies that one call is told in, each made once however many attempts need it.
#[derive(Default)]
pub(crate) struct Translations(Mutex<Vec<(Target, Kept)>>);

type Kept = Result<Arc<Made>, Refusal>;

/// A body that is not the client's own.
enum Made {
    /// The client's but for what the model's suffix asks for, and what of that could not be had.
    Patched(Bytes, Vec<Warning>),
    /// In another dialect.
    Translated(Translated),
}

/// What a call is told as: in a dialect, and for a model with its suffix.
#[derive(PartialEq, Eq)]
struct Target {
    dialect: Dialect,
    model: Arc<str>,
}

/// A provider's model, as a name that it knows and what the suffix asks for. A suffix that asks for
/// nothing is part of the name.
struct Model {
    name: Arc<str>,
    thinking: Option<Thinking>,
}

impl Model {
    fn new(asked: &Arc<str>) -> Self {
        let (base, suffix) = split_suffix(asked);
        let thinking = suffix.and_then(Thinking::parse);
        let name = match thinking {
            Some(_) => Arc::from(base),
            None => Arc::clone(asked),
        };
        Self { name, thinking }
    }
}

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

/// A whole answer, as the client is owed it.
pub(crate) struct Whole {
    pub(crate) body: Bytes,
    pub(crate) usage: Option<Usage>,
}

impl Translations {
    fn get(&self, target: Target, make: impl FnOnce() -> Result<Made, Refusal>) -> Kept {
        // Another attempt of the same call never runs beside this one: nobody waits for the lock.
        let mut made = self.0.lock();
        if let Some((_, result)) = made.iter().find(|(known, _)| *known == target) {
            return result.clone();
        }
        let result = make().map(Arc::new);
        made.push((target, result.clone()));
        result
    }
}

impl Told {
    /// Tells a call to whoever is described so, for a model of the provider's, which may have a suffix.
    /// `created` is in seconds since the Unix epoch.
    pub(crate) fn new(
        call: &Call,
        (descriptor, model): (&Descriptor, &Arc<str>),
        translations: &Translations,
        created: u64,
    ) -> Result<Self, Untold> {
        let operation = call.operation.name();
        if !descriptor.operations.iter().any(|it| it == operation) {
            return Err(Untold::NotPlanned);
        }
        let spoken = spoken(call, &descriptor.dialects).ok_or(Untold::NoDialect)?;
        let Model { name, thinking } = Model::new(model);
        // How hard a model is to think is nothing to a count or to vectors.
        let thinking = thinking.filter(|_| call.operation == Operation::Generate);
        let target = Target {
            dialect: spoken,
            model: Arc::clone(model),
        };
        let made = match thinking {
            None if spoken == call.dialect => None,
            Some(thinking) if spoken == call.dialect => {
                Some(translations.get(target, || patch(call, &name, thinking)))
            }
            thinking => Some(translations.get(target, || {
                translate(call, spoken, (&name, thinking), created).map(Made::Translated)
            })),
        };
        Ok(Self {
            operation: call.operation,
            client: call.dialect,
            spoken,
            model: name,
            made: made.transpose().map_err(Untold::Refused)?,
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
        match self.made.as_deref() {
            None => &[],
            Some(Made::Patched(_, warnings)) => warnings,
            Some(Made::Translated(translated)) => &translated.warnings,
        }
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

    /// Judges a whole answer, and says it as the client is owed it.
    pub(crate) fn whole(&self, body: Bytes) -> Result<Whole, Broke> {
        let usage = self.judged(&body)?;
        let Some(made) = self.translated() else {
            return Ok(Whole { body, usage });
        };
        let body = made.answer(&body);
        let body = body.map_err(|error| useless(&error.to_string()))?;
        Ok(Whole {
            body: body.into(),
            usage,
        })
    }

    /// Writes a whole answer as the stream that the client asked for: its provider did not stream.
    pub(crate) fn streamed(&self, body: &Bytes, framing: Framing) -> Result<Whole, Broke> {
        let usage = self.judged(body)?;
        let answer = self.spoken.decode_answer(body);
        let answer = answer.map_err(|error| useless(&error.to_string()))?;
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
            Verdict::Empty => Err(useless("the provider's answer was empty")),
            Verdict::Malformed => Err(useless("the provider's answer was not what it should be")),
        }
    }
}

/// The dialect to tell a call in: the client's own if it is accepted, otherwise the first that can
/// express the operation.
fn spoken(call: &Call, accepted: &[String]) -> Option<Dialect> {
    let own = call.dialect.name();
    if accepted.iter().any(|name| name == own) {
        return Some(call.dialect);
    }
    let known = accepted.iter().filter_map(|name| Dialect::parse(name));
    let mut able = known.filter(|dialect| match call.operation {
        Operation::Generate => true,
        Operation::CountTokens => dialect.counts(),
        Operation::Embed(_) => dialect.embeds(),
    });
    able.next()
}

/// The client's body, asking for what the suffix asks for.
fn patch(call: &Call, model: &str, thinking: Thinking) -> Result<Made, Refusal> {
    let mut notes = Notes::default();
    let body = thinking.patched(call.dialect, (model, &call.body), &mut notes)?;
    Ok(Made::Patched(body, notes.into_warnings()))
}

fn translate(
    call: &Call,
    to: Dialect,
    (model, thinking): (&str, Option<Thinking>),
    created: u64,
) -> Result<Translated, Refusal> {
    let asked = Asked {
        model: call.model.as_ref().into(),
        stream: call.stream.is_some(),
    };
    let source = Source {
        dialect: call.dialect,
        body: &call.body,
        asked: &asked,
        model,
        thinking,
        id: &call.id,
        created,
    };
    match call.operation {
        Operation::CountTokens => Translated::count(&source, to),
        Operation::Embed(_) => Translated::vectors(&source, to),
        Operation::Generate => Translated::content(&source, to),
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

fn useless(why: &str) -> Broke {
    Broke::Failed(classify::useless(why))
}
