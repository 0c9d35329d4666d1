//! Selector that gives each candidate its share of the picks by weight, spread evenly.

use jackfield_choice::weighted;
use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector, candidates};

struct Weighted;

impl Selector for Weighted {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"))
    }

    fn pick(context: PickContext) -> Choice {
        Choice::from_index(weighted(context.sequence, &candidates::weights()))
    }
}

jackfield_plugin::export_selector!(Weighted);
