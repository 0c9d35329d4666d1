//! What the world is made of: accounts and their fates, options, and generations of the plugins.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{Origin, Registration};
use jackfield_credential::{
    BudgetPolicy, CooldownPolicy, Credential, CredentialKind, PoolOptions, ProviderName, Served,
};
use jackfield_dispatch::port::{Choice, Executor, Selector};
use jackfield_dispatch::snapshot::{Provider, RetryPolicy, Routing, Snapshot, Timeouts};
use url::Url;

use super::accounts::{LIFE, TOKEN_MS, secrets};
use super::provider::PROVIDER_MOST;
use super::world::{Account, LIFE_MS, MODELS, Mode, PROVIDERS, Phase, World};
use crate::plugins::{FakeExecutor, FakeSelector, fault};

/// The one that always serves, where all others fail; nobody meddles with it.
pub(super) const STEADY: &str = "steady";

/// Rounds of a call.
pub(super) const ROUNDS: u32 = 3;

/// How long a call may take. Longer than to wait for all credentials in vain, one after the other.
pub(super) const TOTAL: Duration = Duration::from_mins(10);

/// How long an answer may let wait for its first byte.
const FIRST_BYTE: Duration = Duration::from_secs(5);

pub(super) fn steady(world: &World) -> Registration {
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
pub(super) fn born(world: &World, id: &str) -> Registration {
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
    let secret = (secret / LIFE + 1) * LIFE;
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

pub(super) fn drawn_cap(world: &World) -> Option<u32> {
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

pub(super) fn registration(id: &str, account: &Account) -> Registration {
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
        ..Registration::new(credential, secrets(id, account.source.0, account.source.1))
    }
}

pub(super) fn options(world: &World) -> PoolOptions {
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
pub(super) fn snapshot(world: &World, generation: u64) -> Snapshot {
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
        configuration: 0,
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
