//! How far one call has come: what the loop over rounds and credentials keeps in mind. Pure.

use std::borrow::Cow;

use jackfield_credential::{Scope, Slot};

use crate::error::{CallError, UpstreamFailure};
use crate::negotiation::TranslationCache;

/// How far a call has come.
pub(crate) struct Progress {
    /// From 1.
    pub(crate) round: u32,
    pub(crate) attempts: u32,
    pub(crate) tried: Vec<Slot>,
    /// Whose tokens were renewed in this call: once is enough.
    pub(crate) refreshed: Vec<Slot>,
    pub(crate) last: Option<Box<UpstreamFailure>>,
    /// Whether every failure of this round was the way's, which cools nobody.
    pub(crate) only_transport: bool,
    /// Whose executors could not even be told the call.
    pub(crate) incompatible: Vec<Slot>,
    /// Why not.
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

    pub(crate) fn next_round(&mut self) {
        self.round += 1;
        self.tried.clear();
        self.only_transport = true;
    }

    /// Resets everything but the attempt counter and the translations.
    pub(crate) fn next_model(&mut self) {
        *self = Self {
            attempts: self.attempts,
            translations: std::mem::take(&mut self.translations),
            ..Self::new()
        };
    }

    /// Whom not to choose.
    pub(crate) fn excluded(&self) -> Cow<'_, [Slot]> {
        if self.incompatible.is_empty() {
            return Cow::Borrowed(&self.tried);
        }
        Cow::Owned([&self.tried[..], &self.incompatible[..]].concat())
    }

    /// Of several reasons the client is told the one that it can do something about.
    pub(crate) fn add_incompatible(&mut self, slot: Slot, error: Box<CallError>) {
        self.incompatible.push(slot);
        let refused = |error: &CallError| matches!(error, CallError::Untranslatable(_));
        let known = self.incompatible_error.as_deref();
        if known.is_none_or(|known| refused(&error) && !refused(known)) {
            self.incompatible_error = Some(error);
        }
    }

    pub(crate) fn record_failure(&mut self, failure: Box<UpstreamFailure>) {
        self.only_transport &= failure.failure.scope == Scope::Transport;
        self.last = Some(failure);
    }

    /// Whether one more attempt would add to an outage: the last failure was not a credential's.
    pub(crate) fn counts_against_budget(&self) -> bool {
        let scope = self.last.as_ref().map(|last| last.failure.scope);
        matches!(scope, Some(Scope::Provider | Scope::Transport))
    }
}
