//! How a credential stands, for its account or for one model: `(state, event, now) -> state`.

use std::borrow::Cow;
use std::sync::Arc;

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
        /// When the failure that opened the window was told.
        since: Timestamp,
        /// When the window ends.
        until: Timestamp,
        /// Windows in a row whose length was guessed. Each doubles the next guess.
        strikes: u32,
        /// The failure that opened the window.
        cause: Arc<Cause>,
    },
}

impl Health {
    /// How it stands after an attempt that began at `began` had this outcome.
    ///
    /// One window is one verdict: however many calls fail in it, it is neither longer nor a further
    /// strike, and what attempts from before it have to tell is old news. A success closes it only
    /// if its attempt began after the failure.
    #[must_use]
    pub fn next(
        self,
        outcome: &Outcome,
        began: Timestamp,
        now: Timestamp,
        policy: &CooldownPolicy,
    ) -> Self {
        match outcome {
            Outcome::Failed(failure) => self.after_failure(failure, began, now, policy),
            Outcome::Success => self.after_success(began),
            Outcome::Cancelled | Outcome::Unjudged => self,
        }
    }

    /// Whether it may be chosen at `now`.
    pub fn availability(&self, now: Timestamp) -> Availability {
        match *self {
            Self::Cooling { until, .. } if now < until => Availability::Cooling { until },
            Self::Cooling { .. } | Self::Ready => Availability::Ready,
        }
    }

    /// Windows in a row whose length was guessed.
    pub fn strikes(&self) -> u32 {
        match *self {
            Self::Ready => 0,
            Self::Cooling { strikes, .. } => strikes,
        }
    }

    /// The failure that opened the last window, as long as no success closed it.
    pub fn cause(&self) -> Option<&Arc<Cause>> {
        match self {
            Self::Ready => None,
            Self::Cooling { cause, .. } => Some(cause),
        }
    }

    fn after_failure(
        self,
        failure: &Failure,
        began: Timestamp,
        now: Timestamp,
        policy: &CooldownPolicy,
    ) -> Self {
        if let Self::Cooling { since, until, .. } = self
            && (began < since || now < until)
        {
            return self;
        }
        let strikes = self.strikes();
        let Some(sentence) = policy.sentence(failure, strikes) else {
            return self;
        };
        Self::Cooling {
            since: now,
            until: now + sentence.length,
            strikes: strikes.saturating_add(u32::from(sentence.strike)),
            cause: Arc::new(Cause::of(failure)),
        }
    }

    fn after_success(self, began: Timestamp) -> Self {
        match self {
            Self::Cooling { since, .. } if began > since => Self::Ready,
            other => other,
        }
    }
}

/// Whether something may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It may.
    Ready,
    /// Not before `until`.
    Cooling {
        /// The end of the window; at this very moment it may be chosen again.
        until: Timestamp,
    },
}

impl Availability {
    /// Both must be ready; the later end counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Ready, other) => other,
            (one, Self::Ready) => one,
            (Self::Cooling { until: one }, Self::Cooling { until: other }) => Self::Cooling {
                until: one.max(other),
            },
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
            Cow::Borrowed(kind) => Cow::Borrowed(cut(kind, KIND_BYTES_MAX)),
            Cow::Owned(kind) => Cow::Owned(cut(kind, KIND_BYTES_MAX).to_owned()),
        };
        Self {
            scope: failure.scope,
            kind,
            status: failure.status,
            message: cut(&failure.message, MESSAGE_BYTES_MAX).into(),
        }
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
}

/// A kind is one word; three of the longest known ones fit.
const KIND_BYTES_MAX: usize = 64;

/// One long sentence. Each credential keeps one a model, so this bounds what 10,000 failed ones hold.
const MESSAGE_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests;
