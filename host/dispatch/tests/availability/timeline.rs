//! What happens to a provider, a credential or a proxy over time: phases that are drawn once.

use rand::RngExt;
use rand::rngs::SmallRng;

/// Phases, each from a time on. Before the first one everything works.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    phases: Vec<(u64, Fault)>,
}

/// What does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It works.
    None,
    /// An error response without words that say whose fault it is.
    Status(u16),
    /// The connection is reset.
    Reset,
    /// A response with status 200 and nothing in it.
    Empty,
    /// No response at all.
    Hang,
    /// The connection cannot be made.
    Unreachable,
    /// 429 with the correct `retry-after`.
    Limited,
}

impl Timeline {
    /// Draws faults until `end`, all in milliseconds: each is one of `faults`, lasts as long as
    /// `length` says, and is followed by a pause.
    pub(super) fn draw(
        rng: &mut SmallRng,
        end: u64,
        faults: &[Fault],
        length: std::ops::Range<u64>,
        pause: std::ops::Range<u64>,
    ) -> Self {
        let mut phases = Vec::new();
        let mut at = rng.random_range(pause.clone());
        while at < end && !faults.is_empty() {
            let fault = faults[rng.random_range(0..faults.len())];
            phases.push((at, fault));
            at += rng.random_range(length.clone());
            phases.push((at, Fault::None));
            at += rng.random_range(pause.clone());
        }
        Self { phases }
    }

    /// Returns the fault at a time.
    pub(super) fn at(&self, now: u64) -> Fault {
        let next = self.phases.partition_point(|(from, _)| *from <= now);
        let phase = next.checked_sub(1).and_then(|index| self.phases.get(index));
        phase.map_or(Fault::None, |(_, fault)| *fault)
    }

    /// Returns when the present phase ends.
    pub(super) fn ends(&self, now: u64) -> u64 {
        let next = self.phases.partition_point(|(from, _)| *from <= now);
        self.phases.get(next).map_or(u64::MAX, |(from, _)| *from)
    }

    /// Returns whether it worked from `begin` to `end`, and the effects of what failed before
    /// were over: see [`Fault::grace_ms`]. `credentials` share the trials.
    pub(super) fn worked(&self, credentials: u64, begin: u64, end: u64) -> bool {
        let starts_and_ends = self.phases.iter().zip(self.phases.iter().skip(1));
        let faults =
            starts_and_ends.filter(|((from, fault), _)| *fault != Fault::None && *from <= end);
        faults
            .into_iter()
            .all(|((_, fault), (ended, _))| ended + fault.grace_ms(credentials) <= begin)
    }
}

impl Fault {
    /// Returns how long after its end a call may still fail, in milliseconds, by the rules of trials. One a second
    /// of a provider over all of its `credentials`, and one that hangs holds up the next for five. A refused
    /// credential has one in 30 s, and the client whose turn it is has five to come back.
    pub(super) fn grace_ms(self, credentials: u64) -> u64 {
        let trials = 1_000 * credentials + 5_000;
        match self {
            Self::None => 0,
            Self::Status(401..=404) => 30_000 + 5_000 + trials,
            // The hint is in whole seconds.
            Self::Limited => 1_000,
            Self::Status(_) | Self::Reset | Self::Empty | Self::Hang | Self::Unreachable => trials,
        }
    }
}
