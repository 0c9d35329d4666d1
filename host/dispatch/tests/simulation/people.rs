//! Who lives in the world: clients, the operator, and whoever swaps plugins; and the last judgement.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::HeaderMap;
use jackfield_auth::{AuthManager, AuthParts, Origin, Registration};
use jackfield_credential::{
    Ask, Availability, BudgetPolicy, CooldownPolicy, Credential, CredentialId, CredentialKind,
    PoolOptions, ProviderName, Served, Unfit,
};
use jackfield_dialect::Dialect;
use jackfield_dispatch::port::{Choice, Executor, Selector};
use jackfield_dispatch::snapshot::{Provider, RetryPolicy, Routing, Snapshot, Timeouts};
use jackfield_dispatch::{Answer, Call, CallError, Dispatcher, DispatcherParts};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::accounts::{Disk, TOKEN_MS, Tokens, secrets};
use super::provider::{Network, PROVIDER_MOST};
use super::world::{Account, LIFE_MS, MODELS, Mode, PROVIDERS, Phase, World};
use crate::plugins::{FakeExecutor, FakeSelector, fault};
use crate::stage::gathered;

/// Credentials at the beginning, beside the steady one.
const CREDENTIALS: u64 = 12;

/// The one that always serves, where all others fail; nobody meddles with it.
const STEADY: &str = "steady";

/// Rounds of a call.
const ROUNDS: u32 = 3;

/// How long a call may take. Longer than to wait for all credentials in vain, one after the other.
const TOTAL: Duration = Duration::from_mins(10);

/// How long an answer may let wait for its first byte.
const FIRST_BYTE: Duration = Duration::from_secs(5);

/// A world and the manager in it.
struct Life {
    world: Arc<World>,
    dispatcher: Arc<Dispatcher>,
    auth: AuthManager,
    snapshot: Arc<ArcSwap<Snapshot>>,
    disk: Arc<Disk>,
}

/// Lives a whole life, and answers its story.
///
/// # Panics
/// When a promise was broken.
pub(super) async fn live(seed: u64) -> Vec<String> {
    let world = World::new(seed);
    let life = Life::begin(&world);
    let mut background = JoinSet::new();
    let auth = life.auth.clone();
    background.spawn(async move { auth.run().await });
    let mut clients = JoinSet::new();
    let (mut next_change, mut number) = (0, 0);
    while world.now() < LIFE_MS {
        sleep(Duration::from_millis(world.draw(1..25_000))).await;
        let crowd = if world.chance(6) {
            world.draw(10..60)
        } else {
            1
        };
        for _ in 0..crowd {
            number += 1;
            clients.spawn(client(
                Arc::clone(&world),
                Arc::clone(&life.dispatcher),
                number,
            ));
        }
        if world.now() >= next_change {
            life.meddle().await;
            next_change = world.now() + world.draw(5_000..90_000);
        }
        life.audit();
        while clients.try_join_next().is_some() {}
        world.judge();
    }
    while clients.join_next().await.is_some() {}
    life.end().await;
    world.judge();
    std::mem::take(&mut world.lock().story)
}

impl Life {
    fn begin(world: &Arc<World>) -> Self {
        let mut registrations = vec![steady(world)];
        for number in 0..CREDENTIALS {
            registrations.push(born(world, &format!("c{number:02}")));
        }
        let disk = Arc::new(Disk::new(world));
        let auth = AuthManager::new(AuthParts {
            options: options(world),
            store: Some(Arc::<Disk>::clone(&disk)),
            hooks: vec![Arc::<World>::clone(world)],
            ..AuthParts::new(registrations, world.clock().shared())
        });
        let auth = auth.unwrap();
        auth.set_refresher(Arc::new(Tokens(Arc::clone(world))));
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot(world, 1)));
        let dispatcher = Arc::new(Dispatcher::new(DispatcherParts {
            snapshot: Arc::clone(&snapshot),
            auth: auth.clone(),
            upstream: Arc::new(Network(Arc::clone(world))),
            clock: world.clock(),
        }));
        Self {
            world: Arc::clone(world),
            dispatcher,
            auth,
            snapshot,
            disk,
        }
    }

    /// Something that an operator does, or a new generation of the plugins.
    async fn meddle(&self) {
        let world = &self.world;
        let ids: Vec<String> = {
            let state = world.lock();
            state
                .accounts
                .keys()
                .filter(|id| *id != STEADY)
                .cloned()
                .collect()
        };
        let id = &ids[usize::try_from(world.draw(0..ids.len() as u64)).unwrap()];
        match world.draw(0..8) {
            0 | 1 => self.set_enabled(id, world.chance(70)).await,
            2 => self.reset(id),
            3 => self.remove(id).await,
            4 => self.redefine(id).await,
            5 => {
                let mut state = world.lock();
                state.cooling_disabled = !state.cooling_disabled;
                drop(state);
                self.auth.set_options(options(world));
            }
            _ => {
                let generation = self.snapshot.load().generation + 1;
                world.tell(format!("generation {generation}"));
                self.snapshot.store(Arc::new(snapshot(world, generation)));
            }
        }
    }

    async fn set_enabled(&self, id: &str, enabled: bool) {
        self.world.changed(id, |account| account.usable = enabled);
        self.world.tell(format!("{id} enabled: {enabled}"));
        // A disk that is bad costs durability, and no effect.
        let _ = self.auth.set_enabled(&CredentialId::new(id), enabled).await;
        self.world.changed(id, |_| {});
    }

    fn reset(&self, id: &str) {
        self.world.tell(format!("{id} reset"));
        self.world.changed(id, |account| account.blocks.clear());
        self.auth.reset(&CredentialId::new(id)).unwrap();
    }

    /// It goes, if the disk lets it, and comes back as another account with the same name.
    async fn remove(&self, id: &str) {
        self.world.tell(format!("{id} is to be removed"));
        let removed = self.auth.remove(&CredentialId::new(id)).await;
        self.world.tell(format!("{id} removed: {removed:?}"));
        if removed.is_err() {
            return;
        }
        let registration = born(&self.world, id);
        let _ = self.auth.register(registration).await;
    }

    /// Another weight, priority and cap; what it is made of stays.
    async fn redefine(&self, id: &str) {
        let most = drawn_cap(&self.world);
        self.world.tell(format!("{id} redefined: at most {most:?}"));
        self.world.changed(id, |account| account.most = most);
        let registration = {
            let state = self.world.lock();
            registration(id, &state.accounts[id])
        };
        let _ = self.auth.register(registration).await;
        // The operator's word of before counts more than the source's.
        self.world.changed(id, |_| {});
    }

    /// Compares what the manager offers with how it says that everybody stands.
    fn audit(&self) {
        let now = self.dispatcher.clock().now();
        for model in 0..MODELS {
            let name = format!("m{model}");
            let fit = self.fit(&name);
            let offered = match self.auth.candidates(&Ask::first(&name), now) {
                Ok(set) => (0..set.len())
                    .filter_map(|index| set.credential(index))
                    .map(|credential| credential.id.to_string())
                    .collect(),
                Err(Unfit::NoneFit(_)) => Vec::new(),
                Err(other) => panic!("{other}"),
            };
            let stranger = offered.iter().find(|id| !fit.contains(id));
            if let Some(id) = stranger {
                self.world
                    .wrong(format!("{id} is offered for {name} and not fit"));
            }
            if offered.is_empty() && !fit.is_empty() {
                self.world
                    .wrong(format!("{fit:?} are fit for {name} and not offered"));
            }
        }
    }

    fn fit(&self, name: &str) -> Vec<String> {
        let full = |provider: &str| {
            let state = self.world.lock();
            provider == "p0" && state.in_flight[0] >= PROVIDER_MOST
        };
        let upstream = name.replace('m', "up-");
        let views = self.auth.list().into_iter().map(|view| view.status);
        let fit = views.filter(|status| {
            let fit =
                |availability| matches!(availability, Availability::Ready | Availability::Probe);
            let model = status
                .models
                .iter()
                .find(|model| model.model.as_str() == upstream);
            status.enabled
                && fit(status.account.availability)
                && model.is_some_and(|model| fit(model.standing.availability))
                && status
                    .in_flight_max
                    .is_none_or(|most| status.in_flight < most)
                && !full(status.provider.as_str())
        });
        fit.map(|status| status.id.to_string()).collect()
    }

    /// When all is over nothing is under way, and all that matters is kept.
    async fn end(&self) {
        let world = &self.world;
        // The longest refresh, and every write that is tried again.
        sleep(Duration::from_mins(2)).await;
        if self.auth.flush().await.is_err() {
            world.wrong("what was learnt is not kept though the disk is good".to_owned());
        }
        let counts = self.auth.lease_counts();
        if counts.open != 0 {
            world.wrong(format!("{} leases are open", counts.open));
        }
        let busy: Vec<_> = self
            .auth
            .list()
            .into_iter()
            .filter(|one| one.status.in_flight > 0)
            .collect();
        for one in busy {
            let status = one.status;
            world.wrong(format!("{} has {} under way", status.id, status.in_flight));
        }
        let state = world.lock();
        let under_way: u32 = state.in_flight.iter().sum();
        let sent: usize = state
            .requests
            .values()
            .map(|request| request.sent.len())
            .sum();
        let results = state.results;
        let lost: Vec<String> = state
            .accounts
            .iter()
            .filter(|(id, account)| {
                let kept = self.disk.refresh_token(id);
                kept.is_some_and(|kept| kept != account.refresh_token)
            })
            .map(|(id, _)| id.clone())
            .collect();
        drop(state);
        if under_way != 0 {
            world.wrong(format!("{under_way} requests are under way"));
        }
        if usize::try_from(results).unwrap() < sent {
            world.wrong(format!(
                "{sent} requests were sent, and {results} results told"
            ));
        }
        for id in lost {
            world.wrong(format!("the refresh token of {id} that is kept was used"));
        }
    }
}

impl World {
    fn changed(&self, id: &str, change: impl FnOnce(&mut Account)) {
        let now = self.now();
        if let Some(account) = self.lock().accounts.get_mut(id) {
            account.changed = now;
            change(account);
        }
    }
}

/// One request of one client, and what it must come to.
async fn client(world: Arc<World>, dispatcher: Arc<Dispatcher>, number: u64) {
    let model = world.draw(0..MODELS as u64);
    let (stream, wrong) = (world.chance(60), world.chance(4));
    let leaves = world
        .chance(8)
        .then(|| Duration::from_millis(world.draw(1..4000)));
    let body = json!({
        "model": format!("m{model}"), "number": number, "stream": stream, "wrong": wrong,
        "messages": [],
    });
    let call = Call {
        id: Arc::from(format!("call-{number}")),
        dialect: Dialect::OpenaiChat,
        operation: "generate",
        model: Arc::from(format!("m{model}")),
        stream,
        body: Bytes::from(body.to_string()),
        headers: Arc::new(HeaderMap::new()),
        principal: Arc::from("simulation"),
        affinity: None,
        deadline: dispatcher.deadline(),
    };
    world.tell(format!("request {number} begins"));
    let answered = async {
        let answer = dispatcher.call(call).await?;
        let status = answer.status.as_u16();
        let (bytes, broken) = gathered(Answer { ..answer }).await;
        Ok::<_, CallError>((status, bytes, broken))
    };
    let began = Instant::now();
    let result = timeout(leaves.unwrap_or(TOTAL * 2), answered).await;
    let took = began.elapsed();
    let told = match &result {
        Err(_) => "left".to_owned(),
        Ok(Ok((status, bytes, _))) => format!("{status} with {} bytes", bytes.len()),
        Ok(Err(error)) => format!("{}: {error}", error.label()),
    };
    world.tell(format!("request {number} ends: {told}"));
    if took > TOTAL + Duration::from_secs(1) {
        world.wrong(format!("request {number} took {took:?}"));
    }
    world.within_bounds(number);
    let Ok(result) = result else {
        if leaves.is_none() {
            world.wrong(format!("request {number} hangs"));
        }
        return;
    };
    world.judge_answer(
        number,
        wrong,
        result.map(|(status, bytes, broken)| (status, bytes, broken.is_some())),
    );
}

impl World {
    /// No more attempts than rounds over the pool, one more with new tokens where some had ended, and
    /// one more where there is a single credential.
    fn within_bounds(&self, number: u64) {
        let state = self.lock();
        let Some(request) = state.requests.get(&number) else {
            return;
        };
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for id in &request.sent {
            *times.entry(id).or_default() += 1;
        }
        let most = times.values().copied().max().unwrap_or(0);
        let allowed = ROUNDS as usize + request.stale + 1;
        let (sent, over) = (request.sent.clone(), most > allowed);
        drop(state);
        if over {
            self.wrong(format!("request {number} was sent too often: {sent:?}"));
        }
    }

    /// There is always one that serves: so whatever is not wrong itself is answered.
    fn judge_answer(
        &self,
        number: u64,
        wrong: bool,
        result: Result<(u16, Bytes, bool), CallError>,
    ) {
        let (refused, broken) = {
            let state = self.lock();
            let request = state.requests.get(&number);
            request.map_or((false, false), |request| (request.refused, request.broken))
        };
        match result {
            Ok((200, bytes, false)) => {
                if wrong {
                    self.wrong(format!("request {number} is wrong and was answered"));
                }
                let text = String::from_utf8_lossy(&bytes);
                let whole = text.contains("\"hi\"") || text.contains("[DONE]");
                let failed = text.contains("\"error\"");
                if !whole && !(failed && broken) {
                    self.wrong(format!("request {number} got no whole answer: {text}"));
                }
            }
            Ok((status, _, broke)) => {
                self.wrong(format!("request {number} got {status}, broken: {broke}"));
            }
            Err(CallError::Upstream(failure)) if wrong && refused => {
                if failure.failure.status != Some(400) {
                    self.wrong(format!("request {number} was refused with {failure:?}"));
                }
            }
            Err(error) => self.wrong(format!("request {number} failed: {error}")),
        }
    }
}

fn steady(world: &World) -> Registration {
    let account = Account {
        provider: PROVIDERS - 1,
        models: (0..MODELS).collect(),
        oauth: false,
        phases: BTreeMap::new(),
        secret: 0,
        ends: u64::MAX,
        refresh_token: 0,
        source: (0, 0),
        most: None,
        cooling_disabled: None,
        rounds: None,
        in_flight: 0,
        usable: true,
        changed: 0,
        haunted_until: 0,
        blocks: BTreeMap::new(),
        began: BTreeMap::new(),
        ended: BTreeMap::new(),
    };
    let mut registration = registration(STEADY, &account);
    registration.credential.priority = -100;
    world.lock().accounts.insert(STEADY.to_owned(), account);
    registration
}

/// An account that comes into the world, in place of any other of this name.
fn born(world: &World, id: &str) -> Registration {
    let now = world.now();
    let oauth = world.chance(40);
    let models: Vec<usize> = (0..MODELS).filter(|_| world.chance(80)).collect();
    let models = if models.is_empty() { vec![0] } else { models };
    let phases = models
        .iter()
        .map(|&model| (model, phases(world, now)))
        .collect();
    // Of whoever had this name before, no secret is good any more.
    let (secret, haunted) = world.buried(id);
    let secret = secret + 100;
    let refresh_token = world.draw(0..1_000_000) * 1000;
    let account = Account {
        provider: usize::try_from(world.draw(0..PROVIDERS as u64)).unwrap(),
        phases,
        oauth,
        secret,
        ends: if oauth {
            now + world.draw(1..TOKEN_MS)
        } else {
            u64::MAX
        },
        refresh_token,
        source: (secret, refresh_token),
        most: drawn_cap(world),
        cooling_disabled: world.chance(20).then(|| world.chance(50)),
        rounds: world
            .chance(20)
            .then(|| u32::try_from(world.draw(1..4)).unwrap()),
        in_flight: 0,
        usable: true,
        changed: now,
        haunted_until: if haunted { now + 600_000 } else { 0 },
        blocks: BTreeMap::new(),
        began: BTreeMap::new(),
        ended: BTreeMap::new(),
        models,
    };
    let registration = registration(id, &account);
    world.lock().accounts.insert(id.to_owned(), account);
    registration
}

impl World {
    /// The last secret of an account that is gone, and whether something is under way with it: that
    /// counts no more.
    fn buried(&self, id: &str) -> (u64, bool) {
        let mut state = self.lock();
        let Some(account) = state.accounts.remove(id) else {
            return (0, false);
        };
        state.in_flight[account.provider] -= account.in_flight;
        (account.secret, account.in_flight > 0)
    }
}

fn drawn_cap(world: &World) -> Option<u32> {
    world
        .chance(50)
        .then(|| u32::try_from(world.draw(1..4)).unwrap())
}

/// What happens to an account's model until the end of the world.
fn phases(world: &World, now: u64) -> Vec<Phase> {
    let (mut phases, mut from) = (Vec::new(), now);
    while from < LIFE_MS {
        let mode = match world.draw(0..20) {
            0 | 1 => Mode::Limited { told: true },
            2 => Mode::Limited { told: false },
            3 => Mode::Down,
            4 => Mode::Unreachable,
            5 => Mode::Stillborn,
            6 => Mode::Broken,
            7 => Mode::Empty,
            8 => Mode::Silent,
            9 if world.chance(30) => Mode::Locked,
            10 if world.chance(30) => Mode::Unpaid,
            11 if world.chance(30) => Mode::Unsupported,
            _ => Mode::Well,
        };
        phases.push(Phase { from, mode });
        let long = world.chance(20);
        from += world.draw(if long {
            600_000..5_000_000
        } else {
            1_000..300_000
        });
    }
    phases
}

fn registration(id: &str, account: &Account) -> Registration {
    let served =
        |model: &usize| Served::new(format!("up-{model}"), vec![Arc::from(format!("m{model}"))]);
    let credential = Credential {
        serves: account.models.iter().map(served).collect(),
        kind: if account.oauth {
            CredentialKind::Oauth
        } else {
            CredentialKind::ApiKey
        },
        in_flight_max: account.most.and_then(NonZeroU32::new),
        disable_cooling: account.cooling_disabled,
        rounds: account.rounds,
        enabled: account.usable,
        ..Credential::new(
            id,
            format!("p{}", account.provider),
            "https://provider.test/v1",
        )
    };
    let expires_at = account.oauth.then(|| World::timestamp(account.ends));
    Registration {
        origin: Origin::Admin,
        expires_at,
        ..Registration::new(
            credential,
            secrets(id, account.secret, account.refresh_token),
        )
    }
}

fn options(world: &World) -> PoolOptions {
    let policy = CooldownPolicy {
        disable_cooling: world.lock().cooling_disabled,
        ..CooldownPolicy::default()
    };
    PoolOptions {
        policy,
        provider_in_flight_max: BTreeMap::from([(
            ProviderName::new("p0"),
            NonZeroU32::new(PROVIDER_MOST).unwrap(),
        )]),
        seed: world.seed,
    }
}

/// A generation of the plugins. Its selector takes turns, and fails now and then.
fn snapshot(world: &World, generation: u64) -> Snapshot {
    let provider = Provider {
        executor: Arc::from("fake-executor"),
        base_url: Arc::new(Url::parse("https://provider.test/v1").unwrap()),
        settings: Arc::from("{}"),
        grants: Vec::new(),
    };
    let executor: Arc<dyn Executor> = Arc::new(FakeExecutor::patching());
    let failing = world.draw(2..50);
    let selector: Arc<dyn Selector> = Arc::new(FakeSelector::new(move |context, candidates| {
        if context.sequence % failing == 0 {
            return Err(fault("now and then"));
        }
        let turn = (context.sequence.wrapping_add(generation)) % candidates as u64;
        Ok(Choice::Candidate(usize::try_from(turn).unwrap()))
    }));
    let names = (0..PROVIDERS).map(|number| ProviderName::new(format!("p{number}")));
    Snapshot {
        generation,
        providers: names.map(|name| (name, provider.clone())).collect(),
        executors: BTreeMap::from([(Arc::from("fake-executor"), executor)]),
        selectors: BTreeMap::from([(Arc::from("fake-selector"), selector)]),
        routing: Routing {
            selector: Arc::from("fake-selector"),
            settings: Arc::from("{}"),
            ..Routing::default()
        },
        retry: RetryPolicy {
            rounds: ROUNDS,
            // An outage of all but one is what the world is about.
            budget: BudgetPolicy {
                burst: 10_000,
                per_second: 1_000,
                ..BudgetPolicy::default()
            },
            ..RetryPolicy::default()
        },
        timeouts: Timeouts {
            first_byte: FIRST_BYTE,
            total: TOTAL,
            ..Timeouts::default()
        },
    }
}
