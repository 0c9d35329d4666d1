//! Who lives in the world: clients come, an operator meddles, plugins are swapped; and the last
//! judgement.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jackfield_auth::{AuthManager, AuthParts};
use jackfield_credential::{CandidateQuery, Availability, CredentialId, Unavailable};
use jackfield_dispatch::snapshot::Snapshot;
use jackfield_dispatch::{Dispatcher, DispatcherParts};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::accounts::{Disk, Tokens};
use super::birth::{
    STEADY, born, drawn_cap, drawn_priority, drawn_weight, options, registration, snapshot, steady,
};
use super::client::client;
use super::provider::Network;
use super::world::{Account, LIFE_MS, MODELS, World};

/// Credentials at the beginning, beside the steady one.
const CREDENTIALS: u64 = 12;

/// A world and the manager in it.
pub(super) struct Life {
    pub(super) world: Arc<World>,
    dispatcher: Arc<Dispatcher>,
    pub(super) auth: AuthManager,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
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
            life.change().await;
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
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot(world, 1, 0)));
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

    /// Something that an operator does, a new configuration, or several of that at once.
    async fn change(&self) {
        match self.world.draw(0..10) {
            0 => self.reload().await,
            1 => drop(tokio::join!(self.reload(), self.meddle())),
            2 => drop(tokio::join!(self.meddle(), self.reload(), self.swap())),
            3 => drop(tokio::join!(self.reload(), self.swap(), self.reload())),
            _ => self.meddle().await,
        }
    }

    /// A new generation of the plugins, in a moment.
    async fn swap(&self) {
        sleep(Duration::from_millis(self.world.draw(0..60))).await;
        self.swap_now();
    }

    fn swap_now(&self) {
        let (world, now) = (&self.world, self.snapshot.load());
        let generation = now.generation + 1;
        world.tell(&format!("generation {generation}"));
        let next = snapshot(world, generation, now.configuration);
        self.snapshot.store(Arc::new(next));
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
        if ids.is_empty() {
            return;
        }
        let id = &ids[usize::try_from(world.draw(0..ids.len() as u64)).unwrap()];
        match world.draw(0..8) {
            0 | 1 => self.set_enabled(id, world.chance(70)).await,
            2 => self.reset(id),
            3 => self.remove(id).await,
            4 => self.redefine(id).await,
            5 => {
                world.other_options();
                self.auth.set_options(options(world));
            }
            _ => self.swap_now(),
        }
    }

    async fn set_enabled(&self, id: &str, enabled: bool) {
        self.world.changed(id, |account| account.usable = enabled);
        self.world.tell(&format!("{id} enabled: {enabled}"));
        // A disk that is bad costs durability, and no effect.
        let _ = self.auth.set_enabled(&CredentialId::new(id), enabled).await;
        self.world.changed(id, |_| {});
    }

    fn reset(&self, id: &str) {
        self.world.tell(&format!("{id} reset"));
        self.world.changed(id, |account| account.blocks.clear());
        self.auth.reset(&CredentialId::new(id)).unwrap();
    }

    /// It goes, if the disk lets it, and comes back as another account with the same name.
    async fn remove(&self, id: &str) {
        let _changing = self.auth.lock_registrations().await;
        self.world.tell(&format!("{id} is to be removed"));
        let removed = self.auth.remove(&CredentialId::new(id)).await;
        self.world.tell(&format!("{id} removed: {removed:?}"));
        if removed.is_err() {
            return;
        }
        let registration = born(&self.world, id);
        let _ = self.auth.register(registration).await;
    }

    /// Another weight, priority and cap; what it is made of stays.
    async fn redefine(&self, id: &str) {
        let _changing = self.auth.lock_registrations().await;
        let most = drawn_cap(&self.world);
        let (weight, priority) = (drawn_weight(&self.world), drawn_priority(&self.world));
        self.world
            .tell(&format!("{id} redefined: at most {most:?}"));
        self.world.changed(id, |account| {
            account.most = most;
            account.weight = weight;
            account.priority = priority;
        });
        let registration = {
            let state = self.world.lock();
            let account = state.accounts.get(id);
            account.map(|account| registration(id, account))
        };
        // Another configuration may have come first.
        let Some(registration) = registration else {
            return;
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
            let offered = match self.auth.candidates(&CandidateQuery::first_round(&name), now) {
                Ok(set) => (0..set.len())
                    .filter_map(|index| set.credential(index))
                    .map(|credential| credential.id.to_string())
                    .collect(),
                Err(Unavailable::NoneAvailable(_)) => Vec::new(),
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
            provider == "p0" && state.in_flight[0] >= state.provider_most
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
                && model.is_some_and(|model| fit(model.health.availability))
                && status
                    .in_flight_max
                    .is_none_or(|most| status.in_flight < most)
                && !full(status.provider.as_str())
        });
        fit.map(|status| status.id.to_string()).collect()
    }

    /// Waits until no refresh is under way, and what the last one brought is kept. Tokens go on being renewed
    /// for as long as the world lasts; one that is on its way is nowhere yet.
    async fn between_refreshes(&self) {
        // A write takes less than this, and a refresh takes longer: none begins and ends meanwhile.
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

    /// When all is over nothing is under way, and all that matters is kept.
    async fn end(&self) {
        let world = &self.world;
        // The longest refresh, and every write that is tried again.
        sleep(Duration::from_mins(2)).await;
        self.between_refreshes().await;
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
        let known = state.accounts.iter().chain(&state.retired);
        let lost = known.filter(|(id, account)| account.is_lost(self.disk.tokens(id)));
        let lost: Vec<String> = lost.map(|(id, _)| id.clone()).collect();
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
            world.wrong(format!("the refresh token of {id} that is kept is void"));
        }
    }
}

impl World {
    pub(super) fn changed(&self, id: &str, change: impl FnOnce(&mut Account)) {
        let now = self.now();
        if let Some(account) = self.lock().accounts.get_mut(id) {
            account.changed = now;
            change(account);
        }
    }
}
