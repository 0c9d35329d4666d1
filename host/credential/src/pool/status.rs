//! The status of the pool's credentials, for operators.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::entry::{Live, Model};
use super::gate::trial_interval;
use super::{Pool, Quota};
use crate::{
    Availability, Cause, CoolingClass, CredentialId, CredentialKind, Endpoint, Health, ModelKey,
    ProviderName, Timestamp,
};

impl Pool {
    /// Returns the status of every credential, ordered by id.
    pub fn status(&self, now: Timestamp) -> Vec<CredentialStatus> {
        let now = self.latest.max(now);
        self.by_id
            .values()
            .filter_map(|&slot| self.slots.live(slot))
            .map(|live| CredentialStatus::of(live, now))
            .collect()
    }

    /// Returns the status of one credential.
    pub fn get(&self, id: &str, now: Timestamp) -> Option<CredentialStatus> {
        let live = self.slots.live(self.slot(id)?)?;
        Some(CredentialStatus::of(live, self.latest.max(now)))
    }

    /// Returns the provider of a name, if exactly one serves it.
    pub fn only_provider(&self, name: &str) -> Option<ProviderName> {
        let index = self.name_index_of(name)?;
        let [only] = &**self.name_indexes.get(index as usize)?.providers() else {
            return None;
        };
        Some(only.clone())
    }

    /// Returns the names that clients may use, sorted, without those that only disabled
    /// credentials serve.
    pub fn names(&self) -> impl Iterator<Item = ServedName> {
        let indexes = self
            .by_name
            .values()
            .filter_map(|&index| self.name_indexes.get(index as usize));
        let names = indexes.map(|index| ServedName {
            name: Arc::clone(index.name()),
            providers: Arc::clone(index.providers()),
        });
        names.filter(|served| !served.providers.is_empty())
    }
}

/// The status of one credential. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialStatus {
    /// The credential's id.
    pub id: CredentialId,
    /// Its provider.
    pub provider: ProviderName,
    /// False if the operator disabled it.
    pub enabled: bool,
    /// Its priority.
    pub priority: i32,
    /// Its weight.
    pub weight: u32,
    /// Its label.
    pub label: Option<Arc<str>>,
    /// The prefix of its models' names.
    pub prefix: Option<Arc<str>>,
    /// API key or OAuth.
    pub kind: CredentialKind,
    /// Its own setting of `disable_cooling`; `None` leaves it to the policy.
    pub disable_cooling: Option<bool>,
    /// Maximum number of attempts in flight; `None` means no limit.
    pub in_flight_max: Option<u32>,
    /// Attempts in flight.
    pub in_flight: u32,
    /// When it was last chosen; `None` for never.
    pub last_used: Option<Timestamp>,
    /// The health of the account.
    pub account: HealthStatus,
    /// The health of each model without the account's, in the credential's order.
    pub models: Vec<ModelStatus>,
    /// The last failure except client errors. A success does not clear it.
    pub last_failure: Option<LastFailure>,
    /// When an attempt last succeeded; `None` for never.
    pub last_success: Option<Timestamp>,
}

impl CredentialStatus {
    fn of(live: &Live, now: Timestamp) -> Self {
        let credential = &live.credential;
        let models = live.models.iter().map(|model| ModelStatus {
            model: model.key.clone(),
            health: HealthStatus::of(&model.health, now),
            lanes: LaneStatus::of(model, now),
            error_permille: model.stats.error_permille(),
            latency_ms: model.stats.latency_ms(),
            quota: model.quota,
        });
        Self {
            id: credential.id.clone(),
            provider: credential.provider.clone(),
            enabled: credential.enabled,
            priority: credential.priority,
            weight: credential.weight,
            label: credential.label.clone(),
            prefix: credential.prefix.clone(),
            kind: credential.kind,
            disable_cooling: credential.disable_cooling,
            in_flight_max: credential.in_flight_max.map(NonZeroU32::get),
            in_flight: live.in_flight,
            last_used: Some(live.last_used).filter(|&at| at > Timestamp::default()),
            account: HealthStatus::of(&live.account, now),
            models: models.collect(),
            last_failure: live.last_failure.clone(),
            last_success: live.last_success,
        }
    }

    /// Returns the summary of the credential, derived from account and models.
    pub fn aggregate(&self) -> Aggregate {
        let ends: Vec<Availability> = self
            .models
            .iter()
            .map(|model| self.availability(model))
            .collect();
        let unavailable = if ends.is_empty() {
            !self.account.availability.is_available()
        } else {
            ends.iter().all(|end| !end.is_available())
        };
        let next_retry = match ends.is_empty() {
            true => self.account.availability.until(),
            false => ends.iter().filter_map(|end| end.until()).min(),
        };
        let cause = self
            .health_statuses()
            .find_map(|health| health.cause.clone());
        Aggregate {
            status: self.overall_status(cause.is_some()),
            message: cause,
            unavailable,
            next_retry: next_retry.filter(|_| unavailable),
            quota: self.quota(),
        }
    }

    fn overall_status(&self, failed: bool) -> Status {
        if !self.enabled {
            Status::Disabled
        } else if self.account.availability == Availability::Barred {
            Status::Pending
        } else if failed {
            Status::Error
        } else if self.models.is_empty() {
            Status::Unknown
        } else {
            Status::Active
        }
    }

    fn quota(&self) -> QuotaState {
        let used_up = |health: &&HealthStatus| {
            health.class == Some(CoolingClass::Limit) && health.availability.until().is_some()
        };
        let used_up: Vec<&HealthStatus> = self.health_statuses().filter(used_up).collect();
        let ends = used_up
            .iter()
            .filter_map(|health| health.availability.until());
        QuotaState {
            exceeded: !used_up.is_empty(),
            reason: used_up.iter().find_map(|health| health.cause.clone()),
            next_recover_at: ends.min(),
            backoff_level: used_up
                .iter()
                .map(|health| health.strikes)
                .max()
                .unwrap_or(0),
        }
    }

    /// True if the provider has refused the secret three times in a row, without a success: it looks
    /// revoked.
    pub fn looks_revoked(&self) -> bool {
        let refused = |health: &HealthStatus| {
            health.class == Some(CoolingClass::Refused) && health.strikes >= REVOKED_STRIKES
        };
        self.health_statuses().any(refused)
    }

    /// Returns the health of the account, and of all models and lanes.
    fn health_statuses(&self) -> impl Iterator<Item = &HealthStatus> {
        let models = self.models.iter().flat_map(|model| {
            let lanes = model.lanes.iter().map(|lane| &lane.health);
            std::iter::once(&model.health).chain(lanes)
        });
        std::iter::once(&self.account).chain(models)
    }

    fn availability(&self, model: &ModelStatus) -> Availability {
        let mut availability = self.account.availability.and(model.health.availability);
        for lane in model.lanes.iter().filter(|lane| lane.only) {
            availability = availability.and(lane.health.availability);
        }
        availability
    }
}

/// The summary of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The status word.
    pub status: Status,
    /// The failure behind it, if any.
    pub message: Option<Arc<Cause>>,
    /// True if none of its models is available.
    pub unavailable: bool,
    /// If so, when the first one is available again; `None` if the operator must act first.
    pub next_retry: Option<Timestamp>,
    /// The state of its quotas.
    pub quota: QuotaState,
}

/// The status of a credential in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It serves no model.
    Unknown,
    /// No failure since the last success.
    Active,
    /// It is barred: the operator must log in again or reset it.
    Pending,
    /// Its tokens are being refreshed. Only the auth manager sets this.
    Refreshing,
    /// It failed, and nothing has succeeded since.
    Error,
    /// The operator disabled it.
    Disabled,
}

impl Status {
    /// Returns the word used in the admin API.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Refreshing => "refreshing",
            Self::Error => "error",
            Self::Disabled => "disabled",
        }
    }
}

/// The state of a credential's quotas, derived from present cooldowns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaState {
    /// True if the account or a model is cooling because of a quota or a rate limit.
    pub exceeded: bool,
    /// The failure that reported it.
    pub reason: Option<Arc<Cause>>,
    /// When the first of them is available again.
    pub next_recover_at: Option<Timestamp>,
    /// The highest number of consecutive windows whose length was a guess.
    pub backoff_level: u32,
}

/// The status of one model of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStatus {
    /// The provider's name of the model.
    pub model: ModelKey,
    /// Its health with all endpoints: its limits and quotas.
    pub health: HealthStatus,
    /// The health of each endpoint that was used and has failed since its last success.
    pub lanes: Vec<LaneStatus>,
    /// Failed share of the last 32 attempts, in thousandths.
    pub error_permille: u16,
    /// Moving average of the time to the first byte, in milliseconds; 0 if unknown.
    pub latency_ms: u32,
    /// The quota that the provider last reported.
    pub quota: Quota,
}

impl ModelStatus {
    /// Returns the health that operators see of the model: its own, or that of the endpoint that
    /// cools longest, or has failed.
    pub fn worst(&self) -> &HealthStatus {
        let lanes = self.lanes.iter().map(|lane| &lane.health);
        let all = std::iter::once(&self.health).chain(lanes);
        let rank = |health: &&HealthStatus| (health.availability.until(), health.cause.is_some());
        // Of equal ones the model's own, which comes first.
        let first = |one, other| match rank(&other) > rank(&one) {
            true => other,
            false => one,
        };
        all.reduce(first).unwrap_or(&self.health)
    }
}

/// The status of one endpoint of a model of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStatus {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its health.
    pub health: HealthStatus,
    /// True if no other endpoint of the model was used, as far as is known: then it speaks for the
    /// model.
    pub only: bool,
}

impl LaneStatus {
    fn of(model: &Model, now: Timestamp) -> Vec<Self> {
        let failed = model.lanes.iter();
        let failed = failed.filter(|lane| *lane.health() != Health::Ready);
        let all = model.lanes.len();
        let status = failed.map(|lane| Self {
            endpoint: lane.endpoint,
            health: HealthStatus::of(lane.health(), now),
            only: all == 1,
        });
        status.collect()
    }
}

/// A health at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthStatus {
    /// Whether it may be used.
    pub availability: Availability,
    /// Consecutive windows of one class whose length was a guess.
    pub strikes: u32,
    /// The class of the last window, unless a success closed it.
    pub class: Option<CoolingClass>,
    /// True if the length of the last window is the provider's hint.
    pub hint: bool,
    /// When a call may find out, at the earliest, whether an open window is still needed: as a trial
    /// while nothing else is available, or as a probe.
    pub trial_at: Option<Timestamp>,
    /// The failure that opened the last window, unless a success closed it.
    pub cause: Option<Arc<Cause>>,
}

impl HealthStatus {
    /// Returns the status of a health at a moment.
    pub fn of(health: &Health, now: Timestamp) -> Self {
        Self {
            trial_at: trial_at(health, now),
            availability: health.availability(now),
            strikes: health.strikes(),
            class: health.window().map(|window| window.class),
            hint: health.window().is_some_and(|window| window.hint),
            cause: health.cause().map(Arc::clone),
        }
    }
}

fn trial_at(health: &Health, now: Timestamp) -> Option<Timestamp> {
    let Health::Cooling { window, probe_at } = health else {
        return None;
    };
    let trial = (!window.hint).then(|| window.since + trial_interval(window.class));
    let first = trial.into_iter().chain(*probe_at).min();
    first.map(|at| at.max(now)).filter(|&at| at < window.until)
}

/// A failure with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When it was reported.
    pub at: Timestamp,
    /// The model.
    pub model: ModelKey,
    /// The failure.
    pub cause: Arc<Cause>,
}

/// A name that clients may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedName {
    /// The name.
    pub name: Arc<str>,
    /// The providers that serve it, sorted; at least one.
    pub providers: Arc<[ProviderName]>,
}

/// Consecutive windows of a refused secret after which it looks revoked: the third refusal comes
/// 15 seconds after the first or later, so it is no glitch.
const REVOKED_STRIKES: u32 = 3;
