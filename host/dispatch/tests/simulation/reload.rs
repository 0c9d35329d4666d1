//! The configuration read anew: who comes, goes and comes back, what is said of who stays, and other
//! options, all of it at one moment.

use std::sync::Arc;

use jackfield_auth::{Reconfiguration, Registration};

use super::birth::{
    STEADY, born, drawn_cap, drawn_models, drawn_priority, drawn_source, drawn_weight, options,
    phases, registration, snapshot,
};
use super::people::Life;
use super::world::{PROVIDERS, World};

/// Accounts there are at most.
const ACCOUNTS_MAX: usize = 20;

/// A new configuration, and what it makes of the old one.
struct New {
    registrations: Vec<Registration>,
    added: usize,
    removed: usize,
}

impl Life {
    /// As the server does it: prepared while everything goes on, and then all at once.
    pub(super) async fn reload(&self) {
        let world = &self.world;
        let _changing = self.auth.lock_registrations().await;
        let began = world.now();
        // Health is kept that was known by then, if the disk is good.
        let kept_from = self.auth.flush().await.is_ok().then_some(began);
        let kept = self.auth.persisted_state().await.unwrap();
        if world.chance(20) {
            world.other_options();
        }
        let new = world.another_configuration(kept_from);
        let before = self.snapshot.load().configuration;
        let reconfiguration = Reconfiguration {
            registrations: new.registrations,
            options: options(world),
            persisted: kept,
        };
        let publish = |configuration| {
            let generation = self.snapshot.load().generation + 1;
            let next = snapshot(world, generation, configuration);
            self.snapshot.store(Arc::new(next));
        };
        let counted = self.auth.reconfigure(reconfiguration, publish).unwrap();
        world.tell(&format!("another configuration: {counted:?}"));
        if (counted.added, counted.removed) != (new.added, new.removed) {
            world.wrong(format!("the configuration was taken as {counted:?}"));
        }
        if self.snapshot.load().configuration != before + 1 {
            world.wrong("two configurations came at once".to_owned());
        }
    }
}

impl World {
    /// Has everybody else cool or not cool, or another cap on the first provider.
    pub(super) fn other_options(&self) {
        let most = self.draw(6..16);
        let mut state = self.lock();
        if most < 11 {
            state.cooling_disabled = !state.cooling_disabled;
        } else {
            state.provider_most = u32::try_from(most).unwrap();
        }
    }

    fn another_configuration(&self, kept_from: Option<u64>) -> New {
        let (present, absent): (Vec<String>, Vec<String>) = {
            let state = self.lock();
            let present = state.accounts.keys().filter(|id| *id != STEADY);
            (
                present.cloned().collect(),
                state.retired.keys().cloned().collect(),
            )
        };
        let mut removed = 0;
        for id in &present {
            match self.draw(0..20) {
                0 | 1 => {
                    self.retire(id, kept_from);
                    removed += 1;
                }
                2..=4 => self.alter(id),
                5 => self.log_in(id),
                _ => {}
            }
        }
        let mut added = 0;
        for id in &absent {
            match self.draw(0..20) {
                0..=7 => self.come_back(id),
                8 => drop(born(self, id)),
                _ => continue,
            }
            added += 1;
        }
        let room = self.lock().accounts.len() < ACCOUNTS_MAX;
        if room && self.chance(30) {
            let number = self.lock().lives;
            drop(born(self, &format!("n{number:03}")));
            added += 1;
        }
        let state = self.lock();
        let registrations = state.accounts.iter();
        New {
            registrations: registrations
                .map(|(id, account)| registration(id, account))
                .collect(),
            added,
            removed,
        }
    }

    /// No configuration names it any more. What was kept of its health is there when one does again.
    fn retire(&self, id: &str, kept_from: Option<u64>) {
        self.tell(&format!("{id} is not configured any more"));
        let Some(mut account) = self.leave(id) else {
            return;
        };
        let kept = |from: u64| kept_from.is_some_and(|kept| from < kept);
        account.blocks.retain(|_, block| kept(block.from));
        self.lock().retired.insert(id.to_owned(), account);
    }

    /// With its tokens, the operator's word and its health.
    fn come_back(&self, id: &str) {
        self.tell(&format!("{id} is configured again"));
        let now = self.now();
        let mut state = self.lock();
        let mut account = state.retired.remove(id).unwrap();
        account.changed = now;
        state.accounts.insert(id.to_owned(), account);
    }

    /// Everything is said anew but whose it is.
    fn alter(&self, id: &str) {
        let (most, weight, priority) = (drawn_cap(self), drawn_weight(self), drawn_priority(self));
        let cooling_disabled = self.chance(20).then(|| self.chance(50));
        let rounds = self.chance(20).then(|| self.draw(1..4));
        let models = self.chance(30).then(|| drawn_models(self));
        let fate = |&model: &usize| (model, phases(self, self.now()));
        let fates: Vec<_> = models.iter().flatten().map(fate).collect();
        let provider = self.chance(10).then(|| self.draw(0..PROVIDERS as u64));
        self.tell(&format!(
            "{id} is configured otherwise: at most {most:?}, for {models:?}, of {provider:?}"
        ));
        let mut moved = None;
        self.changed(id, |account| {
            account.most = most;
            account.weight = weight;
            account.priority = priority;
            account.cooling_disabled = cooling_disabled;
            account.rounds = rounds.map(|rounds| u32::try_from(rounds).unwrap());
            if let Some(models) = models {
                for (model, fate) in fates {
                    account.phases.entry(model).or_insert(fate);
                }
                let served = |of: &Option<usize>| of.is_none_or(|of| models.contains(&of));
                account.blocks.retain(|of, _| served(of));
                account.models = models;
            }
            if let Some(provider) = provider {
                let provider = usize::try_from(provider).unwrap();
                moved = Some((account.provider, provider, account.in_flight));
                account.provider = provider;
            }
        });
        if let Some((from, to, in_flight)) = moved {
            let mut state = self.lock();
            state.in_flight[from] -= in_flight;
            state.in_flight[to] += in_flight;
        }
    }

    /// Somebody has logged in anew: the secrets of before are void, and the source has others.
    fn log_in(&self, id: &str) {
        self.tell(&format!("{id} is logged in anew"));
        let (before, oauth) = {
            let state = self.lock();
            let account = &state.accounts[id];
            (account.secret, account.oauth)
        };
        let source = drawn_source(self, before, oauth);
        self.changed(id, |account| {
            account.source = source;
            account.secret = source.secret;
            account.refresh_token = source.refresh_token;
            account.ends = source.ends;
        });
    }
}
