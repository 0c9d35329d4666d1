//! What people may know of the pool.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::entry::Live;
use super::{Pool, Quota};
use crate::{
    Availability, Cause, CredentialId, CredentialKind, Health, ModelKey, ProviderName, Timestamp,
    kind,
};

impl Pool {
    /// How every credential stands, ordered by id.
    pub fn status(&self, now: Timestamp) -> Vec<CredentialStatus> {
        let now = self.latest.max(now);
        let live = self.by_id.values();
        let live = live.filter_map(|&slot| self.entries.live(slot));
        live.map(|live| CredentialStatus::of(live, now)).collect()
    }

    /// How one credential stands.
    pub fn get(&self, id: &str, now: Timestamp) -> Option<CredentialStatus> {
        let live = self.entries.live(self.slot(id)?)?;
        Some(CredentialStatus::of(live, self.latest.max(now)))
    }

    /// The provider that serves a name, if there is just one.
    pub fn only_provider(&self, name: &str) -> Option<ProviderName> {
        let index = self.name_index_of(name)?;
        let [only] = &**self.name_indexes.get(index as usize)?.providers() else {
            return None;
        };
        Some(only.clone())
    }

    /// The names that clients may ask for, sorted, without those that only disabled credentials
    /// serve.
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

/// How one credential stands. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialStatus {
    /// Its name.
    pub id: CredentialId,
    /// Whose it is.
    pub provider: ProviderName,
    /// Whether it may be used at all.
    pub enabled: bool,
    /// Its priority.
    pub priority: i32,
    /// Its share among equals.
    pub weight: u32,
    /// What people call it.
    pub label: Option<Arc<str>>,
    /// The prefix of its models' names.
    pub prefix: Option<Arc<str>>,
    /// How it proves who it is.
    pub kind: CredentialKind,
    /// Its own word on cooling; none leaves that to the policy.
    pub disable_cooling: Option<bool>,
    /// How many attempts may be under way at once; none sets no limit.
    pub in_flight_max: Option<u32>,
    /// Attempts under way.
    pub in_flight: u32,
    /// When it was last chosen; none for never.
    pub last_used: Option<Timestamp>,
    /// How the account stands, whatever the model.
    pub account: HealthStatus,
    /// How each model stands, apart from the account. In the credential's own order.
    pub models: Vec<ModelStatus>,
    /// The last failure told, apart from the client's own. A success does not clear it: it has its
    /// time.
    pub last_failure: Option<LastFailure>,
    /// When an attempt last succeeded; none for never.
    pub last_success: Option<Timestamp>,
}

impl CredentialStatus {
    fn of(live: &Live, now: Timestamp) -> Self {
        let credential = &live.credential;
        let models = live.models.iter().map(|model| ModelStatus {
            model: model.key.clone(),
            health: HealthStatus::of(&model.health, now),
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

    /// What the credential as a whole amounts to: derived from its parts whenever somebody asks.
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
            let cause = health.cause.as_ref();
            let of_quota = cause.is_some_and(|cause| {
                matches!(&*cause.kind, kind::QUOTA | kind::RATE_LIMIT) || cause.status == Some(429)
            });
            of_quota && health.availability.until().is_some()
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

    /// The account's and those of all models.
    fn health_statuses(&self) -> impl Iterator<Item = &HealthStatus> {
        let models = self.models.iter().map(|model| &model.health);
        std::iter::once(&self.account).chain(models)
    }

    fn availability(&self, model: &ModelStatus) -> Availability {
        self.account.availability.and(model.health.availability)
    }
}

/// What a credential as a whole amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// In one word.
    pub status: Status,
    /// The failure behind it, if there is one.
    pub message: Option<Arc<Cause>>,
    /// Whether none of its models can be used right now.
    pub unavailable: bool,
    /// If so, when the first may be used again; none if somebody must act first.
    pub next_retry: Option<Timestamp>,
    /// How its quota stands.
    pub quota: QuotaState,
}

/// A credential in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It serves no model, so nothing can be said.
    Unknown,
    /// Nothing is known against it.
    Active,
    /// It waits for somebody to act.
    Pending,
    /// Its tokens are being renewed. The pool does not know of that: the auth manager says so.
    Refreshing,
    /// It failed, and nothing has succeeded since.
    Error,
    /// The operator disabled it.
    Disabled,
}

impl Status {
    /// The word for it in the admin API.
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

/// How a credential's quota stands, by what cools right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaState {
    /// Whether its account or a model of it cools since a quota or a rate limit was reached.
    pub exceeded: bool,
    /// The failure that told so.
    pub reason: Option<Arc<Cause>>,
    /// When the first of them may be used again.
    pub next_recover_at: Option<Timestamp>,
    /// The most windows in a row whose length was guessed.
    pub backoff_level: u32,
}

/// How one model of a credential stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStatus {
    /// The provider's own name of it.
    pub model: ModelKey,
    /// How it stands.
    pub health: HealthStatus,
    /// Failed attempts of the last 32, in thousandths.
    pub error_permille: u16,
    /// Time to the first byte in milliseconds, a moving average; 0 while unknown.
    pub latency_ms: u32,
    /// What the provider last told of its quota.
    pub quota: Quota,
}

/// A health, as seen at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthStatus {
    /// Whether it may be chosen.
    pub availability: Availability,
    /// Windows in a row whose length was guessed.
    pub strikes: u32,
    /// The failure that opened the last window, as long as no success closed it.
    pub cause: Option<Arc<Cause>>,
}

impl HealthStatus {
    fn of(health: &Health, now: Timestamp) -> Self {
        Self {
            availability: health.availability(now),
            strikes: health.strikes(),
            cause: health.cause().map(Arc::clone),
        }
    }
}

/// A failure, and when it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When it was told.
    pub at: Timestamp,
    /// With which model.
    pub model: ModelKey,
    /// What it was.
    pub cause: Arc<Cause>,
}

/// A name that clients may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedName {
    /// The name.
    pub name: Arc<str>,
    /// Who serves it, sorted; at least one.
    pub providers: Arc<[ProviderName]>,
}
