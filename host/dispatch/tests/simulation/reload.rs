//! Reloads: credentials are added, removed, added again and changed, with other options, all at
//! one moment.

use std::sync::Arc;

use jackfield_auth::{Reconfiguration, Registration};

use super::actors::Simulation;
use super::world::{PROVIDERS, World};
use super::world_setup::{
    STEADY, new_registration, options, random_in_flight_max, random_models, random_phases,
    random_priority, random_source, random_weight, registration, snapshot,
};

/// Maximum number of accounts.
const ACCOUNTS_MAX: usize = 20;

/// A new configuration, and its changes.
struct NextConfiguration {
    registrations: Vec<Registration>,
    added: usize,
    removed: usize,
}

impl Simulation {
    /// As the server does it: prepared in the background, then applied at once.
    pub(super) async fn reload(&self) {
        let world = &self.world;
        let _changing = self.auth.lock_registrations().await;
        // The disk may be bad: then some health is lost.
        let _ = self.auth.flush().await;
        let persisted = self.auth.persisted_state().await.unwrap();
        if world.chance(20) {
            world.toggle_options();
        }
        let new = world.next_configuration();
        let before = self.snapshot.load().configuration;
        let reconfiguration = Reconfiguration {
            registrations: new.registrations,
            options: options(world),
            persisted,
        };
        let publish = |configuration| {
            let generation = self.snapshot.load().generation + 1;
            let next = snapshot(world, generation, configuration);
            self.snapshot.store(Arc::new(next));
        };
        let counted = self.auth.reconfigure(reconfiguration, publish).unwrap();
        world.log(&format!("new configuration: {counted:?}"));
        if (counted.added, counted.removed) != (new.added, new.removed) {
            world.report_violation(format!("the configuration was applied as {counted:?}"));
        }
        if self.snapshot.load().configuration != before + 1 {
            world.report_violation("two configurations were applied at once".to_owned());
        }
    }
}

impl World {
    /// Toggles cooling for all credentials, or changes the first provider's limit.
    pub(super) fn toggle_options(&self) {
        let most = self.random(6..16);
        let mut state = self.lock();
        if most < 11 {
            state.cooling_disabled = !state.cooling_disabled;
        } else {
            state.provider_in_flight_max = u32::try_from(most).unwrap();
        }
    }

    fn next_configuration(&self) -> NextConfiguration {
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
            match self.random(0..20) {
                0 | 1 => {
                    self.retire(id);
                    removed += 1;
                }
                2..=4 => self.alter(id),
                5 => self.log_in(id),
                _ => {}
            }
        }
        let mut added = 0;
        for id in &absent {
            match self.random(0..20) {
                0..=7 => self.restore(id),
                8 => {
                    drop(new_registration(self, id));
                    // The health of its predecessor may be stored.
                    self.change_account(id, |account| account.forget_windows(account.added_at));
                }
                _ => continue,
            }
            added += 1;
        }
        let has_capacity = self.lock().accounts.len() < ACCOUNTS_MAX;
        if has_capacity && self.chance(30) {
            let number = self.lock().incarnations;
            drop(new_registration(self, &format!("n{number:03}")));
            added += 1;
        }
        let state = self.lock();
        let registrations = state.accounts.iter();
        NextConfiguration {
            registrations: registrations
                .map(|(id, account)| registration(id, account))
                .collect(),
            added,
            removed,
        }
    }

    /// Removes it from the configuration. Its stored health is there when a configuration adds it
    /// again.
    fn retire(&self, id: &str) {
        self.log(&format!("{id} is removed from the configuration"));
        if let Some(account) = self.detach(id) {
            self.lock().retired.insert(id.to_owned(), account);
        }
    }

    /// Adds it again, with its tokens, the operator's override and its health.
    fn restore(&self, id: &str) {
        self.log(&format!("{id} is in the configuration again"));
        let now = self.now();
        let mut state = self.lock();
        let mut account = state.retired.remove(id).unwrap();
        account.forget_windows(now);
        account.added_at = now;
        account.changed_at = now;
        state.accounts.insert(id.to_owned(), account);
    }

    /// Changes everything except id and provider.
    fn alter(&self, id: &str) {
        let (most, weight, priority) = (
            random_in_flight_max(self),
            random_weight(self),
            random_priority(self),
        );
        let cooling_disabled = self.chance(20).then(|| self.chance(50));
        let rounds = self.chance(20).then(|| self.random(1..4));
        let models = self.chance(30).then(|| random_models(self));
        let phases_of = |&model: &usize| (model, random_phases(self, self.now()));
        let new_phases: Vec<_> = models.iter().flatten().map(phases_of).collect();
        let provider = self.chance(10).then(|| self.random(0..PROVIDERS as u64));
        self.log(&format!(
            "{id} is changed in the configuration: at most {most:?}, for {models:?}, of {provider:?}"
        ));
        let mut moved = None;
        self.change_account(id, |account| {
            account.in_flight_max = most;
            account.weight = weight;
            account.priority = priority;
            account.cooling_disabled = cooling_disabled;
            account.rounds = rounds.map(|rounds| u32::try_from(rounds).unwrap());
            if let Some(models) = models {
                for (model, fate) in new_phases {
                    account.phases.entry(model).or_insert(fate);
                }
                let served = |of: &Option<usize>| of.is_none_or(|of| models.contains(&of));
                account.windows.retain(|of, _| served(of));
                account.models = models;
            }
            if let Some(provider) = provider {
                let provider = usize::try_from(provider).unwrap();
                if provider != account.provider {
                    // Another provider may serve it at once.
                    account.allow_attempts();
                }
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

    /// The operator logs in again: the former secrets are invalid, and the source has new ones.
    fn log_in(&self, id: &str) {
        self.log(&format!("{id} is logged in again"));
        let (before, oauth) = {
            let state = self.lock();
            let account = &state.accounts[id];
            (account.secret, account.oauth)
        };
        let source = random_source(self, before, oauth);
        self.change_account(id, |account| {
            // Another secret starts afresh, and of another account one attempt finds out at once.
            account.allow_attempts();
            account.source = source;
            account.secret = source.secret;
            account.refresh_token = source.refresh_token;
            account.expires_at = source.expires_at;
        });
    }
}
