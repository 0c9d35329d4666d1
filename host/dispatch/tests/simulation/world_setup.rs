//! Set-up of the world: accounts with their phases, options, and generations of the plugins.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{Origin, Registration};
use jackfield_credential::{
    BudgetPolicy, CooldownPolicy, Credential, CredentialKind, PoolOptions, ProviderName, Served,
};
use jackfield_dispatch::port::{Choice, Executor, Selector};
use jackfield_dispatch::snapshot::{Plugins, Provider, RetryPolicy, Routing, Snapshot, Timeouts};
use url::Url;

use super::accounts::{SECRETS_PER_LOGIN, TOKEN_MS_MAX, secrets};
use super::world::{Account, DURATION_MS, MODELS, Mode, PROVIDERS, Phase, Source, World};
use crate::fake_plugins::{FakeExecutor, FakeSelector, fault};

/// The credential that always works. No actor changes it.
pub(super) const STEADY: &str = "steady";

/// Its provider, which other credentials have as well.
pub(super) const STEADY_PROVIDER: usize = PROVIDERS - 1;

/// Rounds of a call.
pub(super) const ROUNDS: u32 = 3;

/// Deadline of a call: longer than waiting for every credential in vain, one after the other.
pub(super) const TOTAL: Duration = Duration::from_mins(10);

/// First-byte timeout.
const FIRST_BYTE: Duration = Duration::from_secs(5);

pub(super) fn steady_registration(world: &World) -> Registration {
    let account = Account {
        incarnation: 0,
        provider: STEADY_PROVIDER,
        models: (0..MODELS).collect(),
        oauth: false,
        phases: BTreeMap::new(),
        secret: 0,
        expires_at: u64::MAX,
        refresh_token: 0,
        source: Source {
            secret: 0,
            refresh_token: 0,
            expires_at: u64::MAX,
        },
        weight: 1,
        priority: -100,
        in_flight_max: None,
        cooling_disabled: None,
        rounds: None,
        in_flight: 0,
        enabled: true,
        changed_at: 0,
        added_at: 0,
        windows: BTreeMap::new(),
    };
    let registration = registration(STEADY, &account);
    world.lock().accounts.insert(STEADY.to_owned(), account);
    registration
}

/// Adds an account to the world, in place of any other with this name.
pub(super) fn new_registration(world: &World, id: &str) -> Registration {
    let now = world.now();
    let oauth = world.chance(40);
    let models = random_models(world);
    let phases = models
        .iter()
        .map(|&model| (model, random_phases(world, now)))
        .collect();
    // No secret of an earlier account with this name is valid any more.
    let before = world.replace_predecessor(id);
    let source = random_source(world, before.secret, oauth);
    let Source {
        secret,
        refresh_token,
        expires_at: ends,
    } = source;
    let incarnation = world.lock().next_incarnation();
    let account = Account {
        incarnation,
        provider: usize::try_from(world.random(0..PROVIDERS as u64)).unwrap(),
        phases,
        oauth,
        secret,
        expires_at: ends,
        refresh_token,
        source,
        weight: random_weight(world),
        priority: random_priority(world),
        in_flight_max: random_in_flight_max(world),
        cooling_disabled: world.chance(20).then(|| world.chance(50)),
        rounds: world
            .chance(20)
            .then(|| u32::try_from(world.random(1..4)).unwrap()),
        in_flight: 0,
        enabled: before.usable,
        changed_at: now,
        added_at: now,
        windows: BTreeMap::new(),
        models,
    };
    let registration = registration(id, &account);
    world.lock().accounts.insert(id.to_owned(), account);
    registration
}

/// What remains of an earlier account with a name.
struct Predecessor {
    /// Its last number.
    secret: u64,
    usable: bool,
}

impl World {
    /// Ends the account with this name: its requests in progress no longer count. The operator's
    /// override is forgotten if it was removed, and kept if only the configuration lacks it.
    fn replace_predecessor(&self, id: &str) -> Predecessor {
        let removed = self.detach(id);
        let usable = removed.is_some();
        let mut state = self.lock();
        let account = removed.or_else(|| state.retired.remove(id));
        account.map_or(
            Predecessor {
                secret: 0,
                usable: true,
            },
            |account| Predecessor {
                secret: account.secret,
                usable: usable || account.enabled,
            },
        )
    }

    /// Removes an account from the records.
    pub(super) fn detach(&self, id: &str) -> Option<Account> {
        let mut state = self.lock();
        let mut account = state.accounts.remove(id)?;
        state.in_flight[account.provider] -= account.in_flight;
        account.in_flight = 0;
        account.incarnation = state.next_incarnation();
        Some(account)
    }
}

/// Returns the secrets of a new login.
pub(super) fn random_source(world: &World, before: u64, oauth: bool) -> Source {
    Source {
        secret: (before / SECRETS_PER_LOGIN + 1) * SECRETS_PER_LOGIN,
        refresh_token: world.random(0..1_000_000) * 1000,
        expires_at: if oauth {
            world.now() + world.random(1..TOKEN_MS_MAX)
        } else {
            u64::MAX
        },
    }
}

pub(super) fn random_models(world: &World) -> Vec<usize> {
    let models: Vec<usize> = (0..MODELS).filter(|_| world.chance(80)).collect();
    if models.is_empty() { vec![0] } else { models }
}

pub(super) fn random_weight(world: &World) -> u32 {
    u32::try_from(world.random(1..4)).unwrap()
}

/// Most have the same priority, so that there is a choice.
pub(super) fn random_priority(world: &World) -> i32 {
    match world.random(0..10) {
        0 => -1,
        1 => 1,
        _ => 0,
    }
}

pub(super) fn random_in_flight_max(world: &World) -> Option<u32> {
    world
        .chance(50)
        .then(|| u32::try_from(world.random(1..4)).unwrap())
}

/// Returns the phases of an account's model until the end.
pub(super) fn random_phases(world: &World, now: u64) -> Vec<Phase> {
    let (mut phases, mut from) = (Vec::new(), now);
    while from < DURATION_MS {
        let mode = match world.random(0..20) {
            0 | 1 => Mode::RateLimited {
                has_retry_after: true,
            },
            2 => Mode::RateLimited {
                has_retry_after: false,
            },
            3 => Mode::ServerError,
            4 => Mode::Unreachable,
            5 => Mode::FailsBeforeContent,
            6 => Mode::FailsAfterContent,
            7 => Mode::Empty,
            8 => Mode::Stalled,
            9 if world.chance(30) => Mode::Unauthorized,
            10 if world.chance(30) => Mode::PaymentRequired,
            11 if world.chance(30) => Mode::ModelNotFound,
            _ => Mode::Healthy,
        };
        phases.push(Phase { from, mode });
        let long = world.chance(20);
        from += world.random(if long {
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
        in_flight_max: account.in_flight_max.and_then(NonZeroU32::new),
        disable_cooling: account.cooling_disabled,
        rounds: account.rounds,
        weight: account.weight,
        priority: account.priority,
        ..Credential::new(
            id,
            format!("p{}", account.provider),
            "https://provider.test/v1",
        )
    };
    let Source {
        secret,
        refresh_token,
        expires_at: ends,
    } = account.source;
    let expires_at = account.oauth.then(|| World::timestamp(ends));
    Registration {
        origin: Origin::Admin,
        // An account that is unreachable has a dead proxy: each has a way of its own.
        proxy: Some(format!("http://proxy-of-{id}.test").into()),
        expires_at,
        ..Registration::new(credential, secrets(id, secret, refresh_token))
    }
}

pub(super) fn options(world: &World) -> PoolOptions {
    let state = world.lock();
    let policy = CooldownPolicy {
        disable_cooling: state.cooling_disabled,
        ..CooldownPolicy::default()
    };
    PoolOptions {
        policy,
        provider_in_flight_max: BTreeMap::from([(
            ProviderName::new("p0"),
            NonZeroU32::new(state.provider_in_flight_max).unwrap(),
        )]),
        seed: world.seed,
    }
}

/// A generation of the plugins. Its selector takes turns, and sometimes fails.
pub(super) fn snapshot(world: &World, generation: u64, configuration: u64) -> Snapshot {
    let provider = Provider {
        executor: Arc::from("fake-executor"),
        base_url: Arc::new(Url::parse("https://provider.test/v1").unwrap()),
        settings: Arc::from("{}"),
        grants: Vec::new(),
        client_headers: Vec::new(),
        traits: Arc::default(),
        login: None,
    };
    let executor: Arc<dyn Executor> = Arc::new(FakeExecutor::patching());
    let failing = world.random(2..50);
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
        configuration,
        providers: names.map(|name| (name, provider.clone())).collect(),
        plugins: Arc::new(Plugins {
            executors: BTreeMap::from([(Arc::from("fake-executor"), executor)]),
            selectors: BTreeMap::from([(Arc::from("fake-selector"), selector)]),
            ..Plugins::default()
        }),
        routing: Routing {
            selector: Arc::from("fake-selector"),
            settings: Arc::from("{}"),
            ..Routing::default()
        },
        retry: RetryPolicy {
            rounds: ROUNDS,
            // Outages of all but one credential are what the simulation is about.
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
            client_head: TOTAL,
            ..Timeouts::default()
        },
    }
}
