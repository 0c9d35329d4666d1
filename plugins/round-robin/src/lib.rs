//! Selector that takes the candidates in turn.

use jackfield_choice::round_robin;
use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector, candidates};

struct RoundRobin;

impl Selector for RoundRobin {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"))
    }

    fn pick(context: PickContext) -> Choice {
        Choice::from_index(round_robin(context.sequence, candidates::len() as usize))
    }
}

jackfield_plugin::export_selector!(RoundRobin);
