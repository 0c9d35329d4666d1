//! The world's books: accounts as they truly are, what is under way, what happened, and what was wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::Timestamp;
use jackfield_dispatch::Clock;
use parking_lot::{Mutex, MutexGuard};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::oracle::Block;
use crate::stage::EPOCH;

/// How long the world lives, in milliseconds of virtual time: several long windows and their probes.
pub(super) const DURATION_MS: u64 = 3 * 60 * 60 * 1000;

/// The models, by the provider's names. Clients ask for `m0` and so on.
pub(super) const MODELS: usize = 3;

/// The providers.
pub(super) const PROVIDERS: usize = 3;

/// How many requests the first provider may have under way, at the beginning.
const PROVIDER_IN_FLIGHT_MAX: u32 = 12;

/// How much of the story is told with a failure, in lines.
const TRACE_LINES_MAX: usize = 60;

/// The world, shared by all who live in it.
pub(super) struct World {
    pub(super) seed: u64,
    start: Instant,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) rng: SmallRng,
    pub(super) accounts: BTreeMap<String, Account>,
    /// Accounts that the configuration does not name any more; it may again.
    pub(super) retired: BTreeMap<String, Account>,
    /// How many accounts came into the pool.
    pub(super) incarnations: u64,
    pub(super) requests: BTreeMap<u64, Request>,
    pub(super) in_flight: [u32; PROVIDERS],
    /// No two refreshes of one account at once, no token twice: told by the token endpoint.
    pub(super) refreshing: BTreeSet<(String, u64)>,
    /// How many requests the first provider may have under way.
    pub(super) provider_in_flight_max: u32,
    /// Whether guesses cool nothing, by the operator's word for all.
    pub(super) cooling_disabled: bool,
    pub(super) results: u64,
    pub(super) trace: Vec<String>,
    pub(super) violations: Vec<String>,
}

/// One account with a provider, as it truly is.
pub(super) struct Account {
    /// Which of those that came into the pool: what began with another counts no more.
    pub(super) incarnation: u64,
    pub(super) provider: usize,
    pub(super) models: Vec<usize>,
    pub(super) oauth: bool,
    /// What happens to it when, by model.
    pub(super) phases: BTreeMap<usize, Vec<Phase>>,
    /// Its secret: `sk-of-<id>-<number>`.
    pub(super) secret: u64,
    /// When the secret ends; never for keys.
    pub(super) expires_at: u64,
    pub(super) refresh_token: u64,
    pub(super) source: Source,
    pub(super) weight: u32,
    pub(super) priority: i32,
    pub(super) in_flight_max: Option<u32>,
    pub(super) cooling_disabled: Option<bool>,
    pub(super) rounds: Option<u32>,
    pub(super) in_flight: u32,
    /// Whether it may be called, as far as the operator is concerned.
    pub(super) enabled: bool,
    /// When the operator last changed anything of it.
    pub(super) changed_at: u64,
    /// Until when results may come of one that had this name before: they say nothing of this one.
    pub(super) stale_results_until: u64,
    /// By model; none stands for the account.
    pub(super) blocks: BTreeMap<Option<usize>, Block>,
    /// When requests under way began, by model.
    pub(super) began: BTreeMap<usize, Vec<u64>>,
    /// When requests that are over ended and began, by model, the last moment's.
    pub(super) ended: BTreeMap<usize, Vec<(u64, u64)>>,
}

/// What the source of an account says of its tokens.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub(super) secret: u64,
    pub(super) refresh_token: u64,
    pub(super) expires_at: u64,
}

/// From a time on, this happens.
#[derive(Clone, Copy)]
pub(super) struct Phase {
    pub(super) from: u64,
    pub(super) mode: Mode,
}

/// What a provider does with requests for an account and a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Healthy,
    /// 429, with the true time until it ends, or with no word of it.
    RateLimited {
        has_retry_after: bool,
    },
    /// 500.
    ServerError,
    /// 401 whatever the secret.
    Unauthorized,
    /// 402.
    PaymentRequired,
    /// 404 of that model.
    ModelNotFound,
    /// Cannot be connected to.
    Unreachable,
    /// Streams break before any content.
    FailsBeforeContent,
    /// Streams break after some content.
    FailsAfterContent,
    /// Answers with nothing in it.
    Empty,
    /// Takes longer than anybody waits.
    Stalled,
}

/// One request of a client.
#[derive(Default)]
pub(super) struct Request {
    /// The credentials it was sent with, in order.
    pub(super) sent: Vec<String>,
    /// How many of them were answered with 401 though their account is renewed.
    pub(super) stale: usize,
    /// Whether it was told that it is wrong itself.
    pub(super) refused: bool,
    /// Whether a stream broke after content.
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

    /// Milliseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    /// Milliseconds since the beginning, of a time that the host tells.
    pub(super) fn millis(at: Timestamp) -> u64 {
        u64::try_from(at.saturating_since(EPOCH).as_millis()).unwrap()
    }

    pub(super) fn timestamp(ms: u64) -> Timestamp {
        EPOCH + Duration::from_millis(ms)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// A number from the seed.
    pub(super) fn random(&self, range: std::ops::Range<u64>) -> u64 {
        self.lock().rng.random_range(range)
    }

    /// Whether something happens that does so many times of a hundred.
    pub(super) fn chance(&self, percent: u32) -> bool {
        self.lock().rng.random_ratio(percent, 100)
    }

    pub(super) fn log(&self, line: &str) {
        let now = self.now();
        self.lock().trace.push(format!("{now:>9} {line}"));
    }

    /// A promise was broken.
    pub(super) fn report_violation(&self, what: String) {
        self.log(&format!("WRONG {what}"));
        self.lock().violations.push(what);
    }

    /// Fails if a promise was broken.
    pub(super) fn assert_no_violations(&self) {
        let state = self.lock();
        let Some(first) = state.violations.first() else {
            return;
        };
        // Of the story only what is about the same credential, where one is named.
        let of = state.accounts.keys().find(|id| first.contains(*id));
        let ours = |line: &&String| of.is_none_or(|id| line.contains(id));
        let mut story: Vec<&String> = state.trace.iter().filter(ours).collect();
        let end = story.iter().position(|line| line.contains("WRONG"));
        story.truncate(end.map_or(story.len(), |end| end + 1));
        let story: Vec<&str> = story.iter().map(|line| line.as_str()).collect();
        let story = story[story.len().saturating_sub(TRACE_LINES_MAX)..].join("\n");
        let (seed, violations) = (self.seed, state.violations.join("\n"));
        panic!("seed {seed}:\n{violations}\nwhat came before the first:\n{story}");
    }
}

impl State {
    /// A number for an account that comes into the pool.
    pub(super) fn next_incarnation(&mut self) -> u64 {
        self.incarnations += 1;
        self.incarnations
    }
}

impl Account {
    /// What happens now with a model, and when that ends.
    pub(super) fn mode(&self, model: usize, now: u64) -> (Mode, u64) {
        let phases = self.phases.get(&model).map_or(&[][..], Vec::as_slice);
        let next = phases.partition_point(|phase| phase.from <= now);
        let mode = next.checked_sub(1).and_then(|index| phases.get(index));
        let ends = phases.get(next).map_or(DURATION_MS * 2, |phase| phase.from);
        (mode.map_or(Mode::Healthy, |phase| phase.mode), ends)
    }
}
