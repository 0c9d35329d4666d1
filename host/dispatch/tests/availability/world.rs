//! The world of one seed: providers, credentials, proxies and clients, and what they did.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jackfield_auth::{AuthManager, AuthParts, Registration};
use jackfield_credential::{Credential, CredentialKind, PoolOptions, ProviderName, Served};
use jackfield_dispatch::port::{Executor, Selector};
use jackfield_dispatch::snapshot::{Plugins, Provider, RetryPolicy, Routing, Snapshot, Timeouts};
use jackfield_dispatch::{Clock, Dispatcher, DispatcherParts};
use parking_lot::{Mutex, MutexGuard};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use url::Url;

use super::clients::{self, Poison};
use super::network::Network;
use super::timeline::{Fault, Timeline};
use super::tokens::{TokenEndpoint, secrets};
use crate::fake_plugins::{FakeExecutor, FakeSelector, planned};
use crate::stage::EPOCH;

/// Duration of a simulation, in milliseconds of virtual time.
pub(super) const DURATION_MS: u64 = 20 * 60 * 1_000;

/// Deadline of a call.
pub(super) const TOTAL: Duration = Duration::from_secs(180);

/// Clients whose requests no provider accepts: more than the clients that a lane takes for a few, together
/// with one whose requests really failed.
const POISONERS_MAX: u32 = 3;

/// Lines of the log that are printed with a failure.
const TRACE_LINES_MAX: usize = 80;

/// Further broken promises that are printed.
const OTHERS_MAX: usize = 20;

/// The beginning of each of them that is printed.
const OTHER_CHARS_MAX: usize = 1_000;

/// What happens to providers.
const OUTAGES: [Fault; 7] = [
    Fault::Status(500),
    Fault::Status(503),
    Fault::Status(529),
    Fault::Reset,
    Fault::Empty,
    Fault::Hang,
    Fault::Unreachable,
];

/// One simulated world.
pub(super) struct World {
    seed: u64,
    start: Instant,
    pub(super) providers: Vec<Timeline>,
    pub(super) proxies: Vec<Timeline>,
    pub(super) accounts: BTreeMap<String, Account>,
    /// When the token endpoint fails.
    pub(super) endpoint: Timeline,
    pub(super) poisons: Vec<Poison>,
    state: Mutex<State>,
}

/// One credential.
pub(super) struct Account {
    pub(super) provider: usize,
    pub(super) proxy: Option<usize>,
    pub(super) timeline: Timeline,
    /// The lifetime of its tokens, in milliseconds; `None` for an API key.
    pub(super) life_ms: Option<u64>,
}

pub(super) struct State {
    pub(super) rng: SmallRng,
    /// The number of each token, and when it expires.
    pub(super) tokens: BTreeMap<String, (u64, u64)>,
    pub(super) refreshes: BTreeMap<String, u64>,
    /// Calls of the good clients, and those that failed although a credential worked.
    pub(super) calls: u64,
    pub(super) unserved: u64,
    trace: Vec<String>,
    violations: Vec<String>,
}

/// What one world has shown.
pub(super) struct Outcome {
    pub(super) calls: u64,
    pub(super) unserved: u64,
    /// The broken promises, with what came before the first; empty if there are none.
    pub(super) report: String,
    /// What happened, in order.
    pub(super) trace: Vec<String>,
}

/// Runs the world of a seed.
pub(super) async fn run(seed: u64) -> Outcome {
    let mut rng = SmallRng::seed_from_u64(seed);
    let world = World::draw(seed, rng.clone(), &mut rng);
    world.run().await;
    world.check_refreshes();
    let report = world.report(seed);
    let mut state = world.lock();
    Outcome {
        calls: state.calls,
        unserved: state.unserved,
        report,
        trace: std::mem::take(&mut state.trace),
    }
}

/// Runs a world whose tokens live only `life_ms`, and returns the most refreshes of a credential.
pub(super) async fn run_short_tokens(seed: u64, life_ms: u64) -> u64 {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut world = World::draw(seed, rng.clone(), &mut rng);
    if let Some(world) = Arc::get_mut(&mut world) {
        for account in world.accounts.values_mut() {
            account.life_ms = Some(life_ms);
        }
    }
    world.run().await;
    let most = world.lock().refreshes.values().copied().max();
    most.unwrap_or(0)
}

impl World {
    fn draw(seed: u64, state: SmallRng, rng: &mut SmallRng) -> Arc<Self> {
        let providers = (0..rng.random_range(1..=2)).map(|_| {
            let length = match rng.random_ratio(1, 2) {
                true => 200..2_000,
                false => 2_000..60_000,
            };
            Timeline::draw(rng, DURATION_MS, &OUTAGES, length, 20_000..200_000)
        });
        let providers: Vec<Timeline> = providers.collect();
        let dead = [Fault::Unreachable];
        let proxies =
            (0..2).map(|_| Timeline::draw(rng, DURATION_MS, &dead, 5_000..90_000, 30_000..300_000));
        let proxies: Vec<Timeline> = proxies.collect();
        let refused = [Fault::Status(401), Fault::Status(403), Fault::Limited];
        let mut accounts = BTreeMap::new();
        for provider in 0..providers.len() {
            for number in 0..[1, 2, 5][rng.random_range(0..3)] {
                let account = Account {
                    provider,
                    proxy: rng.random_ratio(3, 10).then(|| rng.random_range(0..2)),
                    timeline: Timeline::draw(
                        rng,
                        DURATION_MS,
                        &refused,
                        2_000..120_000,
                        60_000..600_000,
                    ),
                    life_ms: rng
                        .random_ratio(3, 10)
                        .then(|| rng.random_range(5_000..600_000)),
                };
                accounts.insert(format!("p{provider}c{number}"), account);
            }
        }
        let endpoint_down = [Fault::Status(503)];
        let poisons = (0..rng.random_range(1..=POISONERS_MAX))
            .map(|_| Poison::draw(rng))
            .collect();
        Arc::new(Self {
            seed,
            start: Instant::now(),
            providers,
            proxies,
            accounts,
            endpoint: Timeline::draw(
                rng,
                DURATION_MS,
                &endpoint_down,
                500..20_000,
                60_000..400_000,
            ),
            poisons,
            state: Mutex::new(State {
                rng: state,
                tokens: BTreeMap::new(),
                refreshes: BTreeMap::new(),
                calls: 0,
                unserved: 0,
                trace: Vec::new(),
                violations: Vec::new(),
            }),
        })
    }

    async fn run(self: &Arc<Self>) {
        self.log(&self.describe());
        let auth = AuthManager::new(AuthParts {
            options: PoolOptions {
                seed: self.seed,
                ..PoolOptions::default()
            },
            ..AuthParts::new(self.registrations(), self.clock().shared())
        })
        .unwrap();
        auth.set_refresher(Arc::new(TokenEndpoint(Arc::clone(self))));
        let dispatcher = Arc::new(Dispatcher::new(DispatcherParts {
            snapshot: Arc::new(ArcSwap::from_pointee(self.snapshot())),
            auth: auth.clone(),
            upstream: Arc::new(Network(Arc::clone(self))),
            clock: self.clock(),
            seed: self.seed,
        }));
        let mut background = JoinSet::new();
        background.spawn(async move { auth.run().await });
        let mut actors = JoinSet::new();
        for number in 0..3 {
            actors.spawn(clients::run_good(
                Arc::clone(self),
                Arc::clone(&dispatcher),
                number,
            ));
        }
        for number in 0..self.poisons.len() {
            actors.spawn(clients::run_poisoner(
                Arc::clone(self),
                Arc::clone(&dispatcher),
                number,
            ));
        }
        while actors.join_next().await.is_some() {}
        sleep(TOTAL).await;
        let open = dispatcher.auth().lease_counts().open;
        if open != 0 {
            self.report_violation(&format!("{open} leases are open"));
        }
    }

    fn registrations(&self) -> Vec<Registration> {
        let registrations = self.accounts.iter().map(|(id, account)| {
            let credential = Credential {
                serves: vec![Served::new("up", vec![Arc::from("m")])],
                kind: match account.life_ms {
                    Some(_) => CredentialKind::Oauth,
                    None => CredentialKind::ApiKey,
                },
                ..Credential::new(
                    id.as_str(),
                    format!("p{}", account.provider),
                    base_url(account.provider),
                )
            };
            let life = account.life_ms.unwrap_or(u64::MAX / 2);
            self.lock().tokens.insert(id.clone(), (0, life));
            Registration {
                expires_at: account
                    .life_ms
                    .map(|life| EPOCH + Duration::from_millis(life)),
                proxy: account
                    .proxy
                    .map(|proxy| format!("http://x{proxy}.test").into()),
                ..Registration::new(credential, secrets(id, 0))
            }
        });
        registrations.collect()
    }

    fn snapshot(&self) -> Snapshot {
        let executor = FakeExecutor::new(|context| {
            let mut plan = planned(
                jackfield_dispatch::plan::PlannedBody::Original,
                jackfield_dispatch::plan::ResponseMode::Relay,
            );
            plan.request.url = Url::parse(&context.credential.base_url).unwrap();
            Ok(plan)
        });
        let executor: Arc<dyn Executor> = Arc::new(executor);
        let selector: Arc<dyn Selector> = Arc::new(FakeSelector::first());
        let providers = (0..self.providers.len()).map(|number| {
            let provider = Provider {
                executor: Arc::from("fake-executor"),
                base_url: Arc::new(Url::parse(&base_url(number)).unwrap()),
                settings: Arc::from("{}"),
                grants: Vec::new(),
                client_headers: Vec::new(),
                traits: Arc::default(),
                login: None,
            };
            (ProviderName::new(format!("p{number}")), provider)
        });
        Snapshot {
            providers: providers.collect(),
            plugins: Arc::new(Plugins {
                executors: BTreeMap::from([(Arc::from("fake-executor"), executor)]),
                selectors: BTreeMap::from([(Arc::from("fake-selector"), selector)]),
                ..Plugins::default()
            }),
            routing: Routing {
                selector: Arc::from("fake-selector"),
                ..Routing::default()
            },
            retry: RetryPolicy::default(),
            timeouts: Timeouts {
                first_byte: Duration::from_secs(5),
                total: TOTAL,
                ..Timeouts::default()
            },
            ..Snapshot::default()
        }
    }

    /// Returns a credential that worked, with all that it needs, from `begin` to `end`. It is not enough that it
    /// worked for the last part: a request that failed there is never the trial.
    pub(super) fn working_credential(&self, begin: u64, end: u64) -> Option<&str> {
        let works = |account: &Account| {
            let of_provider = |other: &&Account| other.provider == account.provider;
            let count = self.accounts.values().filter(of_provider).count() as u64;
            account.timeline.worked(count, begin, end)
                && self.providers[account.provider].worked(count, begin, end)
                && account
                    .proxy
                    .is_none_or(|proxy| self.proxies[proxy].worked(count, begin, end))
                && (account.life_ms.is_none() || self.endpoint_worked(begin, end))
        };
        let working = self.accounts.iter().find(|(_, account)| works(account));
        working.map(|(id, _)| id.as_str())
    }

    /// After a failure a refresh is tried again after at most a minute, changed by a fifth.
    fn endpoint_worked(&self, begin: u64, end: u64) -> bool {
        self.endpoint.worked(0, begin.saturating_sub(75_000), end)
    }

    /// A token is not refreshed before half of its life has passed, except after a 401.
    fn check_refreshes(&self) {
        let refreshes = self.lock().refreshes.clone();
        for (id, count) in refreshes {
            let life = self.accounts[&id].life_ms.unwrap_or(u64::MAX);
            let ahead = run_ms() / (life / 2).max(1_000);
            // Three in five minutes after rejections.
            let after_401 = 3 * (run_ms() / 300_000 + 1);
            if count > ahead + after_401 + 1 {
                self.report_violation(&format!("{id}, life of {life} ms: {count} refreshes"));
            }
        }
    }

    pub(super) fn clock(&self) -> Clock {
        let start = self.start;
        Clock::new(move || EPOCH + start.elapsed())
    }

    /// Returns the milliseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn random(&self, range: std::ops::Range<u64>) -> u64 {
        self.lock().rng.random_range(range)
    }

    pub(super) fn log(&self, line: &str) {
        let now = self.now();
        self.lock().trace.push(format!("{now:>9} {line}"));
    }

    /// Records a call that failed although a credential worked.
    pub(super) fn report_unserved(&self, what: &str) {
        self.lock().unserved += 1;
        self.report_violation(what);
    }

    /// Records a broken promise.
    pub(super) fn report_violation(&self, what: &str) {
        self.log(&format!("VIOLATION {what}"));
        self.lock().violations.push(what.to_owned());
    }

    fn describe(&self) -> String {
        let accounts = self.accounts.iter().map(|(id, account)| {
            let (proxy, life) = (account.proxy, account.life_ms);
            format!("{id} (proxy {proxy:?}, life {life:?})")
        });
        let accounts: Vec<String> = accounts.collect();
        format!("{}; poisons: {:?}", accounts.join(", "), self.poisons)
    }

    fn report(&self, seed: u64) -> String {
        let state = self.lock();
        let Some(first) = state.violations.first() else {
            return String::new();
        };
        let end = state
            .trace
            .iter()
            .position(|line| line.contains(first.as_str()));
        let end = end.map_or(state.trace.len(), |end| end + 1);
        let begin = end.saturating_sub(TRACE_LINES_MAX).max(1);
        let (world, story) = (&state.trace[0], state.trace[begin..end].join("\n"));
        let count = state.violations.len();
        let others = state.violations.iter().skip(1).take(OTHERS_MAX);
        let others = others.map(|other| other.chars().take(OTHER_CHARS_MAX).collect::<String>());
        let others: Vec<String> = others.collect();
        let others = others.join("\n");
        format!(
            "seed {seed}: {count} broken promises, the first: {first}\n{world}\n{story}\nothers:\n{others}"
        )
    }
}

/// Returns how long a world runs, in milliseconds: calls in progress at the end have time to finish.
pub(super) fn run_ms() -> u64 {
    DURATION_MS + u64::try_from(2 * TOTAL.as_millis()).unwrap()
}

/// Returns the base URL of a provider.
fn base_url(provider: usize) -> String {
    format!("https://p{provider}.test/v1")
}
