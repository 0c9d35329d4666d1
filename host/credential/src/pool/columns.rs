//! What selectors read of candidates, a column at a time.
//!
//! One value a member, in the order of the members. A credential that has left the pool since the
//! members were listed reads like one of which nothing is known.

use std::sync::Arc;

use super::entry::{Live, Model};
use super::{Member, Members, Pool};
use crate::{Credential, Timestamp};

impl Pool {
    /// The credentials themselves, for what they are configured with; none for those gone.
    pub fn credentials(&self, members: &Members) -> Vec<Option<Arc<Credential>>> {
        let credential = |member: &Member| Some(Arc::clone(self.credential(member.slot)?));
        members.iter().map(credential).collect()
    }

    /// Weights, as configured for the credential and for the name.
    pub fn weights(&self, members: &Members) -> Vec<u32> {
        members.iter().map(|member| member.weight).collect()
    }

    /// Attempts under way, whatever the model.
    pub fn in_flight(&self, members: &Members) -> Vec<u32> {
        self.column(members, 0, |live| live.in_flight)
    }

    /// When it was last chosen, whatever the model, in milliseconds since the Unix epoch; 0 for
    /// never.
    pub fn last_used_ms(&self, members: &Members) -> Vec<u64> {
        self.column(members, 0, |live| live.last_used.as_millis())
    }

    /// Failed attempts of the last 32 with this model that ended in a success or a failure, in
    /// thousandths; 0 while there were none. A client's own fault does not count.
    pub fn error_permille(&self, members: &Members) -> Vec<u16> {
        self.model_column(members, 0, |model| model.stats.error_permille())
    }

    /// Time to the first byte with this model in milliseconds, a moving average that each new one
    /// moves by an eighth of its distance; 0 while unknown.
    pub fn latency_ms(&self, members: &Members) -> Vec<u32> {
        self.model_column(members, 0, |model| model.stats.latency_ms())
    }

    /// What is left of the quota, in thousandths; 1000 while unknown.
    pub fn quota_left_permille(&self, members: &Members) -> Vec<u16> {
        self.model_column(members, QUOTA_LEFT_UNKNOWN_PERMILLE, |model| {
            let left = model.quota.left_permille;
            left.unwrap_or(QUOTA_LEFT_UNKNOWN_PERMILLE)
        })
    }

    /// When the quota is whole again, in milliseconds since the Unix epoch; 0 while unknown.
    pub fn quota_reset_ms(&self, members: &Members) -> Vec<u64> {
        self.model_column(members, 0, |model| {
            model.quota.resets_at.map_or(0, Timestamp::as_millis)
        })
    }

    fn column<T: Copy>(&self, members: &Members, missing: T, read: impl Fn(&Live) -> T) -> Vec<T> {
        let value = |member: &Member| self.entries.live(member.slot).map_or(missing, &read);
        members.iter().map(value).collect()
    }

    fn model_column<T: Copy>(
        &self,
        members: &Members,
        missing: T,
        read: impl Fn(&Model) -> T,
    ) -> Vec<T> {
        let value = |member: &Member| {
            let live = self.entries.live(member.slot)?;
            live.models.get(member.model as usize).map(&read)
        };
        members
            .iter()
            .map(|member| value(member).unwrap_or(missing))
            .collect()
    }
}

const QUOTA_LEFT_UNKNOWN_PERMILLE: u16 = 1000;
