//! The progress of one call: the state of the loops over models, rounds and credentials. Pure.

use std::borrow::Cow;

use jackfield_credential::{Scope, Slot};

use crate::error::{CallError, UpstreamFailure};
use crate::negotiation::TranslationCache;

/// The progress of one call.
pub(crate) struct Progress {
    /// The number of the round, from 1.
    pub(crate) round: u32,
    /// Attempts so far, over all rounds and models.
    pub(crate) attempts: u32,
    /// Credentials that were tried in this round.
    pub(crate) tried: Vec<Slot>,
    /// Credentials whose tokens were refreshed in this call. Once is enough.
    pub(crate) refreshed: Vec<Slot>,
    /// The last failure.
    pub(crate) last: Option<Box<UpstreamFailure>>,
    /// True while all failures of this round were transport errors, which cool no credential.
    pub(crate) only_transport: bool,
    /// Credentials with an incompatible executor.
    pub(crate) incompatible: Vec<Slot>,
    /// Why an executor was incompatible.
    pub(crate) incompatible_error: Option<Box<CallError>>,
    /// The rewritten bodies of the call, for all of its attempts.
    pub(crate) translations: TranslationCache,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            round: 1,
            attempts: 0,
            tried: Vec::new(),
            refreshed: Vec::new(),
            last: None,
            only_transport: true,
            incompatible: Vec::new(),
            incompatible_error: None,
            translations: TranslationCache::default(),
        }
    }

    /// Begins a round, in which every compatible credential may be tried again.
    pub(crate) fn next_round(&mut self) {
        self.round += 1;
        self.tried.clear();
        self.only_transport = true;
    }

    /// Begins with another model: resets everything but the number of attempts and the translations.
    pub(crate) fn next_model(&mut self) {
        *self = Self {
            attempts: self.attempts,
            translations: std::mem::take(&mut self.translations),
            ..Self::new()
        };
    }

    /// The credentials that must not be picked.
    pub(crate) fn excluded(&self) -> Cow<'_, [Slot]> {
        if self.incompatible.is_empty() {
            return Cow::Borrowed(&self.tried);
        }
        Cow::Owned([&self.tried[..], &self.incompatible[..]].concat())
    }

    /// Adds a credential with an incompatible executor. Of several errors the first untranslatable one is
    /// stored, because the client can avoid it.
    pub(crate) fn add_incompatible(&mut self, slot: Slot, error: Box<CallError>) {
        self.incompatible.push(slot);
        let is_untranslatable = |error: &CallError| matches!(error, CallError::Untranslatable(_));
        let known = self.incompatible_error.as_deref();
        if known.is_none_or(|known| is_untranslatable(&error) && !is_untranslatable(known)) {
            self.incompatible_error = Some(error);
        }
    }

    /// Records the failure of an attempt.
    pub(crate) fn record_failure(&mut self, failure: Box<UpstreamFailure>) {
        self.only_transport &= failure.failure.scope == Scope::Transport;
        self.last = Some(failure);
    }

    /// Whether the next attempt counts against the retry budget: the last failure was the provider's or the
    /// transport's, so more attempts could add to an outage.
    pub(crate) fn counts_against_budget(&self) -> bool {
        let scope = self.last.as_ref().map(|last| last.failure.scope);
        matches!(scope, Some(Scope::Provider | Scope::Transport))
    }
}
