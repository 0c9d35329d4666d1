//! The index, made again from health alone, to hold the kept one against.

use super::*;

impl Shard {
    /// Panics unless the index equals what health says at `now`. It must be fresh: see
    /// [`Shard::refresh`].
    pub(in crate::pool) fn audit(&self, entries: &Entries, now: Timestamp) {
        assert!(self.stale.is_empty(), "a refresh leaves nothing stale");
        let mut ready = vec![Vec::new(); self.tiers.len()];
        let mut waiting = BTreeSet::new();
        let mut disabled = 0;
        for (index, seat) in (0..).zip(&self.seats) {
            assert_eq!(seat.member.seat, index, "seats are numbered in order");
            match seat.standing(entries, now) {
                Place::Disabled => disabled += 1,
                Place::Ready => ready[seat.tier as usize].push(seat.member),
                Place::Waiting(until) => {
                    waiting.insert((until, index));
                }
            }
        }
        assert_eq!(self.waiting, waiting, "waiting, under `{}`", self.name);
        assert_eq!(self.disabled, disabled, "disabled, under `{}`", self.name);
        let kept: Vec<_> = self
            .tiers
            .iter()
            .map(|tier| (*tier.ready).clone())
            .collect();
        assert_eq!(kept, ready, "ready by tier, under `{}`", self.name);
    }
}
