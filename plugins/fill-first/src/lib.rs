//! Selector that takes the first available candidate: it uses one account until its quota is exhausted, and
//! only then the next. So their quotas are reset at different times.

use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector};

struct FillFirst;

impl Selector for FillFirst {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"))
    }

    fn pick(_context: PickContext) -> Choice {
        // There is always a candidate, and their order is stable.
        Choice::Candidate(0)
    }
}

jackfield_plugin::export_selector!(FillFirst);
