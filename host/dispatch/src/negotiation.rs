//! Negotiates the dialect with an executor: the client's own where the executor accepts it, otherwise
//! the one whose translation loses the least.

mod common_form;
mod signed_body;
mod translation_cache;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use jackfield_dialect::ir::{Request, TranslationError, Warning};
use jackfield_dialect::traits::ResolvedTraits;
use jackfield_dialect::{Dialect, TranslatedRequest};

use crate::call::{Call, Operation};
use crate::error::CallError;
use crate::plan::COMMON_FORM;
use crate::port::Descriptor;
use crate::provider_traits::ProviderTraits;
use crate::signatures::{CleanedBody, SignatureRecorder};
use common_form::CommonCall;
pub(crate) use translation_cache::TranslationCache;
use translation_cache::{RequestedModel, RewrittenBody, TranslationTarget, same_dialect};

/// A call in a dialect and with a body that one executor accepts.
#[derive(Clone)]
pub(crate) struct NegotiatedCall {
    call: Arc<Call>,
    upstream_dialect: Dialect,
    /// The provider's name of the model.
    model: Arc<str>,
    /// `None` where the executor gets the client's own body.
    rewritten: Option<Arc<RewrittenBody>>,
    /// In the common form, whose executors get the client's own body as well.
    common: Option<CommonCall>,
    /// By which the body was rewritten.
    traits: Option<Arc<ResolvedTraits>>,
    /// The same body without signatures that the provider would refuse; `None` if it has none.
    cleaned: Option<Arc<CleanedBody>>,
    recorder: SignatureRecorder,
    /// In seconds since the Unix epoch.
    created: u64,
}

/// Why an executor does not accept a call. Another may.
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
    /// Returns the client's error if no other executor accepts the call.
    pub(crate) fn into_error(self, operation: Operation, executor: &str) -> CallError {
        let executor = executor.to_owned();
        match (self, operation) {
            (Self::NoDialect, Operation::Generate) => CallError::Misconfigured(format!(
                "the executor `{executor}` accepts no dialect that this host supports"
            )),
            (Self::NoDialect | Self::NotPlanned, _) => CallError::NotSupported {
                executor,
                operation: operation.name(),
            },
            (Self::Untranslatable(error), _) => CallError::Untranslatable(error),
        }
    }
}

impl NegotiatedCall {
    /// Picks a dialect from the descriptor and prepares the body, which must still be cleaned of signatures.
    /// `requested_model` is the provider's name of the model and may carry a thinking suffix. `recorder` makes
    /// the recorder of signatures in a dialect. `created` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// When the executor does not plan the operation, or no dialect that it accepts can express the
    /// call.
    pub(crate) async fn new(
        call: &Arc<Call>,
        descriptor: &Descriptor,
        traits: &ProviderTraits,
        requested_model: &Arc<str>,
        cache: &mut TranslationCache,
        recorder: impl FnOnce(Dialect) -> SignatureRecorder,
        created: u64,
    ) -> Result<Self, NegotiationError> {
        let operation = call.operation.name();
        if !descriptor.operations.iter().any(|it| it == operation) {
            return Err(NegotiationError::NotPlanned);
        }
        let model = RequestedModel::new(requested_model, call.operation);
        let target = |dialect| TranslationTarget {
            dialect,
            traits: traits.of(dialect, &model.name),
            model: model.clone(),
        };
        let own = call.dialect;
        let accepted = descriptor.dialects_for(&model.name);
        let accepts = |wanted: &str| accepted.iter().any(|name| name == wanted);
        let accepts_own = accepts(own.name());
        let is_content = call.operation == Operation::Generate;
        let common = (!accepts_own && is_content && accepts(COMMON_FORM))
            .then(|| CommonCall::new(model.thinking()));
        let (upstream_dialect, rewritten) = if common.is_some() {
            (own, None)
        } else if !accepts_own {
            let targets = translation_targets(call.operation, accepted);
            let targets = targets.into_iter().map(target);
            let (dialect, rewritten) = best_translation(call, targets, cache, created).await?;
            (dialect, Some(rewritten))
        } else if model.has_thinking() || shapes_relay(call, traits, &model.name) {
            // Providers do not know the suffix: the body must request the thinking in its own fields. And some refuse
            // what other providers of the same dialect take or give.
            let rewritten = cache.get(call, target(own), created).await;
            (
                own,
                Some(rewritten.map_err(NegotiationError::Untranslatable)?),
            )
        } else {
            (own, None)
        };
        let is_changed = rewritten.is_some();
        Ok(Self {
            call: Arc::clone(call),
            upstream_dialect,
            traits: is_changed.then(|| traits.of(upstream_dialect, &model.name)),
            model: model.name,
            rewritten,
            common,
            cleaned: None,
            recorder: recorder(upstream_dialect),
            created,
        })
    }

    /// Returns the client's call.
    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    /// Whether the executor gets the request in the common form, and its provider speaks no dialect.
    pub(crate) fn is_common(&self) -> bool {
        self.common.is_some()
    }

    /// Returns the name of the dialect for the executor.
    pub(crate) fn dialect_name(&self) -> &'static str {
        match self.common {
            Some(_) => COMMON_FORM,
            None => self.upstream_dialect.name(),
        }
    }

    /// Returns the request in the common form, if the executor gets that.
    pub(crate) fn conversation(&self) -> Option<&Arc<Request>> {
        self.common.as_ref().and_then(CommonCall::request)
    }

    /// Returns the dialect of the executor and its provider; in the common form the client's.
    pub(crate) fn upstream_dialect(&self) -> Dialect {
        self.upstream_dialect
    }

    /// Returns the provider's name of the model.
    pub(crate) fn model(&self) -> &Arc<str> {
        &self.model
    }

    /// Returns the body that the executor gets.
    pub(crate) fn body(&self) -> &Bytes {
        if let Some(cleaned) = &self.cleaned {
            return &cleaned.body;
        }
        match self.rewritten.as_deref() {
            None => &self.call.body,
            Some(RewrittenBody::Patched(body, _)) => body,
            Some(RewrittenBody::Translated(translation)) => &translation.body,
        }
    }

    /// Returns what of the request the executor's dialect could not express, and which signatures were dropped.
    pub(crate) fn warnings(&self) -> &[Warning] {
        if let Some(common) = &self.common {
            return common.warnings();
        }
        if let Some(cleaned) = &self.cleaned {
            return &cleaned.warnings;
        }
        self.rewritten
            .as_deref()
            .map_or(&[], RewrittenBody::warnings)
    }

    /// Returns the rows of traits by which the body was rewritten.
    pub(crate) fn trait_rows(&self) -> &[String] {
        self.traits.as_deref().map_or(&[], |traits| &traits.rows)
    }

    /// Returns the recorder for the signatures of the response.
    pub(crate) fn recorder(&self) -> &SignatureRecorder {
        &self.recorder
    }

    /// Returns the translation of the response of a call for content, for a response in another form than
    /// the requested one. Where client and executor speak the same dialect, it only changes the form.
    pub(crate) fn response_translation(&self) -> Cow<'_, TranslatedRequest> {
        let common = self.common.as_ref().and_then(CommonCall::translation);
        match common.or_else(|| self.translation()) {
            Some(translation) => Cow::Borrowed(translation),
            None => Cow::Owned(same_dialect(&self.call, &self.model, self.created)),
        }
    }

    /// Returns the translation; `None` where client and executor speak the same dialect.
    pub(crate) fn translation(&self) -> Option<&TranslatedRequest> {
        match self.rewritten.as_deref() {
            Some(RewrittenBody::Translated(translation)) => Some(translation),
            Some(RewrittenBody::Patched(..)) | None => None,
        }
    }
}

/// Whether the provider of this model may refuse requests in its own dialect for members that others take.
fn shapes_relay(call: &Call, traits: &ProviderTraits, model: &Arc<str>) -> bool {
    call.operation == Operation::Generate && traits.of(call.dialect, model).traits.shapes_relays()
}

/// Returns the translation that loses the least. Of those that lose the same, the executor's first
/// choice: a provider may speak several dialects, and one may express what another cannot.
async fn best_translation(
    call: &Arc<Call>,
    targets: impl Iterator<Item = TranslationTarget>,
    cache: &mut TranslationCache,
    created: u64,
) -> Result<(Dialect, Arc<RewrittenBody>), NegotiationError> {
    let mut best: Option<(Dialect, Arc<RewrittenBody>)> = None;
    let mut first_error = None;
    for target in targets {
        let dialect = target.dialect;
        match cache.get(call, target, created).await {
            Ok(rewritten) => {
                let losses = rewritten.losses();
                if best.as_ref().is_none_or(|(_, best)| losses < best.losses()) {
                    best = Some((dialect, rewritten));
                }
                if losses == 0 {
                    break;
                }
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    best.ok_or_else(|| {
        first_error.map_or(
            NegotiationError::NoDialect,
            NegotiationError::Untranslatable,
        )
    })
}

/// Returns the dialects that a call can be translated into, the executor's first choice first. Text
/// completions are for models that know nothing else: they count only where there is nothing else.
fn translation_targets(operation: Operation, accepted: &[String]) -> Vec<Dialect> {
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
