//! A selector that takes the first candidate for as long as it is fit, and only then the next: one
//! account is used up before another is touched, so that their quotas come back at different times.

use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector};

struct FillFirst;

impl Selector for FillFirst {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"))
    }

    fn pick(_context: PickContext) -> Choice {
        // The host never asks without a candidate, and keeps them in a stable order.
        Choice::Candidate(0)
    }
}

jackfield_plugin::export_selector!(FillFirst);
