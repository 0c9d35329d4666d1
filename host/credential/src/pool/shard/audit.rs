//! The index, made again from health alone, to hold the kept one against.

use super::*;

impl Shard {
    /// Panics unless the index equals what health says at `now`. It must be fresh: see
    /// [`Shard::refresh`].
    pub(in crate::pool) fn audit(&self, entries: &Entries, now: Timestamp) {
        assert!(self.stale.is_empty(), "a refresh leaves nothing stale");
        let mut ready = vec![Vec::new(); self.tiers.len()];
        let (mut waiting, mut ends) = (BTreeSet::new(), BTreeSet::new());
        let mut counts = Counts::default();
        for (index, seat) in (0..).zip(&self.seats) {
            assert_eq!(seat.member.seat, index, "seats are numbered in order");
            let place = seat.standing(entries, now);
            counts.add(place);
            match place {
                Place::Ready => ready[seat.tier as usize].push(seat.member),
                Place::Waiting { wake, until, .. } => {
                    assert!(wake > now, "it would be looked at for ever");
                    waiting.insert((wake, index));
                    ends.insert((until, index));
                }
                Place::Disabled | Place::Barred | Place::Busy => {}
            }
        }
        assert_eq!(self.waiting, waiting, "waiting, under `{}`", self.name);
        assert_eq!(self.ends, ends, "ends of windows, under `{}`", self.name);
        assert_eq!(self.counts, counts, "not ready, under `{}`", self.name);
        let kept: Vec<Vec<Member>> = self
            .tiers
            .iter()
            .map(|tier| tier.ready.iter().copied().collect())
            .collect();
        assert_eq!(kept, ready, "ready by tier, under `{}`", self.name);
    }
}
