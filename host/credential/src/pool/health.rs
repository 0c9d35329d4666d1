//! Health changes other than results: bar, reset, restore.

use std::sync::Arc;

use super::entry::Touched;
use super::{Effects, HealthRecord, Pool, touch};
use crate::{Cause, Health, Timestamp};

impl Pool {
    /// Bars a credential for all models, until it is unbarred or reset. `None` if it does not
    /// exist.
    pub fn bar(&mut self, id: &str, cause: Cause, now: Timestamp) -> Option<Effects> {
        let since = self.advance(now);
        let cause = Arc::new(cause);
        self.set_account(id, Health::Barred { since, cause })
    }

    /// Ends a bar. A cooling account stays as it is. `None` if it does not exist.
    pub fn unbar(&mut self, id: &str) -> Option<Effects> {
        let live = self.slots.live(self.slot(id)?)?;
        if matches!(live.account, Health::Barred { .. }) {
            return self.set_account(id, Health::Ready);
        }
        Some(Effects::default())
    }

    /// Drops what speaks of a replaced secret or of an ended pause. `None` if the credential does
    /// not exist.
    pub fn renew(&mut self, id: &str, _renewal: Renewal, now: Timestamp) -> Option<Effects> {
        self.advance(now);
        self.unbar(id)
    }

    /// Makes the account and all models of a credential ready. `None` if it does not exist.
    pub fn reset(&mut self, id: &str) -> Option<Effects> {
        let live = self.slots.live_mut(self.slot(id)?)?;
        let changes = live.reset();
        touch(&mut self.name_indexes, live, Touched::Account);
        Some(Effects {
            capacity_freed: !changes.is_empty(),
            changes,
        })
    }

    /// Returns all health that is not ready.
    pub fn health(&self) -> Vec<HealthRecord> {
        let mut records = Vec::new();
        for live in self
            .by_id
            .values()
            .filter_map(|&slot| self.slots.live(slot))
        {
            let models = live
                .models
                .iter()
                .map(|model| (Some(model.key.clone()), &model.health));
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

    /// Restores health from before a restart. A probe that was in flight is due again. Records
    /// without a credential or model in the pool are ignored.
    pub fn restore(&mut self, records: Vec<HealthRecord>) {
        for record in records {
            let slot = self.slot(record.credential.as_str());
            let Some(live) = slot.and_then(|slot| self.slots.live_mut(slot)) else {
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
        let live = self.slots.live_mut(self.slot(id)?)?;
        let changes = live.set_account(to);
        touch(&mut self.name_indexes, live, Touched::Account);
        Some(Effects {
            capacity_freed: !changes.is_empty(),
            changes,
        })
    }
}

/// Why a credential starts afresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// A new secret of the same account: a refresh, or another login.
    SameAccount,
    /// A secret of another account, or a replaced API key, whose account is unknown.
    NewAccount,
    /// The operator enabled it after it was disabled.
    Enabled,
}
