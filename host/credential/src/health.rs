//! How a credential stands, for its account or for one model: `(state, event, now) -> state`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::{CooldownPolicy, Failure, Outcome, Scope, Timestamp};

/// How a credential stands, for its account or for one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing is known against it.
    #[default]
    Ready,
    /// It failed, and is left alone until its window ends. It stays in this state beyond that end,
    /// fit to be chosen, until a success closes the window: so the strikes outlive it.
    Cooling {
        /// The window.
        window: Window,
        /// When one attempt may find out whether the window is still needed; none for short ones.
        probe_at: Option<Timestamp>,
    },
    /// One attempt, the probe, finds out whether the window is still needed. Nobody else may.
    Probing {
        /// The window that goes on if the probe fails.
        window: Window,
        /// The pause before the probe: the next one is twice that.
        pause: Duration,
        /// Which attempt is the probe.
        probe: u64,
    },
    /// It cannot serve until somebody acts: its tokens are renewed, or the operator resets it.
    Barred {
        /// Since when.
        since: Timestamp,
        /// Why.
        cause: Arc<Cause>,
    },
}

/// A time in which something is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the failure that opened it was told.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Windows in a row whose length was guessed. Each doubles the next guess.
    pub strikes: u32,
    /// The failure that opened it.
    pub cause: Arc<Cause>,
}

/// What is known when the outcome of an attempt is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the attempt began.
    pub began: Timestamp,
    /// When its outcome is told.
    pub now: Timestamp,
    /// The number of the probe that it was, if it was one.
    pub probe: Option<u64>,
    /// Any number, for the jitter of the next probe.
    pub jitter: u64,
}

impl Health {
    /// How it stands after an attempt had this outcome.
    ///
    /// One window is one verdict: however many calls fail in it, it is neither longer nor a further
    /// strike, and what attempts from before it have to tell is old news. A success closes it only
    /// if its attempt began after the failure. The probe alone speaks within a window: it closes the
    /// window, or learns its new length, or was of no use, and then another may be sent at once.
    #[must_use]
    pub fn next(
        self,
        outcome: &Outcome,
        observation: Observation,
        policy: &CooldownPolicy,
    ) -> Self {
        match (self, outcome) {
            (barred @ Self::Barred { .. }, _) => barred,
            (
                Self::Probing {
                    window,
                    pause,
                    probe,
                },
                outcome,
            ) if observation.probe == Some(probe) => {
                window.after_probe(pause, outcome, observation, policy)
            }
            (health, Outcome::Failed(failure)) => {
                health.after_failure(failure, observation, policy)
            }
            (health, Outcome::Success) => health.after_success(observation.began),
            (health, Outcome::Cancelled | Outcome::Inconclusive) => health,
        }
    }

    /// How it stands when an attempt begins, where the attempt is the probe that was due. `first_round`: the
    /// pause before the first probe of a window.
    #[must_use]
    pub(crate) fn begin_probe(self, probe: u64, first: Duration) -> Self {
        match self {
            Self::Cooling {
                window,
                probe_at: Some(due),
            } => Self::Probing {
                // Pauses that double add up to twice the last, less the first.
                pause: (due.saturating_since(window.since) + first) / 2,
                window,
                probe,
            },
            other => other,
        }
    }

    /// Whether it waits for the end of this probe.
    pub(crate) fn is_probed_by(&self, number: u64) -> bool {
        matches!(self, Self::Probing { probe, .. } if *probe == number)
    }

    /// Whether it may be chosen at `now`.
    pub fn availability(&self, now: Timestamp) -> Availability {
        match *self {
            Self::Cooling {
                ref window,
                probe_at,
            } if now < window.until => match probe_at {
                Some(due) if due <= now => Availability::Probe,
                _ => Availability::Cooling {
                    until: window.until,
                },
            },
            Self::Probing { ref window, .. } if now < window.until => Availability::Probing {
                until: window.until,
            },
            // A window that ended under its probe is over, as any other.
            Self::Cooling { .. } | Self::Probing { .. } | Self::Ready => Availability::Ready,
            Self::Barred { .. } => Availability::Barred,
        }
    }

    /// When [`Health::availability`] changes by itself, if it does after `now`.
    pub(crate) fn wakes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let (window, probe_at) = match self {
            Self::Cooling { window, probe_at } => (window, *probe_at),
            Self::Probing { window, .. } => (window, None),
            Self::Ready | Self::Barred { .. } => return None,
        };
        let due = probe_at.filter(|&due| due > now);
        Some(due.map_or(window.until, |due| due.min(window.until))).filter(|&wake| wake > now)
    }

    /// Windows in a row whose length was guessed.
    pub fn strikes(&self) -> u32 {
        self.window().map_or(0, |window| window.strikes)
    }

    /// The failure that opened the last window, as long as no success closed it, or why it is barred.
    pub fn cause(&self) -> Option<&Arc<Cause>> {
        match self {
            Self::Barred { cause, .. } => Some(cause),
            other => other.window().map(|window| &window.cause),
        }
    }

    /// Its window, even if it has ended.
    pub fn window(&self) -> Option<&Window> {
        match self {
            Self::Cooling { window, .. } | Self::Probing { window, .. } => Some(window),
            Self::Ready | Self::Barred { .. } => None,
        }
    }

    /// What is kept of it over a restart: the probe of a process that has ended answers nobody.
    #[must_use]
    pub(crate) fn restored(self) -> Self {
        match self {
            Self::Probing { window, pause, .. } => Self::Cooling {
                probe_at: Some(window.since + pause),
                window,
            },
            other => other,
        }
    }

    fn after_failure(
        self,
        failure: &Failure,
        observation: Observation,
        policy: &CooldownPolicy,
    ) -> Self {
        if let Some(window) = self.window()
            && (observation.began < window.since || observation.now < window.until)
        {
            return self;
        }
        let strikes = self.strikes();
        let Some(cooldown) = policy.cooldown_for(failure, strikes) else {
            return self;
        };
        let window = Window {
            since: observation.now,
            until: observation.now + cooldown.length,
            strikes: strikes.saturating_add(u32::from(cooldown.strike)),
            cause: Arc::new(Cause::of(failure)),
        };
        window.cooling(policy.probe_first, observation, policy)
    }

    fn after_success(self, began: Timestamp) -> Self {
        match self.window() {
            Some(window) if began > window.since => Self::Ready,
            _ => self,
        }
    }
}

impl Window {
    /// Left alone, with a look after `pause` if the window is long enough to need one.
    fn cooling(self, pause: Duration, observation: Observation, policy: &CooldownPolicy) -> Health {
        let length = self.until.saturating_since(self.since);
        let due = observation.now + policy.jittered(pause, observation.jitter);
        let probe_at = (length > policy.probe_after && due < self.until).then_some(due);
        Health::Cooling {
            window: self,
            probe_at,
        }
    }

    fn after_probe(
        self,
        pause: Duration,
        outcome: &Outcome,
        observation: Observation,
        policy: &CooldownPolicy,
    ) -> Health {
        let again = |window: Self| Health::Cooling {
            window,
            probe_at: Some(observation.now),
        };
        match outcome {
            Outcome::Success => Health::Ready,
            Outcome::Cancelled | Outcome::Inconclusive => again(self),
            Outcome::Failed(failure) => match policy.cooldown_for(failure, self.strikes) {
                // Nothing was learnt of the credential; but the way to it may be down for longer.
                None => self.cooling(pause, observation, policy),
                Some(cooldown) => {
                    let end = observation.now + cooldown.length;
                    let until = if cooldown.hint {
                        end
                    } else {
                        end.max(self.until)
                    };
                    let window = Self {
                        until,
                        cause: Arc::new(Cause::of(failure)),
                        ..self
                    };
                    window.cooling(pause.saturating_mul(2), observation, policy)
                }
            },
        }
    }
}

/// Whether something may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It may.
    Ready,
    /// One attempt may, to see whether the rest of a long window is needed.
    Probe,
    /// That attempt is under way.
    Probing {
        /// The end of the window, if the probe does not close it.
        until: Timestamp,
    },
    /// Not before `until`.
    Cooling {
        /// The end of the window; at this very moment it may be chosen again.
        until: Timestamp,
    },
    /// Not before somebody acts.
    Barred,
}

impl Availability {
    /// Both must allow it; the later end counts, and what is worse.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Barred, _) | (_, Self::Barred) => Self::Barred,
            (Self::Ready, other) | (other, Self::Ready) => other,
            (Self::Probe, other) | (other, Self::Probe) => other,
            (one, other) => match (one.until(), other.until()) {
                (Some(a), Some(b)) if b > a => other,
                _ => one,
            },
        }
    }

    /// Whether an attempt may begin.
    pub fn is_available(self) -> bool {
        matches!(self, Self::Ready | Self::Probe)
    }

    /// The end of the window, where there is one.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Cooling { until } | Self::Probing { until } => Some(until),
            Self::Ready | Self::Probe | Self::Barred => None,
        }
    }
}
/// What is kept of a failure: for people, and for the log. Texts are cut, since they may come from
/// a provider or a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Whose fault it was.
    pub scope: Scope,
    /// What kind it was; at most 64 bytes.
    pub kind: Cow<'static, str>,
    /// The provider's status code, where there was one.
    pub status: Option<u16>,
    /// One sentence for people; at most 512 bytes.
    pub message: Box<str>,
}

impl Cause {
    /// Of a failure, what is kept.
    pub fn of(failure: &Failure) -> Self {
        let kind = match &failure.kind {
            Cow::Borrowed(kind) => Cow::Borrowed(truncate(kind, KIND_BYTES_MAX)),
            Cow::Owned(kind) => Cow::Owned(truncate(kind, KIND_BYTES_MAX).to_owned()),
        };
        Self {
            scope: failure.scope,
            kind,
            status: failure.status,
            message: truncate(&failure.message, MESSAGE_BYTES_MAX).into(),
        }
    }
}

fn truncate(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
}

/// A kind is one word; three of the longest known ones fit.
const KIND_BYTES_MAX: usize = 64;

/// One long sentence. Each credential keeps one a model, so this bounds what 10,000 failed ones hold.
const MESSAGE_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests;
