//! A selector that takes the candidates in turn.

use jackfield_choice::in_turn;
use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector, candidates};

struct RoundRobin;

impl Selector for RoundRobin {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"))
    }

    fn pick(context: PickContext) -> Choice {
        Choice::of(in_turn(context.sequence, candidates::len() as usize))
    }
}

jackfield_plugin::export_selector!(RoundRobin);
