//! The progress of one call: the state of the loops over models, rounds and credentials. Pure.

use std::borrow::Cow;

use jackfield_credential::{Credential, PriorFailure, ProviderName, Scope, Slot};

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
    /// Credentials that this round does not try, because a retry budget refused it.
    pub(crate) refused: Vec<Slot>,
    /// The only credential, if the connection of the call's only attempt failed: it is tried once more.
    pub(crate) repeated: Option<Slot>,
    /// Credentials whose tokens were refreshed in this call. Once is enough.
    pub(crate) refreshed: Vec<Slot>,
    /// The last failure.
    pub(crate) last: Option<Box<UpstreamFailure>>,
    /// The unattributed failures of this round, in order. The next round does not know them: the windows of sites
    /// that it finds are for it, too.
    pub(crate) unattributed: Vec<PriorFailure>,
    /// True while all failures of this round were transport errors.
    pub(crate) only_transport: bool,
    /// The credentials that cool since they failed in this round.
    pub(crate) cooled: Vec<Cooled>,
    /// The providers that received an attempt of this call.
    providers: Vec<TriedProvider>,
    /// Credentials with an incompatible executor.
    pub(crate) incompatible: Vec<Slot>,
    /// Why an executor was incompatible.
    pub(crate) incompatible_error: Option<Box<CallError>>,
    /// The rewritten bodies of the call, for all of its attempts.
    pub(crate) translations: TranslationCache,
}

/// A credential that failed, and cools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cooled {
    pub(crate) slot: Slot,
    /// The credential's own number of rounds.
    rounds: Option<u32>,
}

/// A provider that received an attempt of the call.
struct TriedProvider {
    name: ProviderName,
    slots: Vec<Slot>,
    /// True if the provider or the way to it failed, so that more attempts could add to an outage.
    failed: bool,
}

/// What an attempt is to its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttemptKind {
    /// The first attempt of the call at the provider.
    First,
    /// One after failures that speak of credentials or models: it adds nothing to an outage.
    Harmless,
    /// One after the provider or the way to it failed, with a credential that was not tried yet.
    OtherCredential,
    /// The same, with a credential that was tried already.
    SameCredential,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            round: 1,
            attempts: 0,
            tried: Vec::new(),
            refused: Vec::new(),
            repeated: None,
            refreshed: Vec::new(),
            last: None,
            unattributed: Vec::new(),
            only_transport: true,
            cooled: Vec::new(),
            providers: Vec::new(),
            incompatible: Vec::new(),
            incompatible_error: None,
            translations: TranslationCache::default(),
        }
    }

    /// Begins a round, in which every compatible credential may be tried again.
    pub(crate) fn next_round(&mut self) {
        self.round += 1;
        self.repeated = None;
        self.clear_round();
    }

    /// Tries the only credential once more in the same round.
    pub(crate) fn repeat(&mut self, slot: Slot) {
        self.repeated = Some(slot);
        self.clear_round();
    }

    fn clear_round(&mut self) {
        self.tried.clear();
        self.refused.clear();
        self.cooled.clear();
        self.unattributed.clear();
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
        if self.incompatible.is_empty() && self.refused.is_empty() {
            return Cow::Borrowed(&self.tried);
        }
        Cow::Owned([&self.tried[..], &self.refused, &self.incompatible].concat())
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

    /// Returns what an attempt with this credential is to its provider.
    pub(crate) fn kind_of_attempt(&self, provider: &ProviderName, slot: Slot) -> AttemptKind {
        match self.providers.iter().find(|one| one.name == *provider) {
            None => AttemptKind::First,
            Some(tried) if !tried.failed => AttemptKind::Harmless,
            Some(tried) if tried.slots.contains(&slot) => AttemptKind::SameCredential,
            Some(_) => AttemptKind::OtherCredential,
        }
    }

    /// Records that an attempt begins.
    pub(crate) fn begin_attempt(&mut self, provider: &ProviderName, slot: Slot) {
        self.tried.push(slot);
        let known = self.providers.iter_mut().find(|one| one.name == *provider);
        match known {
            Some(tried) if tried.slots.contains(&slot) => {}
            Some(tried) => tried.slots.push(slot),
            None => self.providers.push(TriedProvider {
                name: provider.clone(),
                slots: vec![slot],
                failed: false,
            }),
        }
    }

    /// Records the failure of an attempt.
    pub(crate) fn record_failure(
        &mut self,
        provider: &ProviderName,
        slot: Slot,
        failure: Box<UpstreamFailure>,
    ) {
        let scope = failure.failure.scope;
        self.only_transport &= scope == Scope::Transport;
        if is_outage(scope) {
            let mut providers = self.providers.iter_mut();
            if let Some(tried) = providers.find(|one| one.name == *provider) {
                tried.failed = true;
            }
            if failure.failure.sent {
                let status = failure.failure.status;
                self.unattributed.push(PriorFailure { slot, status });
            }
        }
        self.last = Some(failure);
    }

    /// Records that a credential cools since it failed.
    pub(crate) fn record_cooldown(&mut self, slot: Slot, credential: &Credential) {
        self.cooled.push(Cooled {
            slot,
            rounds: credential.rounds,
        });
    }

    /// The credentials that cool since they failed in this round, and take part in the next one;
    /// `rounds` is the number of rounds of credentials that define none.
    pub(crate) fn cooled_for_next_round(&self, rounds: u32) -> impl Iterator<Item = Slot> {
        let next = self.round + 1;
        let takes_part = move |one: &&Cooled| one.rounds.unwrap_or(rounds) >= next;
        self.cooled.iter().filter(takes_part).map(|one| one.slot)
    }
}

/// Whether a failure of this scope may be an outage, to which more attempts could add.
pub(crate) fn is_outage(scope: Scope) -> bool {
    matches!(scope, Scope::Provider | Scope::Transport)
}
