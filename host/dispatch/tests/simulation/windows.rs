//! What the rules say about the cooldown windows of one account or one model, as far as the outcomes
//! of attempts show it. Where they leave two possibilities, both are remembered.

use jackfield_credential::{Failure, Scope, kind};

/// The windows of an account, or of one of its models. All times are milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows {
    /// A window that is open until its end, whatever else happened.
    certain: Option<Window>,
    /// The last beginning and the last end that a window may have; `None` if no window counts.
    possible: Option<Span>,
    /// The windows in a row that were guesses of the same class.
    guesses: Guesses,
}

/// A window: no attempt may begin within it, except for a probe.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: u64,
    until: u64,
    class: Class,
    hint: bool,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    from: u64,
    until: u64,
}

/// The least and the greatest number of guesses in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Guesses {
    /// Their class, if it is certain.
    class: Option<Class>,
    least: u32,
    most: u32,
}

/// The classes of cooldowns that are booked on accounts and models. Those of lanes, sites and ways
/// depend on evidence, and are not checked here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Refused,
    Billing,
    Limit,
}

/// How long a failure cools.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cooldown {
    class: Class,
    /// The provider's hint, which is obeyed.
    hint: Option<u64>,
}

impl Cooldown {
    /// Returns the cooldown of an account or model; `None` if the failure is booked elsewhere, or not
    /// at all. `guesses_waived` is the option that disables guesses about limits.
    pub(super) fn of(failure: &Failure, guesses_waived: bool) -> Option<Self> {
        let is_limit = matches!(&*failure.kind, kind::RATE_LIMIT | kind::QUOTA);
        let class = match failure.scope {
            Scope::Credential if is_limit => Class::Limit,
            Scope::Credential if failure.status == Some(402) => Class::Billing,
            Scope::Credential => Class::Refused,
            Scope::Model if is_limit => Class::Limit,
            Scope::Model | Scope::Provider | Scope::Request | Scope::Transport => return None,
        };
        let may_have_hint = is_limit || matches!(failure.status, Some(429 | 503));
        let hint = failure
            .retry_after
            .filter(|hint| may_have_hint && !hint.is_zero());
        let hint = hint.map(|hint| u64::try_from(hint.as_millis()).unwrap().min(HINT_MAX_MS));
        let waived = guesses_waived && class == Class::Limit && hint.is_none();
        (!waived).then_some(Self { class, hint })
    }

    /// Returns the length after so many guesses of the same class.
    fn length(self, guesses: u32) -> u64 {
        let (first, longest) = match self.class {
            Class::Refused => (5_000, HALF_HOUR_MS),
            Class::Limit => (1_000, HALF_HOUR_MS),
            Class::Billing => (HALF_HOUR_MS, HALF_HOUR_MS),
        };
        let doubled = 2_u64.saturating_pow(guesses).saturating_mul(first);
        self.hint.unwrap_or(doubled.min(longest))
    }
}

impl Windows {
    /// Records a failure, reported at `at`, of an attempt that began at `began`.
    ///
    /// It opens a window if the attempt began after the last window did, and is reported after its end:
    /// the failures of one outage count once.
    pub(super) fn fail(&mut self, began: u64, at: u64, cooldown: Cooldown) {
        if let Some(open) = self.certain.filter(|open| at < open.until) {
            if began < open.from {
                return;
            }
            // Only a probe begins within a window. Its failure may prolong a guess, or set a hint.
            if cooldown.hint.is_some() || cooldown.class != open.class {
                self.certain = None;
            }
            return self.doubt(at, cooldown);
        }
        let counts = |last: Span| began >= last.from && at >= last.until;
        if !self.possible.is_none_or(counts) {
            self.certain = None;
            return self.doubt(at, cooldown);
        }
        let guesses = self.guesses.before(cooldown.class);
        self.guesses = guesses.and(cooldown);
        self.certain = Some(Window {
            from: at,
            until: at + cooldown.length(guesses.least),
            class: cooldown.class,
            hint: cooldown.hint.is_some(),
        });
        self.possible = Some(Span {
            from: at,
            until: at + cooldown.length(guesses.most),
        });
    }

    /// Records a failure that may count or not.
    fn doubt(&mut self, at: u64, cooldown: Cooldown) {
        let until = at + cooldown.length(self.guesses.most);
        self.guesses = Guesses {
            class: None,
            least: 0,
            ..self.guesses.and(cooldown)
        };
        self.possible = Some(Span {
            from: at,
            until: self.possible.map_or(until, |last| last.until.max(until)),
        });
    }

    /// Records that an attempt is served: it may end the window, even one that it began before.
    pub(super) fn serve(&mut self) {
        self.certain = None;
        self.guesses.least = 0;
    }

    /// Records the success of an attempt that began at `began`. It ends windows that began before.
    pub(super) fn succeed(&mut self, began: u64) {
        let ends = |from: u64| from < began;
        if self.certain.is_some_and(|window| ends(window.from)) {
            self.certain = None;
        }
        if self.possible.is_some_and(|last| ends(last.from)) {
            *self = Self::default();
        }
    }

    /// Records a new secret: what speaks of the old one ends, and limits stay.
    pub(super) fn renew(&mut self) {
        if self
            .certain
            .is_some_and(|window| window.class == Class::Refused && !window.hint)
        {
            *self = Self::default();
        }
    }

    /// Records that an attempt may be made at once, whatever is open.
    pub(super) fn allow(&mut self) {
        self.serve();
    }

    /// Records that any window may be open, such as a stored one.
    pub(super) fn forget(&mut self, now: u64) {
        self.serve();
        self.guesses.most = u32::MAX;
        self.possible = Some(Span {
            from: now,
            until: u64::MAX,
        });
    }

    /// Returns why an attempt must not begin now. `trials` is true if it may be a trial. All calls
    /// are of one client, which opened the window, so that it has no trial before the interval is over.
    pub(super) fn violation(&self, now: u64, trials: bool) -> Option<String> {
        let open = self.certain?;
        let after = match open.hint {
            true => HINT_PROBE_MS,
            false if trials => TRIAL_INTERVAL_MS,
            false => GUESS_PROBE_MS,
        };
        let is_open = open.from < now && now < open.until;
        (is_open && now < open.from + after).then(|| format!("it is blocked: {open:?}"))
    }
}

impl Guesses {
    /// Returns the guesses that another one of this class adds to.
    fn before(self, class: Class) -> Self {
        match self.class {
            Some(last) if last != class => Self::default(),
            _ => self,
        }
    }

    /// Returns the guesses after a failure.
    fn and(self, cooldown: Cooldown) -> Self {
        let more = u32::from(cooldown.hint.is_none());
        Self {
            class: Some(cooldown.class),
            least: self.least.saturating_add(more),
            most: self.most.saturating_add(more),
        }
    }
}

const HALF_HOUR_MS: u64 = 30 * 60 * 1_000;

/// The longest hint that is obeyed.
const HINT_MAX_MS: u64 = 24 * 60 * 60 * 1_000;

/// The time between two trials of a window of the classes that are checked here.
const TRIAL_INTERVAL_MS: u64 = 30 * 1_000;

/// The earliest probe of a guess: after five minutes, give or take a fifth.
const GUESS_PROBE_MS: u64 = 4 * 60 * 1_000;

/// The earliest probe of a hint: after an hour, give or take a fifth.
const HINT_PROBE_MS: u64 = 48 * 60 * 1_000;
