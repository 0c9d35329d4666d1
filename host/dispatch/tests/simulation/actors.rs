//! The actors: clients call, the operator edits, plugins are replaced. At the end the world is
//! checked.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jackfield_auth::{AuthManager, AuthParts};
use jackfield_credential::{Availability, CandidateQuery, CredentialId, Unavailable};
use jackfield_dispatch::snapshot::Snapshot;
use jackfield_dispatch::{Dispatcher, DispatcherParts};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::accounts::{TokenEndpoint, UnreliableStore};
use super::client::run_client;
use super::provider::Network;
use super::world::{Account, DURATION_MS, MODELS, World};
use super::world_setup::{
    STEADY, new_registration, options, random_in_flight_max, random_priority, random_weight,
    registration, snapshot, steady_registration,
};

/// Credentials at the beginning, in addition to the steady one.
const CREDENTIALS: u64 = 12;

/// A world with its dispatcher.
pub(super) struct Simulation {
    pub(super) world: Arc<World>,
    dispatcher: Arc<Dispatcher>,
    pub(super) auth: AuthManager,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    disk: Arc<UnreliableStore>,
}

/// Runs a whole simulation, and returns its log.
///
/// # Panics
/// If a promise was broken.
pub(super) async fn run(seed: u64) -> Vec<String> {
    let world = World::new(seed);
    let simulation = Simulation::start(&world);
    let mut background = JoinSet::new();
    let auth = simulation.auth.clone();
    background.spawn(async move { auth.run().await });
    let mut clients = JoinSet::new();
    let (mut next_change, mut number) = (0, 0);
    while world.now() < DURATION_MS {
        sleep(Duration::from_millis(world.random(1..25_000))).await;
        let crowd = if world.chance(6) {
            world.random(10..60)
        } else {
            1
        };
        for _ in 0..crowd {
            number += 1;
            clients.spawn(run_client(
                Arc::clone(&world),
                Arc::clone(&simulation.dispatcher),
                number,
            ));
        }
        if world.now() >= next_change {
            simulation.apply_change().await;
            next_change = world.now() + world.random(5_000..90_000);
        }
        simulation.audit();
        while clients.try_join_next().is_some() {}
        world.assert_no_violations();
    }
    while clients.join_next().await.is_some() {}
    simulation.finish().await;
    world.assert_no_violations();
    std::mem::take(&mut world.lock().trace)
}

impl Simulation {
    fn start(world: &Arc<World>) -> Self {
        let mut registrations = vec![steady_registration(world)];
        for number in 0..CREDENTIALS {
            registrations.push(new_registration(world, &format!("c{number:02}")));
        }
        let disk = Arc::new(UnreliableStore::new(world));
        let auth = AuthManager::new(AuthParts {
            options: options(world),
            store: Some(Arc::<UnreliableStore>::clone(&disk)),
            hooks: vec![Arc::<World>::clone(world)],
            ..AuthParts::new(registrations, world.clock().shared())
        });
        let auth = auth.unwrap();
        auth.set_refresher(Arc::new(TokenEndpoint(Arc::clone(world))));
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot(world, 1, 0)));
        let dispatcher = Arc::new(Dispatcher::new(DispatcherParts {
            snapshot: Arc::clone(&snapshot),
            auth: auth.clone(),
            upstream: Arc::new(Network(Arc::clone(world))),
            clock: world.clock(),
            seed: world.seed,
        }));
        Self {
            world: Arc::clone(world),
            dispatcher,
            auth,
            snapshot,
            disk,
        }
    }

    /// An action of the operator, a new configuration, or several of these at once.
    async fn apply_change(&self) {
        match self.world.random(0..10) {
            0 => self.reload().await,
            1 => drop(tokio::join!(self.reload(), self.apply_operator_action())),
            2 => drop(tokio::join!(
                self.apply_operator_action(),
                self.reload(),
                self.swap()
            )),
            3 => drop(tokio::join!(self.reload(), self.swap(), self.reload())),
            _ => self.apply_operator_action().await,
        }
    }

    /// A new generation of the plugins, after a moment.
    async fn swap(&self) {
        sleep(Duration::from_millis(self.world.random(0..60))).await;
        self.swap_now();
    }

    fn swap_now(&self) {
        let (world, now) = (&self.world, self.snapshot.load());
        let generation = now.generation + 1;
        world.log(&format!("generation {generation}"));
        let next = snapshot(world, generation, now.configuration);
        self.snapshot.store(Arc::new(next));
    }

    /// An action of the operator, or a new generation of the plugins.
    async fn apply_operator_action(&self) {
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
        if ids.is_empty() {
            return;
        }
        let id = &ids[usize::try_from(world.random(0..ids.len() as u64)).unwrap()];
        match world.random(0..8) {
            0 | 1 => self.set_enabled(id, world.chance(70)).await,
            2 => self.reset(id),
            3 => self.remove(id).await,
            4 => self.redefine(id).await,
            5 => {
                world.toggle_options();
                self.auth.set_options(options(world));
            }
            _ => self.swap_now(),
        }
    }

    async fn set_enabled(&self, id: &str, enabled: bool) {
        self.world.change_account(id, |account| {
            account.enabled = enabled;
            // Enabled again, it gets one attempt at once.
            account.blocks.clear();
        });
        self.world.log(&format!("{id} enabled: {enabled}"));
        // A bad disk affects durability only.
        let _ = self.auth.set_enabled(&CredentialId::new(id), enabled).await;
        self.world.change_account(id, |_| {});
    }

    fn reset(&self, id: &str) {
        self.world.log(&format!("{id} reset"));
        self.world
            .change_account(id, |account| account.blocks.clear());
        self.auth.reset(&CredentialId::new(id)).unwrap();
    }

    /// Removes it, if the disk allows, and adds another account with the same name.
    async fn remove(&self, id: &str) {
        let _changing = self.auth.lock_registrations().await;
        self.world.log(&format!("{id} is to be removed"));
        let removed = self.auth.remove(&CredentialId::new(id)).await;
        self.world.log(&format!("{id} removed: {removed:?}"));
        if removed.is_err() {
            return;
        }
        let registration = new_registration(&self.world, id);
        let _ = self.auth.register(registration).await;
    }

    /// Changes weight, priority and limit, not the secrets.
    async fn redefine(&self, id: &str) {
        let _changing = self.auth.lock_registrations().await;
        let most = random_in_flight_max(&self.world);
        let (weight, priority) = (random_weight(&self.world), random_priority(&self.world));
        self.world.log(&format!("{id} redefined: at most {most:?}"));
        self.world.change_account(id, |account| {
            account.in_flight_max = most;
            account.weight = weight;
            account.priority = priority;
        });
        let registration = {
            let state = self.world.lock();
            let account = state.accounts.get(id);
            account.map(|account| registration(id, account))
        };
        // Another configuration may have been applied first.
        let Some(registration) = registration else {
            return;
        };
        let _ = self.auth.register(registration).await;
        // An earlier override of the operator takes precedence over the source.
        self.world.change_account(id, |_| {});
    }

    /// Compares the manager's candidates with the status of the credentials.
    fn audit(&self) {
        let now = self.dispatcher.clock().now();
        for model in 0..MODELS {
            let name = format!("m{model}");
            let available = self.available_credentials(&name);
            let offered = match self
                .auth
                .candidates(&CandidateQuery::first_round(&name), now)
            {
                Ok(set) => (0..set.len())
                    .filter_map(|index| set.credential(index))
                    .map(|credential| credential.id.to_string())
                    .collect(),
                Err(Unavailable::NoneAvailable(_)) => Vec::new(),
                Err(other) => panic!("{other}"),
            };
            let unexpected = offered.iter().find(|id| !available.contains(id));
            if let Some(id) = unexpected {
                self.world
                    .report_violation(format!("{id} is a candidate for {name} and not available"));
            }
            if offered.is_empty() && !available.is_empty() {
                self.world.report_violation(format!(
                    "{available:?} are available for {name} and no candidates"
                ));
            }
        }
    }

    fn available_credentials(&self, name: &str) -> Vec<String> {
        let full = |provider: &str| {
            let state = self.world.lock();
            provider == "p0" && state.in_flight[0] >= state.provider_in_flight_max
        };
        let upstream = name.replace('m', "up-");
        let views = self.auth.list().into_iter().map(|view| view.status);
        let available = views.filter(|status| {
            let is_available =
                |availability| matches!(availability, Availability::Ready | Availability::Probe);
            let model = status
                .models
                .iter()
                .find(|model| model.model.as_str() == upstream);
            status.enabled
                && is_available(status.account.availability)
                && model.is_some_and(|model| is_available(model.health.availability))
                && status
                    .in_flight_max
                    .is_none_or(|most| status.in_flight < most)
                && !full(status.provider.as_str())
        });
        available.map(|status| status.id.to_string()).collect()
    }

    /// Waits until no refresh is running and the last one's tokens are saved. Refreshes go on
    /// until the world ends, and tokens of a running refresh are saved nowhere yet.
    async fn wait_until_idle(&self) {
        // A write is shorter than this and a refresh longer, so none starts and ends in between.
        const PAUSE: Duration = Duration::from_millis(45);
        let idle = || self.world.lock().refreshing.is_empty();
        loop {
            let before = idle();
            sleep(PAUSE).await;
            if before && idle() {
                return;
            }
        }
    }

    /// At the end nothing is open, and all tokens are saved.
    async fn finish(&self) {
        let world = &self.world;
        // Time for the longest refresh, and for all retried writes.
        sleep(Duration::from_mins(2)).await;
        self.wait_until_idle().await;
        if self.auth.flush().await.is_err() {
            world.report_violation("health is not stored although the disk is good".to_owned());
        }
        let counts = self.auth.lease_counts();
        if counts.open != 0 {
            world.report_violation(format!("{} leases are open", counts.open));
        }
        let busy: Vec<_> = self
            .auth
            .list()
            .into_iter()
            .filter(|one| one.status.in_flight > 0)
            .collect();
        for one in busy {
            let status = one.status;
            world.report_violation(format!(
                "{} has {} attempts in flight",
                status.id, status.in_flight
            ));
        }
        let state = world.lock();
        let under_way: u32 = state.in_flight.iter().sum();
        let sent: usize = state
            .requests
            .values()
            .map(|request| request.sent.len())
            .sum();
        let results = state.results;
        let known = state.accounts.iter().chain(&state.retired);
        let lost = known.filter(|(id, account)| account.has_lost_tokens(self.disk.tokens(id)));
        let lost: Vec<String> = lost.map(|(id, _)| id.clone()).collect();
        drop(state);
        if under_way != 0 {
            world.report_violation(format!("{under_way} requests are in progress"));
        }
        if usize::try_from(results).unwrap() < sent {
            world.report_violation(format!(
                "{sent} requests were sent, and {results} results reported"
            ));
        }
        for id in lost {
            world.report_violation(format!("the stored refresh token of {id} is invalid"));
        }
    }
}

impl World {
    pub(super) fn change_account(&self, id: &str, change: impl FnOnce(&mut Account)) {
        let now = self.now();
        if let Some(account) = self.lock().accounts.get_mut(id) {
            account.changed_at = now;
            change(account);
        }
    }
}
