//! The world's records: the true state of accounts, what is in progress, what happened, and which
//! promises were broken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::Timestamp;
use jackfield_dispatch::Clock;
use parking_lot::{Mutex, MutexGuard};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::sites::SiteOutage;
use super::windows::Windows;
use crate::stage::EPOCH;

/// Duration of the simulation in milliseconds of virtual time: several long windows with their
/// probes.
pub(super) const DURATION_MS: u64 = 3 * 60 * 60 * 1000;

/// The provider's names of the models. Clients use `m0` and so on.
pub(super) const MODELS: usize = 3;

/// The providers.
pub(super) const PROVIDERS: usize = 3;

/// Maximum number of concurrent requests to the first provider, at the beginning.
const PROVIDER_IN_FLIGHT_MAX: u32 = 12;

/// Lines of the log that are printed with a failure.
const TRACE_LINES_MAX: usize = 60;

/// The world, shared by all actors.
pub(super) struct World {
    pub(super) seed: u64,
    start: Instant,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) rng: SmallRng,
    pub(super) accounts: BTreeMap<String, Account>,
    /// Accounts that the configuration no longer has; it may again.
    pub(super) retired: BTreeMap<String, Account>,
    /// Number of accounts added to the pool so far.
    pub(super) incarnations: u64,
    pub(super) requests: BTreeMap<u64, Request>,
    pub(super) in_flight: [u32; PROVIDERS],
    /// By provider and model.
    pub(super) outages: BTreeMap<(usize, usize), SiteOutage>,
    /// Violations seen by the token endpoint: two concurrent refreshes of one account, or a token
    /// used twice.
    pub(super) refreshing: BTreeSet<(String, u64)>,
    /// Maximum number of concurrent requests to the first provider.
    pub(super) provider_in_flight_max: u32,
    /// True if the configuration disables cooling.
    pub(super) cooling_disabled: bool,
    pub(super) results: u64,
    pub(super) trace: Vec<String>,
    pub(super) violations: Vec<String>,
}

/// The true state of one account.
pub(super) struct Account {
    /// Its number in the pool: results of attempts with another one have no effect.
    pub(super) incarnation: u64,
    pub(super) provider: usize,
    pub(super) models: Vec<usize>,
    pub(super) oauth: bool,
    /// Its phases, by model.
    pub(super) phases: BTreeMap<usize, Vec<Phase>>,
    /// Its secret: `sk-of-<id>-<number>`.
    pub(super) secret: u64,
    /// When the secret expires; never for keys.
    pub(super) expires_at: u64,
    pub(super) refresh_token: u64,
    pub(super) source: Source,
    pub(super) weight: u32,
    pub(super) priority: i32,
    pub(super) in_flight_max: Option<u32>,
    pub(super) cooling_disabled: Option<bool>,
    pub(super) rounds: Option<u32>,
    pub(super) in_flight: u32,
    /// True if the operator has not disabled it.
    pub(super) enabled: bool,
    /// When the operator last changed it.
    pub(super) changed_at: u64,
    /// When it was added to the pool. Earlier attempts were of another account with this name, and have
    /// no effect on this one.
    pub(super) added_at: u64,
    /// Its cooldowns by model; `None` is the account.
    pub(super) windows: BTreeMap<Option<usize>, Windows>,
}

/// What the source of an account defines for its tokens.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub(super) secret: u64,
    pub(super) refresh_token: u64,
    pub(super) expires_at: u64,
}

/// A phase, from a time on.
#[derive(Clone, Copy)]
pub(super) struct Phase {
    pub(super) from: u64,
    pub(super) mode: Mode,
}

/// How a provider responds to requests for an account and a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Healthy,
    /// 429, with a correct retry-after or without one.
    RateLimited {
        has_retry_after: bool,
    },
    /// 500.
    ServerError,
    /// 401 whatever the secret.
    Unauthorized,
    /// 402.
    PaymentRequired,
    /// 404 for the model.
    ModelNotFound,
    /// Refuses connections.
    Unreachable,
    /// Streams end with an error before any content.
    FailsBeforeContent,
    /// Streams end with an error after some content.
    FailsAfterContent,
    /// Empty responses.
    Empty,
    /// Takes longer than every timeout.
    Stalled,
}

/// One request of a client.
#[derive(Default)]
pub(super) struct Request {
    /// The credentials of its attempts, in order.
    pub(super) sent: Vec<String>,
    /// How many of them got a 401 although their account can be refreshed.
    pub(super) stale: usize,
    /// The credentials at which it failed without anything to blame.
    pub(super) failed: BTreeSet<String>,
    /// True if the provider rejected it as invalid.
    pub(super) refused: bool,
    /// True if a stream ended with an error after content.
    pub(super) stream_failed: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            start: Instant::now(),
            state: Mutex::new(State {
                rng: SmallRng::seed_from_u64(seed),
                accounts: BTreeMap::new(),
                retired: BTreeMap::new(),
                incarnations: 0,
                requests: BTreeMap::new(),
                in_flight: [0; PROVIDERS],
                outages: BTreeMap::new(),
                refreshing: BTreeSet::new(),
                provider_in_flight_max: PROVIDER_IN_FLIGHT_MAX,
                cooling_disabled: false,
                results: 0,
                trace: Vec::new(),
                violations: Vec::new(),
            }),
        })
    }

    pub(super) fn clock(&self) -> Clock {
        let start = self.start;
        Clock::new(move || EPOCH + start.elapsed())
    }

    /// Returns the milliseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    /// Converts a time of the host to milliseconds since the beginning.
    pub(super) fn millis(at: Timestamp) -> u64 {
        u64::try_from(at.saturating_since(EPOCH).as_millis()).unwrap()
    }

    pub(super) fn timestamp(ms: u64) -> Timestamp {
        EPOCH + Duration::from_millis(ms)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Returns a random number, determined by the seed.
    pub(super) fn random(&self, range: std::ops::Range<u64>) -> u64 {
        self.lock().rng.random_range(range)
    }

    /// Returns true with this probability, in percent.
    pub(super) fn chance(&self, percent: u32) -> bool {
        self.lock().rng.random_ratio(percent, 100)
    }

    pub(super) fn log(&self, line: &str) {
        let now = self.now();
        self.lock().trace.push(format!("{now:>9} {line}"));
    }

    /// Records a broken promise.
    pub(super) fn report_violation(&self, what: String) {
        self.log(&format!("VIOLATION {what}"));
        self.lock().violations.push(what);
    }

    /// Fails if a promise was broken.
    pub(super) fn assert_no_violations(&self) {
        let state = self.lock();
        let Some(first) = state.violations.first() else {
            return;
        };
        // If a credential is named, print the log of that one only.
        let of = state.accounts.keys().find(|id| first.contains(*id));
        let ours = |line: &&String| of.is_none_or(|id| line.contains(id));
        let mut story: Vec<&String> = state.trace.iter().filter(ours).collect();
        let end = story.iter().position(|line| line.contains("VIOLATION"));
        story.truncate(end.map_or(story.len(), |end| end + 1));
        let story: Vec<&str> = story.iter().map(|line| line.as_str()).collect();
        let story = story[story.len().saturating_sub(TRACE_LINES_MAX)..].join("\n");
        let (seed, violations) = (self.seed, state.violations.join("\n"));
        panic!("seed {seed}:\n{violations}\nwhat came before the first:\n{story}");
    }
}

impl State {
    /// Returns the number of an account that is added to the pool.
    pub(super) fn next_incarnation(&mut self) -> u64 {
        self.incarnations += 1;
        self.incarnations
    }
}

impl Account {
    /// Returns the present phase of a model, and when it ends.
    pub(super) fn mode(&self, model: usize, now: u64) -> (Mode, u64) {
        let phases = self.phases.get(&model).map_or(&[][..], Vec::as_slice);
        let next = phases.partition_point(|phase| phase.from <= now);
        let mode = next.checked_sub(1).and_then(|index| phases.get(index));
        let ends = phases.get(next).map_or(DURATION_MS * 2, |phase| phase.from);
        (mode.map_or(Mode::Healthy, |phase| phase.mode), ends)
    }
}
