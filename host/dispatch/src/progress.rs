//! The progress of one call: the state of the loops over models, rounds and credentials. Pure.

use std::borrow::Cow;
use std::time::Duration;

use jackfield_credential::{Credential, PriorFailure, ProviderName, Scope, Slot};

use crate::error::{CallError, UpstreamFailure};
use crate::negotiation::TranslationCache;

/// The progress of one call.
pub(crate) struct Progress {
    /// The number of the round, from 1. A round begins when a credential that was tried may be tried again.
    pub(crate) round: u32,
    /// The waits for cooldowns so far, in all.
    pub(crate) waited: Duration,
    /// Attempts so far, over all rounds and models.
    pub(crate) attempts: u32,
    /// Credentials that were tried, and that this round does not try again.
    pub(crate) tried: Vec<Slot>,
    /// The credentials that received an attempt of this call for the model.
    counts: Vec<AttemptCount>,
    /// Attempts in this round.
    in_round: u32,
    /// Credentials that this round does not try, because a retry budget refused it.
    pub(crate) refused: Vec<Slot>,
    /// The only credential, if the connection of the call's only attempt failed: it is tried once more.
    pub(crate) repeated: Option<Slot>,
    /// True once a credential was repeated.
    pub(crate) has_repeated: bool,
    /// Credentials whose tokens were refreshed in this call. Once is enough.
    pub(crate) refreshed: Vec<Slot>,
    /// The last failure.
    pub(crate) last: Option<Box<UpstreamFailure>>,
    /// The unattributed failures of this round, in order. The next round does not know them: the windows of sites
    /// that it finds are for it, too.
    pub(crate) unattributed: Vec<PriorFailure>,
    /// True while all failures of this round were transport errors.
    pub(crate) only_transport: bool,
    /// The credentials that cool since they failed.
    cooled: Vec<Slot>,
    /// The providers that received an attempt of this call.
    providers: Vec<TriedProvider>,
    /// Credentials with an incompatible executor.
    pub(crate) incompatible: Vec<Slot>,
    /// Why an executor was incompatible.
    pub(crate) incompatible_error: Option<Box<CallError>>,
    /// The rewritten bodies of the call, for all of its attempts.
    pub(crate) translations: TranslationCache,
}

/// How often a credential was tried: once in each of its rounds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AttemptCount {
    slot: Slot,
    attempts: u32,
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
    pub(crate) fn new(translations: TranslationCache) -> Self {
        Self {
            round: 1,
            waited: Duration::ZERO,
            attempts: 0,
            tried: Vec::new(),
            counts: Vec::new(),
            in_round: 0,
            refused: Vec::new(),
            repeated: None,
            has_repeated: false,
            refreshed: Vec::new(),
            last: None,
            unattributed: Vec::new(),
            only_transport: true,
            cooled: Vec::new(),
            providers: Vec::new(),
            incompatible: Vec::new(),
            incompatible_error: None,
            translations,
        }
    }

    /// Goes on after a wait. If the cooldown of a credential is over that failed in this call, the next
    /// round begins, in which each one that is `available` again may be tried again, as often as there
    /// are rounds. Otherwise the round goes on with the credentials that it has not tried. `rounds` is the
    /// number of rounds of credentials that define none, and `most` the largest number of all.
    pub(crate) fn go_on(&mut self, rounds: u32, most: u32, available: impl Fn(Slot) -> bool) {
        self.refused.clear();
        self.repeated = None;
        let is_back = |slot: Slot| self.has_rounds_left(slot, rounds) && available(slot);
        if !self.cooled.iter().any(|&slot| is_back(slot)) {
            return;
        }
        let (back, tried): (Vec<Slot>, Vec<Slot>) =
            self.tried.iter().partition(|&&slot| is_back(slot));
        self.cooled.retain(|slot| !back.contains(slot));
        self.tried = tried;
        self.round = (self.round + 1).min(most);
        self.clear_round();
    }

    /// Tries the only credential once more in the same round.
    pub(crate) fn repeat(&mut self, slot: Slot) {
        self.repeated = Some(slot);
        self.has_repeated = true;
        self.tried.clear();
        self.counts.clear();
        self.cooled.clear();
        self.refused.clear();
        self.clear_round();
    }

    fn clear_round(&mut self) {
        self.in_round = 0;
        self.unattributed.clear();
        self.only_transport = true;
    }

    /// True if a credential may be tried again; `rounds` is the number of rounds of credentials that define
    /// none.
    fn has_rounds_left(&self, slot: Slot, rounds: u32) -> bool {
        let count = self.counts.iter().find(|one| one.slot == slot);
        count.is_none_or(|one| one.attempts < one.rounds.unwrap_or(rounds))
    }

    /// True if no further credential may be tried in this round, or in the call; `limit` is the most for a
    /// round, and 0 is no limit.
    pub(crate) fn is_full(&self, limit: u32, rounds: u32) -> bool {
        limit != 0 && (self.in_round >= limit || self.is_spent(limit, rounds))
    }

    /// True if no further attempt may be made in the call.
    pub(crate) fn is_spent(&self, limit: u32, rounds: u32) -> bool {
        let attempts: u32 = self.counts.iter().map(|one| one.attempts).sum();
        limit != 0 && attempts >= limit.saturating_mul(rounds)
    }

    /// Begins with another model: resets everything but the number of attempts and the translations.
    pub(crate) fn next_model(&mut self) {
        *self = Self {
            attempts: self.attempts,
            ..Self::new(self.translations.take())
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
    pub(crate) fn begin_attempt(&mut self, credential: &Credential, slot: Slot) {
        let provider = &credential.provider;
        self.tried.push(slot);
        self.in_round += 1;
        match self.counts.iter_mut().find(|one| one.slot == slot) {
            Some(one) => one.attempts += 1,
            None => self.counts.push(AttemptCount {
                slot,
                attempts: 1,
                rounds: credential.rounds,
            }),
        }
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
    pub(crate) fn record_cooldown(&mut self, slot: Slot) {
        self.cooled.push(slot);
    }

    /// The credentials that cool since they failed, and may be tried again; `rounds` is the number of rounds
    /// of credentials that define none.
    pub(crate) fn cooled_for_next_round(&self, rounds: u32) -> impl Iterator<Item = Slot> {
        let cooled = self.cooled.iter().copied();
        cooled.filter(move |&slot| self.has_rounds_left(slot, rounds))
    }

    /// Takes back an attempt that sent nothing, because its executor was incompatible.
    pub(crate) fn take_back(&mut self, slot: Slot) {
        self.tried.retain(|&tried| tried != slot);
        self.in_round = self.in_round.saturating_sub(1);
        if let Some(one) = self.counts.iter_mut().find(|one| one.slot == slot) {
            one.attempts = one.attempts.saturating_sub(1);
        }
    }
}

/// Whether a failure of this scope may be an outage, to which more attempts could add.
pub(crate) fn is_outage(scope: Scope) -> bool {
    matches!(scope, Scope::Provider | Scope::Transport)
}
