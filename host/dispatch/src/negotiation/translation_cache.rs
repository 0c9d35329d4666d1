//! The rewritten bodies of one call. Each is made once, however many attempts need it.

use std::sync::Arc;

use bytes::Bytes;
use jackfield_credential::split_suffix;
use jackfield_dialect::ir::{TranslationError, TranslationReport, Warning};
use jackfield_dialect::json::count_values;
use jackfield_dialect::traits::{ResolvedTraits, Traits};
use jackfield_dialect::{Dialect, RequestHead, Thinking, TranslatedRequest, TranslationInput};

use crate::call::{Call, Operation};
use crate::large_body;
use crate::limits::TRANSLATED_VALUES_MAX;

/// The rewritten bodies of one call, by dialect and model. Failures are cached too.
#[derive(Default)]
pub(crate) struct TranslationCache(Vec<CacheEntry>);

struct CacheEntry {
    target: TranslationTarget,
    result: Result<Arc<RewrittenBody>, TranslationError>,
}

/// A body that is not the client's own.
pub(super) enum RewrittenBody {
    /// The client's, with the thinking that the model's suffix requests and without what the provider refuses in its
    /// own dialect, and what of that was lost.
    Patched(Bytes, Vec<Warning>),
    /// In another dialect.
    Translated(TranslatedRequest),
}

impl RewrittenBody {
    /// Returns what of the request was lost.
    pub(super) fn warnings(&self) -> &[Warning] {
        match self {
            Self::Patched(_, warnings) => warnings,
            Self::Translated(translated) => &translated.warnings,
        }
    }

    /// Returns how many parts of the request this dialect cannot express.
    pub(super) fn losses(&self) -> usize {
        match self {
            Self::Patched(_, warnings) => warnings.len(),
            Self::Translated(translated) => translated.losses,
        }
    }
}

/// A model as the provider names it, and the thinking that its suffix requests. A suffix that requests
/// nothing is part of the name.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RequestedModel {
    pub(super) name: Arc<str>,
    thinking: Option<Thinking>,
}

impl RequestedModel {
    pub(super) fn new(requested: &Arc<str>, operation: Operation) -> Self {
        let (base, suffix) = split_suffix(requested);
        let thinking = suffix.and_then(Thinking::parse);
        let name = match thinking {
            Some(_) => Arc::from(base),
            None => Arc::clone(requested),
        };
        // Token counts and embeddings have no thinking to configure.
        let thinking = thinking.filter(|_| operation == Operation::Generate);
        Self { name, thinking }
    }

    /// Returns the thinking that the suffix requests.
    pub(super) fn thinking(&self) -> Option<Thinking> {
        self.thinking
    }

    /// Returns whether the suffix requests thinking.
    pub(super) fn has_thinking(&self) -> bool {
        self.thinking.is_some()
    }
}

/// What a body is rewritten for.
#[derive(Clone, PartialEq)]
pub(super) struct TranslationTarget {
    pub(super) dialect: Dialect,
    pub(super) model: RequestedModel,
    pub(super) traits: Arc<ResolvedTraits>,
}

impl TranslationCache {
    /// Returns the body for a target. `created` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// When the dialect cannot express the call.
    pub(super) async fn get(
        &mut self,
        call: &Arc<Call>,
        target: TranslationTarget,
        created: u64,
    ) -> Result<Arc<RewrittenBody>, TranslationError> {
        if let Some(entry) = self.0.iter().find(|entry| entry.target == target) {
            return entry.result.clone();
        }
        let result = rewrite(call, &target, created).await.map(Arc::new);
        self.0.push(CacheEntry {
            target,
            result: result.clone(),
        });
        result
    }
}

/// Rewrites a body, on the blocking pool if it is large.
async fn rewrite(
    call: &Arc<Call>,
    target: &TranslationTarget,
    created: u64,
) -> Result<RewrittenBody, TranslationError> {
    let bytes = call.body.len();
    if !large_body::is_large(bytes) {
        return rewrite_inline(call, target, created);
    }
    let (call, target) = (Arc::clone(call), target.clone());
    let rewritten = large_body::work_on(bytes, move || {
        let is_translated = target.dialect != call.dialect;
        if is_translated && count_values(&call.body, TRANSLATED_VALUES_MAX) > TRANSLATED_VALUES_MAX
        {
            return Err(TranslationError::new("", TOO_MANY_VALUES));
        }
        rewrite_inline(&call, &target, created)
    })
    .await;
    rewritten.unwrap_or_else(|| {
        Err(TranslationError::new(
            "",
            "the translation failed in the host",
        ))
    })
}

/// The error for a body with more than [`TRANSLATED_VALUES_MAX`] values.
pub(super) const TOO_MANY_VALUES: &str = "the body has more than 524,288 values; that many can only be sent to a provider of the \
                               client's own API";

fn rewrite_inline(
    call: &Call,
    target: &TranslationTarget,
    created: u64,
) -> Result<RewrittenBody, TranslationError> {
    if target.dialect == call.dialect {
        return patch(call, target);
    }
    translate(call, target, created).map(RewrittenBody::Translated)
}

/// Changes single members. All other bytes stay as the client wrote them; a translation would change them.
fn patch(call: &Call, target: &TranslationTarget) -> Result<RewrittenBody, TranslationError> {
    let mut report = TranslationReport::default();
    let mut body = call.body.clone();
    if let Some(thinking) = target.model.thinking {
        let codec = call.dialect.codec();
        body = codec.apply_thinking(thinking, &target.traits.traits, &body, &mut report)?;
    }
    let mut warnings = report.into_warnings();
    if let Some(shaped) = target.traits.traits.shape_relay(call.dialect, &body) {
        body = shaped.body;
        warnings.extend(shaped.warnings);
    }
    Ok(RewrittenBody::Patched(body, warnings))
}

fn translate(
    call: &Call,
    target: &TranslationTarget,
    created: u64,
) -> Result<TranslatedRequest, TranslationError> {
    let head = request_head(call);
    let source = TranslationInput {
        dialect: call.dialect,
        body: &call.body,
        head: &head,
        model: &target.model.name,
        traits: &target.traits.traits,
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

/// Returns the translation that only changes the form of the response.
pub(super) fn same_dialect(call: &Call, model: &str, created: u64) -> TranslatedRequest {
    TranslatedRequest::same_dialect(&TranslationInput {
        dialect: call.dialect,
        body: &call.body,
        head: &request_head(call),
        model,
        traits: &Traits::everything(),
        thinking: None,
        id: &call.id,
        created,
    })
}

pub(super) fn request_head(call: &Call) -> RequestHead<'_> {
    RequestHead {
        model: call.model.as_ref().into(),
        stream: call.stream.is_some(),
    }
}
