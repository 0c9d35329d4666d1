//! `retry`: when a failed attempt is followed by another.

use std::time::Duration;

use jackfield_credential::BudgetPolicy;

use crate::mapping::{Located, Mapping};
use crate::reader::Reader;

/// When a failed attempt is followed by another.
#[derive(Debug)]
pub struct Retry {
    /// How many rounds over the credentials a call may make, from 1.
    pub rounds: u32,
    /// A further round begins only if a cooldown ends within this time.
    pub max_wait: Duration,
    /// How many credentials one round may try; 0 means all of them.
    pub max_credentials: u32,
    /// What keeps an outage from being amplified, for each provider.
    pub budget: Budget,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            rounds: 3,
            max_wait: Duration::from_secs(30),
            max_credentials: 0,
            budget: Budget::default(),
        }
    }
}

/// How many further attempts a provider is sent, beside the first ones of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Further attempts for a thousand first ones.
    pub ratio_permille: u32,
    /// Further attempts a second, however few calls there are.
    pub per_second: u32,
    /// How many may be saved up.
    pub burst: u32,
}

impl Default for Budget {
    fn default() -> Self {
        let BudgetPolicy {
            ratio_permille,
            per_second,
            burst,
        } = BudgetPolicy::default();
        Self {
            ratio_permille,
            per_second,
            burst,
        }
    }
}

/// Reads the section.
pub(crate) fn retry(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Retry> {
    let mut mapping = Mapping::open(reader, located)?;
    let default = Retry::default();
    let retry = Retry {
        rounds: mapping.field(reader, "rounds", default.rounds, Reader::rounds),
        max_wait: mapping.field(reader, "max-wait", default.max_wait, |reader, located| {
            reader.duration(located, RETRY_WAIT_MAX)
        }),
        max_credentials: mapping.field(
            reader,
            "max-credentials",
            default.max_credentials,
            |reader, located| reader.number(located, 0..=CREDENTIALS_MAX),
        ),
        budget: mapping.field(reader, "budget", default.budget, budget),
    };
    mapping.deny_unknown(reader);
    Some(retry)
}

fn budget(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Budget> {
    let mut mapping = Mapping::open(reader, located)?;
    let default = Budget::default();
    let budget = Budget {
        ratio_permille: mapping.field(
            reader,
            "ratio",
            default.ratio_permille,
            |reader, located| reader.permille(located, RATIO_PERMILLE_MAX),
        ),
        per_second: mapping.field(
            reader,
            "per-second",
            default.per_second,
            |reader, located| reader.number(located, 0..=PER_SECOND_MAX),
        ),
        burst: mapping.field(reader, "burst", default.burst, |reader, located| {
            reader.number(located, 1..=BURST_MAX)
        }),
    };
    mapping.deny_unknown(reader);
    Some(budget)
}

/// A client waits meanwhile; few have more patience than an hour.
const RETRY_WAIT_MAX: Duration = Duration::from_hours(1);

/// More than a pool holds; a larger number is a slip.
const CREDENTIALS_MAX: u32 = 10_000;

/// Ten further attempts for each call: more is no budget.
const RATIO_PERMILLE_MAX: u32 = 10_000;

/// More than one process sends.
const PER_SECOND_MAX: u32 = 100_000;

/// As for a second.
const BURST_MAX: u32 = 1_000_000;
