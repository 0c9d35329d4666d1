//! The other bodies that one call is told in: which, and each made once however many attempts need it.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_credential::split_suffix;
use jackfield_dialect::ir::{TranslationError, TranslationReport, Warning};
use jackfield_dialect::{Dialect, RequestHead, Thinking, TranslatedRequest, TranslationInput};
use parking_lot::Mutex;

use super::NegotiationError;
use crate::call::{Call, Operation};
use crate::limits::TRANSLATED_INLINE_BYTES_MAX;
use crate::port::Descriptor;

/// The other bodies that one call is told in.
#[derive(Default)]
pub(crate) struct TranslationCache(Mutex<Vec<(TranslationTarget, CachedResult)>>);

/// A body, or why there is none.
type CachedResult = Result<Arc<RewrittenBody>, TranslationError>;

/// A body that is not the client's own.
pub(super) enum RewrittenBody {
    /// The client's but for what the model's suffix asks for, and what of that could not be had.
    Patched(Bytes, Vec<Warning>),
    /// In another dialect.
    Translated(TranslatedRequest),
}

impl RewrittenBody {
    /// What of the request did not come through.
    pub(super) fn warnings(&self) -> &[Warning] {
        match self {
            Self::Patched(_, warnings) => warnings,
            Self::Translated(translated) => &translated.warnings,
        }
    }

    /// How much of the request this dialect has no words for.
    fn losses(&self) -> usize {
        match self {
            Self::Patched(_, warnings) => warnings.len(),
            Self::Translated(translated) => translated.losses,
        }
    }
}

/// A provider's model, as a name that it knows and what the suffix asks for. A suffix that asks for
/// nothing is part of the name.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) name: Arc<str>,
    thinking: Option<Thinking>,
}

impl Model {
    pub(super) fn new(requested: &Arc<str>, operation: Operation) -> Self {
        let (base, suffix) = split_suffix(requested);
        let thinking = suffix.and_then(Thinking::parse);
        let name = match thinking {
            Some(_) => Arc::from(base),
            None => Arc::clone(requested),
        };
        // How hard a model is to think is nothing to a count or to vectors.
        let thinking = thinking.filter(|_| operation == Operation::Generate);
        Self { name, thinking }
    }
}

/// What a call is told as.
#[derive(Clone, PartialEq, Eq)]
struct TranslationTarget {
    dialect: Dialect,
    model: Model,
}

impl TranslationCache {
    /// The dialect that a call is told in, and its body if that is not the client's own.
    ///
    /// The client's own dialect if it is accepted. Otherwise the one whose translation loses the least; of
    /// those that lose the same, the one that the executor likes best: a provider may speak several, and
    /// what one of them has no word for, another may say.
    pub(super) async fn best(
        &self,
        call: &Call,
        descriptor: &Descriptor,
        model: &Model,
        created: u64,
    ) -> Result<(Dialect, Option<Arc<RewrittenBody>>), NegotiationError> {
        let own = call.dialect;
        if descriptor.dialects.iter().any(|name| name == own.name()) {
            let rewritten = match model.thinking {
                None => Ok(None),
                Some(_) => self.get(call, own, model, created).await.map(Some),
            };
            return rewritten
                .map(|rewritten| (own, rewritten))
                .map_err(NegotiationError::Untranslatable);
        }
        let mut best: Option<(Dialect, Arc<RewrittenBody>)> = None;
        let mut refused = NegotiationError::NoDialect;
        for dialect in targets(call.operation, &descriptor.dialects) {
            match self.get(call, dialect, model, created).await {
                Ok(rewritten) => {
                    let losses = rewritten.losses();
                    let fewer = |(_, best): &(_, Arc<RewrittenBody>)| losses < best.losses();
                    if best.as_ref().is_none_or(fewer) {
                        best = Some((dialect, rewritten));
                    }
                    if losses == 0 {
                        break;
                    }
                }
                Err(error) if matches!(refused, NegotiationError::NoDialect) => {
                    refused = NegotiationError::Untranslatable(error);
                }
                Err(_) => {}
            }
        }
        let (dialect, rewritten) = best.ok_or(refused)?;
        Ok((dialect, Some(rewritten)))
    }

    /// Forgets them.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }

    async fn get(
        &self,
        call: &Call,
        dialect: Dialect,
        model: &Model,
        created: u64,
    ) -> CachedResult {
        let model = model.clone();
        let target = TranslationTarget { dialect, model };
        let known = |(known, _): &&(TranslationTarget, _)| *known == target;
        if let Some((_, result)) = self.0.lock().iter().find(known) {
            return result.clone();
        }
        // Another attempt of the same call never runs beside this one: nothing is made twice.
        let rewritten = translate_off_thread(call, &target, created)
            .await
            .map(Arc::new);
        self.0.lock().push((target, rewritten.clone()));
        rewritten
    }
}

/// The dialects that a call can be translated into, the one that the executor likes best first. Text
/// completions are for models that know nothing else: they count only where there is nothing else.
fn targets(operation: Operation, accepted: &[String]) -> Vec<Dialect> {
    let known = accepted.iter().filter_map(|name| Dialect::parse(name));
    let mut targets: Vec<Dialect> = known
        .filter(|dialect| match operation {
            Operation::CountTokens => dialect.codec().token_count().is_some(),
            Operation::Embed(_) => dialect.codec().embeddings().is_some(),
            Operation::Generate => true,
        })
        .collect();
    if targets.len() > 1 {
        targets.retain(|dialect| *dialect != Dialect::OpenaiCompletions);
    }
    targets
}

/// Makes a body: here if that is soon done, otherwise where nobody waits for a thread.
async fn translate_off_thread(
    call: &Call,
    target: &TranslationTarget,
    created: u64,
) -> Result<RewrittenBody, TranslationError> {
    if call.body.len() <= TRANSLATED_INLINE_BYTES_MAX {
        return rewrite(call, target, created);
    }
    let (call, target) = (call.clone(), target.clone());
    let rewritten = tokio::task::spawn_blocking(move || rewrite(&call, &target, created)).await;
    rewritten.unwrap_or_else(|_| {
        Err(TranslationError::new(
            "",
            "the host broke off its translation",
        ))
    })
}

fn rewrite(
    call: &Call,
    target: &TranslationTarget,
    created: u64,
) -> Result<RewrittenBody, TranslationError> {
    match target.model.thinking {
        Some(thinking) if target.dialect == call.dialect => {
            patch(call, &target.model.name, thinking)
        }
        _ => translate(call, target, created).map(RewrittenBody::Translated),
    }
}

/// The client's body, asking for what the suffix asks for.
fn patch(call: &Call, model: &str, thinking: Thinking) -> Result<RewrittenBody, TranslationError> {
    let mut report = TranslationReport::default();
    let body = call
        .dialect
        .codec()
        .apply_thinking(thinking, model, &call.body, &mut report)?;
    Ok(RewrittenBody::Patched(body, report.into_warnings()))
}

fn translate(
    call: &Call,
    target: &TranslationTarget,
    created: u64,
) -> Result<TranslatedRequest, TranslationError> {
    let head = RequestHead {
        model: call.model.as_ref().into(),
        stream: call.stream.is_some(),
    };
    let source = TranslationInput {
        dialect: call.dialect,
        body: &call.body,
        head: &head,
        model: &target.model.name,
        thinking: target.model.thinking,
        id: &call.id,
        created,
    };
    match call.operation {
        Operation::CountTokens => TranslatedRequest::translate_count(&source, target.dialect),
        Operation::Embed(_) => TranslatedRequest::translate_embeddings(&source, target.dialect),
        Operation::Generate => TranslatedRequest::translate_content(&source, target.dialect),
    }
}
