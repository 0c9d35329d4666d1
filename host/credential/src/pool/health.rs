//! Health changes other than results: bar, reset, restore.

use std::sync::Arc;

use super::entry::Touched;
use super::{Effects, HealthChange, HealthRecord, Pool, Slot, touch};
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

    /// Lets a credential start afresh, as far as the reason allows. `None` if it does not exist.
    ///
    /// A new secret drops what speaks of the old one: bars, and windows of a refused secret. What
    /// speaks of the account stays: limits, quotas and billing. A secret of another account, and an
    /// operator who enables the credential again, get one trial of each of those at once.
    pub fn renew(&mut self, id: &str, renewal: Renewal, now: Timestamp) -> Option<Effects> {
        let now = self.advance(now);
        let slot = self.slot(id)?;
        let live = self.slots.live_mut(slot)?;
        let changes = live.replace_health(|_, health| match renewal {
            Renewal::SameAccount | Renewal::NewAccount if health.is_of_secret() => Health::Ready,
            Renewal::SameAccount => health,
            Renewal::NewAccount | Renewal::Enabled => health.probed_at_once(now),
        });
        Some(self.replaced(slot, changes))
    }

    /// Makes the account, all models and lanes of a credential ready, and its site and way. `None`
    /// if it does not exist.
    pub fn reset(&mut self, id: &str) -> Option<Effects> {
        let slot = self.slot(id)?;
        let live = self.slots.live_mut(slot)?;
        let changes = live.replace_health(|_, _| Health::Ready);
        self.sites.reset(live.route);
        Some(self.replaced(slot, changes))
    }

    /// Updates the index after the health of a credential was replaced.
    fn replaced(&mut self, slot: Slot, changes: Vec<HealthChange>) -> Effects {
        if changes.is_empty() {
            return Effects::default();
        }
        if let Some(live) = self.slots.live(slot) {
            touch(&mut self.name_indexes, live, Touched::Account);
        }
        // A bar may have hidden a lane that cools.
        self.touch_lanes(slot);
        Effects {
            capacity_freed: true,
            cooldown_changed: true,
            changes,
        }
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
                        secrets_digest: None,
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
        let slot = self.slot(id)?;
        let change = self.slots.live_mut(slot)?.set_account(to);
        Some(self.replaced(slot, Vec::from_iter(change)))
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
