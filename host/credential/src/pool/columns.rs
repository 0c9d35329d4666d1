//! Columns of values for candidates, as selectors read them.
//!
//! One value per member, in the members' order. A credential that has left the pool reads as
//! unknown.

use std::sync::Arc;

use super::entry::{Live, Model};
use super::{Member, Members, Pool};
use crate::{Credential, Timestamp};

impl Pool {
    /// Returns the credentials; `None` for those that have left.
    pub fn credentials(&self, members: &Members) -> Vec<Option<Arc<Credential>>> {
        let credential = |member: &Member| Some(Arc::clone(self.credential(member.slot)?));
        members.iter().map(credential).collect()
    }

    /// Returns the weights, as configured for credential and name.
    pub fn weights(&self, members: &Members) -> Vec<u32> {
        members.iter().map(|member| member.weight).collect()
    }

    /// Returns the attempts in flight, over all models.
    pub fn in_flight(&self, members: &Members) -> Vec<u32> {
        self.column(members, 0, |live| live.in_flight)
    }

    /// Returns when each was last chosen, in milliseconds since the Unix epoch; 0 if never.
    pub fn last_used_ms(&self, members: &Members) -> Vec<u64> {
        self.column(members, 0, |live| live.last_used.as_millis())
    }

    /// Returns the failed share of the last 32 attempts with this model that ended in a success or
    /// a failure, in thousandths; 0 without any. Client errors do not count.
    pub fn error_permille(&self, members: &Members) -> Vec<u16> {
        self.model_column(members, 0, |model| model.stats.error_permille())
    }

    /// Returns the moving average of the time to the first byte with this model, in milliseconds;
    /// 0 if unknown. Each sample moves it by an eighth of the difference.
    pub fn latency_ms(&self, members: &Members) -> Vec<u32> {
        self.model_column(members, 0, |model| model.stats.latency_ms())
    }

    /// Returns the remaining quota, in thousandths; 1000 if unknown.
    pub fn quota_left_permille(&self, members: &Members) -> Vec<u16> {
        self.model_column(members, QUOTA_LEFT_UNKNOWN_PERMILLE, |model| {
            let left = model.quota.left_permille;
            left.unwrap_or(QUOTA_LEFT_UNKNOWN_PERMILLE)
        })
    }

    /// Returns when the quota resets, in milliseconds since the Unix epoch; 0 if unknown.
    pub fn quota_reset_ms(&self, members: &Members) -> Vec<u64> {
        self.model_column(members, 0, |model| {
            model.quota.resets_at.map_or(0, Timestamp::as_millis)
        })
    }

    fn column<T: Copy>(&self, members: &Members, missing: T, read: impl Fn(&Live) -> T) -> Vec<T> {
        let value = |member: &Member| self.slots.live(member.slot).map_or(missing, &read);
        members.iter().map(value).collect()
    }

    fn model_column<T: Copy>(
        &self,
        members: &Members,
        missing: T,
        read: impl Fn(&Model) -> T,
    ) -> Vec<T> {
        let value = |member: &Member| {
            let live = self.slots.live(member.slot)?;
            live.models.get(member.model as usize).map(&read)
        };
        members
            .iter()
            .map(|member| value(member).unwrap_or(missing))
            .collect()
    }
}

const QUOTA_LEFT_UNKNOWN_PERMILLE: u16 = 1000;
