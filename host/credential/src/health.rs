//! The health of an account, a model, a lane, a site lane or a way, as a state machine: `(state,
//! event, now) -> state`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::jitter::jittered;
use crate::{CooldownPolicy, CoolingClass, Failure, Outcome, Scope, Timestamp};

/// The health of a credential's account, of one model of it, or of another thing that failures are
/// booked on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// No failure since the last success.
    #[default]
    Ready,
    /// It failed, and is not used until the window ends. It stays in this state after the end,
    /// available again, until a success closes the window: so the strikes outlast the window.
    Cooling {
        /// The window.
        window: Window,
        /// When one attempt may probe whether the window is still needed; `None` for short
        /// windows.
        probe_at: Option<Timestamp>,
    },
    /// One attempt, the probe, finds out whether the window is still needed. No other attempt may
    /// start.
    Probing {
        /// The window that goes on if the probe fails.
        window: Window,
        /// The pause before the probe. The next one is twice as long.
        pause: Duration,
        /// The number of the probe.
        probe: u64,
    },
    /// It is unavailable until its tokens are refreshed, or the operator resets it.
    Barred {
        /// When it was barred.
        since: Timestamp,
        /// The reason.
        cause: Arc<Cause>,
    },
}

/// A period in which a credential or model is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the failure that opened it was reported.
    pub since: Timestamp,
    /// The end.
    pub until: Timestamp,
    /// Consecutive windows of one class whose length was a guess. Each doubles the next guess.
    pub strikes: u32,
    /// The class of the failure that opened it.
    pub class: CoolingClass,
    /// True if its length is the provider's hint, which is obeyed; false if it is a guess, which
    /// trials may check.
    pub hint: bool,
    /// The failure that opened it.
    pub cause: Arc<Cause>,
}

/// What is known when an attempt's outcome is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the attempt began.
    pub began: Timestamp,
    /// When its outcome is reported.
    pub now: Timestamp,
    /// The number of the probe, if the attempt was one.
    pub probe: Option<u64>,
    /// True if the attempt was a trial: it began within a window of a guess.
    pub trial: bool,
    /// True if another request than those behind a window was answered: a success then closes guesses
    /// of an outage or a refusal that came after the attempt began.
    pub refutes_guesses: bool,
    /// A random number, for the jitter of the next probe.
    pub jitter: u64,
}

impl Health {
    /// Returns the health after an attempt with this outcome.
    ///
    /// A window counts as one failure. However many calls fail during it, it becomes no longer and
    /// adds no strike, and results of attempts that began earlier are ignored. A success closes it
    /// only if its attempt began after the failure. Only probes and trials count within a
    /// window. They close it, or set its new length: the failure of a trial counts as the next
    /// guess. If a probe ends without a result, another one may start at once.
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
            (health, Outcome::Success) => health.after_success(observation),
            (health, Outcome::Cancelled | Outcome::Inconclusive) => health,
        }
    }

    /// Returns the health when an attempt begins. If a probe is due, the attempt becomes the
    /// probe. `first` is the pause before the first probe of a window.
    #[must_use]
    pub(crate) fn begin_probe(self, probe: u64, first: Duration) -> Self {
        match self {
            Self::Cooling {
                window,
                probe_at: Some(due),
            } => Self::Probing {
                // The pauses double, so their sum is twice the last one minus the first.
                pause: (due.saturating_since(window.since) + first) / 2,
                window,
                probe,
            },
            other => other,
        }
    }

    /// True if it waits for the result of this probe.
    pub(crate) fn is_probed_by(&self, number: u64) -> bool {
        matches!(self, Self::Probing { probe, .. } if *probe == number)
    }

    /// Returns whether it may be used at `now`.
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
            // A window may end while its probe is in flight.
            Self::Cooling { .. } | Self::Probing { .. } | Self::Ready => Availability::Ready,
            Self::Barred { .. } => Availability::Barred,
        }
    }

    /// Returns when [`Health::availability`] next changes by itself, after `now`.
    pub(crate) fn wakes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let (window, probe_at) = match self {
            Self::Cooling { window, probe_at } => (window, *probe_at),
            Self::Probing { window, .. } => (window, None),
            Self::Ready | Self::Barred { .. } => return None,
        };
        let due = probe_at.filter(|&due| due > now);
        Some(due.map_or(window.until, |due| due.min(window.until))).filter(|&wake| wake > now)
    }

    /// Returns the number of consecutive windows whose length was a guess.
    pub fn strikes(&self) -> u32 {
        self.window().map_or(0, |window| window.strikes)
    }

    /// Returns the failure that opened the last window, unless a success closed it, or the reason
    /// for the bar.
    pub fn cause(&self) -> Option<&Arc<Cause>> {
        match self {
            Self::Barred { cause, .. } => Some(cause),
            other => other.window().map(|window| &window.cause),
        }
    }

    /// Returns the window, even if it has ended.
    pub fn window(&self) -> Option<&Window> {
        match self {
            Self::Cooling { window, .. } | Self::Probing { window, .. } => Some(window),
            Self::Ready | Self::Barred { .. } => None,
        }
    }

    /// Returns the health after a restart: a probe in flight is not restored, and is due again.
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
        let before = self.window();
        // A trial finds out about its window alone: a hint that came meanwhile stands.
        let counts = |window: &Window| match observation.trial && !window.hint {
            true => observation.began >= window.since,
            false => observation.began >= window.since && observation.now >= window.until,
        };
        if before.is_some_and(|window| !counts(window)) {
            return self;
        }
        let strikes = before.map_or(0, |window| window.strikes_of(failure, policy));
        let Some(cooldown) = policy.cooldown_for(failure, strikes) else {
            return self;
        };
        let end = observation.now + cooldown.length;
        let guess = !cooldown.hint;
        let window = Window {
            since: observation.now,
            // The guess after a trial must not shorten the one before.
            until: before
                .filter(|_| guess)
                .map_or(end, |window| end.max(window.until)),
            strikes: strikes.saturating_add(u32::from(guess)),
            class: cooldown.class,
            hint: cooldown.hint,
            cause: Arc::new(Cause::of(failure)),
        };
        window.cooling(None, observation, policy)
    }

    fn after_success(self, observation: Observation) -> Self {
        let closes = |window: &Window| match observation.trial {
            true => observation.began >= window.since,
            false => observation.began > window.since,
        };
        let refutes = |window: &Window| {
            observation.refutes_guesses && !window.hint && window.class.is_refuted_by_service()
        };
        match self.window() {
            Some(window) if closes(window) || refutes(window) => Self::Ready,
            _ => self,
        }
    }

    /// Returns the health in which one attempt may probe at once whether an open window is still
    /// needed.
    #[must_use]
    pub(crate) fn probed_at_once(self, now: Timestamp) -> Self {
        match self {
            Self::Cooling { window, .. } if now < window.until => Self::Cooling {
                window,
                probe_at: Some(now),
            },
            other => other,
        }
    }

    /// True if it speaks of the secret: the provider refused it, or the host barred it.
    pub(crate) fn is_of_secret(&self) -> bool {
        match self {
            Self::Barred { .. } => true,
            other => other
                .window()
                .is_some_and(|window| window.class == CoolingClass::Refused && !window.hint),
        }
    }

    /// Returns the window of a guess that has ended, and that no success has closed yet.
    pub(crate) fn ended_guess(&self, now: Timestamp) -> Option<&Window> {
        self.window()
            .filter(|window| !window.hint && window.until <= now)
    }

    /// Returns the window that is open at `now`.
    pub(crate) fn open_window(&self, now: Timestamp) -> Option<&Window> {
        self.window().filter(|window| now < window.until)
    }
}

impl Window {
    /// Returns the strikes that a failure adds to: those of its own class.
    fn strikes_of(&self, failure: &Failure, policy: &CooldownPolicy) -> u32 {
        let class = policy.cooldown_for(failure, 0).map(|first| first.class);
        match class {
            Some(class) if class.doubles(self.class) => self.strikes,
            _ => 0,
        }
    }

    /// Opens the window, with a probe after `pause`, or after the policy's first pause, if the window
    /// is long enough.
    fn cooling(
        self,
        pause: Option<Duration>,
        observation: Observation,
        policy: &CooldownPolicy,
    ) -> Health {
        let length = self.until.saturating_since(self.since);
        let first = policy.first_probe(self.hint, length);
        let due = first.map(|first| {
            let pause = pause.filter(|_| !self.hint).unwrap_or(first);
            observation.now + jittered(pause, observation.jitter)
        });
        let probe_at = due.filter(|&due| due < self.until);
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
            Outcome::Failed(failure) => {
                match policy.cooldown_for(failure, self.strikes_of(failure, policy)) {
                    // The failure says nothing about the credential. The path to it may be down for
                    // longer.
                    None => self.cooling(Some(pause), observation, policy),
                    Some(cooldown) => {
                        let end = observation.now + cooldown.length;
                        let until = if cooldown.hint {
                            end
                        } else {
                            // A guess must not shorten the window, which may be the provider's hint.
                            end.max(self.until)
                        };
                        let window = Self {
                            until,
                            class: cooldown.class,
                            // Until the end of a hint, a guess only adds to it.
                            hint: cooldown.hint || (self.hint && end <= self.until),
                            cause: Arc::new(Cause::of(failure)),
                            ..self
                        };
                        window.cooling(Some(pause.saturating_mul(2)), observation, policy)
                    }
                }
            }
        }
    }
}

/// Whether a credential, or a model of it, may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It may be used.
    Ready,
    /// One attempt may start, as a probe of a long window.
    Probe,
    /// The probe is in flight.
    Probing {
        /// The end of the window, if the probe does not close it.
        until: Timestamp,
    },
    /// Not before `until`.
    Cooling {
        /// The end of the window. At exactly this time it is available again.
        until: Timestamp,
    },
    /// Not before its tokens are refreshed or the operator resets it.
    Barred,
}

impl Availability {
    /// Combines two availabilities: both must allow an attempt; the worse one, and of two windows
    /// the later end, counts.
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

    /// True if an attempt may start.
    pub fn is_available(self) -> bool {
        matches!(self, Self::Ready | Self::Probe)
    }

    /// Returns the end of the window, if there is one.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Cooling { until } | Self::Probing { until } => Some(until),
            Self::Ready | Self::Probe | Self::Barred => None,
        }
    }
}
/// The record of a failure, for operators and logs. Texts are truncated, since providers and
/// plugins can send any length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What the failure is attributed to.
    pub scope: Scope,
    /// The kind of failure; at most 64 bytes.
    pub kind: Cow<'static, str>,
    /// The provider's HTTP status, if there was one.
    pub status: Option<u16>,
    /// One sentence for operators; at most 512 bytes.
    pub message: Box<str>,
}

impl Cause {
    /// Creates the record of a failure.
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

    /// True if it is the record of this failure.
    pub(crate) fn is_of(&self, failure: &Failure) -> bool {
        self.scope == failure.scope
            && self.status == failure.status
            && *self.message == *truncate(&failure.message, MESSAGE_BYTES_MAX)
            && *self.kind == *truncate(&failure.kind, KIND_BYTES_MAX)
    }
}

fn truncate(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
}

/// A kind is one word. This is three times the length of the longest known one.
const KIND_BYTES_MAX: usize = 64;

/// One long sentence. Each model of each credential keeps one, so this bounds the memory of 10,000
/// failed credentials.
const MESSAGE_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests;
