//! Reads `retry`: when a failed attempt is followed by another one.

use jackfield_credential::BudgetPolicy;
use jackfield_dispatch::snapshot::RetryPolicy;

use crate::keys::calls::{budget as budget_keys, retry as keys};
use crate::mapping::Mapping;
use crate::reader::{Located, Reader};

/// Reads the section.
pub(crate) fn retry(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<RetryPolicy> {
    let mut mapping = Mapping::open(reader, located, &keys::SECTION)?;
    let retry = RetryPolicy {
        rounds: mapping.get(reader, &keys::ROUNDS),
        max_wait: mapping.get(reader, &keys::MAX_WAIT),
        max_credentials: mapping.get(reader, &keys::MAX_CREDENTIALS),
        budget: mapping
            .nested(reader, &keys::BUDGET, budget)
            .unwrap_or_default(),
    };
    mapping.deny_unknown(reader);
    Some(retry)
}

fn budget(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<BudgetPolicy> {
    let mut mapping = Mapping::open(reader, located, &budget_keys::SECTION)?;
    let budget = BudgetPolicy {
        ratio_permille: mapping.get(reader, &budget_keys::RATIO),
        per_second: mapping.get(reader, &budget_keys::PER_SECOND),
        burst: mapping.get(reader, &budget_keys::BURST),
    };
    mapping.deny_unknown(reader);
    Some(budget)
}
