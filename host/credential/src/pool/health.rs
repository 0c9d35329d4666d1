//! Health from outside: barred, reset, kept over a restart.

use std::sync::Arc;

use super::entry::Touched;
use super::{Effects, HealthRecord, Pool, touch};
use crate::{Cause, Health, Timestamp};

impl Pool {
    /// Bars a credential, whatever the model, until it is unbarred or reset. None if there is no such
    /// credential.
    pub fn bar(&mut self, id: &str, cause: Cause, now: Timestamp) -> Option<Effects> {
        let since = self.advance(now);
        let cause = Arc::new(cause);
        self.set_account(id, Health::Barred { since, cause })
    }

    /// Ends a bar; a cooling account stays as it is. None if there is no such credential.
    pub fn unbar(&mut self, id: &str) -> Option<Effects> {
        let live = self.entries.live(self.slot(id)?)?;
        if matches!(live.account, Health::Barred { .. }) {
            return self.set_account(id, Health::Ready);
        }
        Some(Effects::default())
    }

    /// Forgets what is known against a credential, of its account and of all its models. None if
    /// there is no such credential.
    pub fn reset(&mut self, id: &str) -> Option<Effects> {
        let live = self.entries.live_mut(self.slot(id)?)?;
        let changes = live.reset();
        touch(&mut self.name_indexes, live, Touched::Account);
        Some(Effects {
            capacity_freed: !changes.is_empty(),
            changes,
        })
    }

    /// All health that is not ready.
    pub fn health(&self) -> Vec<HealthRecord> {
        let mut records = Vec::new();
        for live in self
            .by_id
            .values()
            .filter_map(|&slot| self.entries.live(slot))
        {
            let models = live.models.iter();
            let models = models.map(|model| (Some(model.key.clone()), &model.health));
            for (model, health) in std::iter::once((None, &live.account)).chain(models) {
                if *health != Health::Ready {
                    records.push(HealthRecord {
                        credential: live.credential.id.clone(),
                        model,
                        health: health.clone(),
                    });
                }
            }
        }
        records
    }

    /// Takes over health from before a restart. A probe that was under way then is due again. What
    /// belongs to no credential or model of the pool is left out.
    pub fn restore(&mut self, records: Vec<HealthRecord>) {
        for record in records {
            let slot = self.slot(record.credential.as_str());
            let Some(live) = slot.and_then(|slot| self.entries.live_mut(slot)) else {
                continue;
            };
            let health = match &record.model {
                None => Some(&mut live.account),
                Some(key) => live
                    .models
                    .iter_mut()
                    .find(|model| model.key == *key)
                    .map(|model| &mut model.health),
            };
            if let Some(health) = health {
                *health = record.health.restored();
                touch(&mut self.name_indexes, live, Touched::Account);
            }
        }
    }

    fn set_account(&mut self, id: &str, to: Health) -> Option<Effects> {
        let live = self.entries.live_mut(self.slot(id)?)?;
        let changes = live.set_account(to);
        touch(&mut self.name_indexes, live, Touched::Account);
        Some(Effects {
            capacity_freed: !changes.is_empty(),
            changes,
        })
    }
}
