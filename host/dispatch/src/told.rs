//! A call as one executor is told it: in the client's own dialect if the executor accepts that,
//! otherwise translated; and the way back for its answers.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_dialect::interlingua::Refusal;
use jackfield_dialect::{Asked, Dialect, ProviderError, Source, Translated, Usage, Verdict};
use parking_lot::Mutex;

use crate::call::{Call, Framing, Operation};
use crate::classify;
use crate::exchange::Broke;
use crate::port::Descriptor;
use crate::writer::Writer;

/// The translations of one call, each made once however many attempts need it.
#[derive(Default)]
pub(crate) struct Translations(Mutex<Vec<(Target, Made)>>);

type Made = Result<Arc<Translated>, Refusal>;

/// What a call is translated to: a dialect, and the provider's name of the model.
#[derive(PartialEq, Eq)]
struct Target {
    dialect: Dialect,
    model: Arc<str>,
}

/// A call as one executor is told it.
#[derive(Clone)]
pub(crate) struct Told {
    operation: Operation,
    client: Dialect,
    spoken: Dialect,
    /// None where both speak the same.
    translated: Option<Arc<Translated>>,
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
    fn get(&self, target: Target, make: impl FnOnce() -> Result<Translated, Refusal>) -> Made {
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
    /// Tells a call to whoever is described so, with the provider's name of the model. `created` is in
    /// seconds since the Unix epoch.
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
        let (spoken, translated) = if accepts(descriptor, call.dialect) {
            (call.dialect, None)
        } else {
            let (spoken, made) = best(call, (descriptor, model), translations, created)?;
            (spoken, Some(made))
        };
        Ok(Self {
            operation: call.operation,
            client: call.dialect,
            spoken,
            translated,
        })
    }

    /// What the executor and its provider speak.
    pub(crate) fn spoken(&self) -> Dialect {
        self.spoken
    }

    /// The body that the executor is told; none for the client's own.
    pub(crate) fn body(&self) -> Option<&Bytes> {
        self.translated.as_ref().map(|made| &made.body)
    }

    /// What the translation lost.
    pub(crate) fn translated(&self) -> Option<&Translated> {
        self.translated.as_deref()
    }

    /// Whether the provider's bytes are the client's.
    pub(crate) fn is_relayed(&self, framing: Framing) -> bool {
        self.translated.is_none() && framing == Framing::Events
    }

    /// Writes the client's stream.
    pub(crate) fn writer(&self, framing: Framing) -> Writer {
        let made = self.translated.as_deref();
        match made.and_then(Translated::translator) {
            None => Writer::own(self.client, framing),
            Some(translator) => Writer::translated(self.client, translator, framing),
        }
    }

    /// Judges a whole answer, and says it as the client is owed it.
    pub(crate) fn whole(&self, body: Bytes) -> Result<Whole, Broke> {
        let usage = self.judged(&body)?;
        let Some(made) = &self.translated else {
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

fn accepts(descriptor: &Descriptor, dialect: Dialect) -> bool {
    let mut accepted = descriptor.dialects.iter();
    accepted.any(|name| name == dialect.name())
}

/// The translation that loses the least; of those that lose the same, into the dialect that the executor
/// likes best. A provider may speak several, and a member that one of them has no word for, another has.
fn best(
    call: &Call,
    (descriptor, model): (&Descriptor, &Arc<str>),
    translations: &Translations,
    created: u64,
) -> Result<(Dialect, Arc<Translated>), Untold> {
    let mut found: Option<(Dialect, Arc<Translated>)> = None;
    let mut refused = Untold::NoDialect;
    for dialect in targets(call.operation, &descriptor.dialects) {
        let target = Target {
            dialect,
            model: Arc::clone(model),
        };
        match translations.get(target, || translate(call, dialect, model, created)) {
            Ok(made) if made.warnings.is_empty() => return Ok((dialect, made)),
            Ok(made) => {
                let losses = made.warnings.len();
                let fewer = |(_, best): &(_, Arc<Translated>)| losses < best.warnings.len();
                if found.as_ref().is_none_or(fewer) {
                    found = Some((dialect, made));
                }
            }
            Err(refusal) if matches!(refused, Untold::NoDialect) => {
                refused = Untold::Refused(refusal);
            }
            Err(_) => {}
        }
    }
    found.ok_or(refused)
}

/// The dialects that a call can be translated into, the one that the executor likes best first. Text
/// completions are for models that know nothing else: they count only where there is nothing else.
fn targets(operation: Operation, accepted: &[String]) -> Vec<Dialect> {
    let known = accepted.iter().filter_map(|name| Dialect::parse(name));
    let mut targets: Vec<Dialect> = known
        .filter(|dialect| match operation {
            Operation::CountTokens => dialect.counts(),
            Operation::Embed(_) => dialect.embeds(),
            Operation::Generate => true,
        })
        .collect();
    if targets.len() > 1 {
        targets.retain(|dialect| *dialect != Dialect::OpenaiCompletions);
    }
    targets
}

fn translate(call: &Call, to: Dialect, model: &str, created: u64) -> Result<Translated, Refusal> {
    let asked = Asked {
        model: call.model.as_ref().into(),
        stream: call.stream.is_some(),
    };
    let source = Source {
        dialect: call.dialect,
        body: &call.body,
        asked: &asked,
        model,
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
