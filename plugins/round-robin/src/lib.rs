//! A selector that takes the candidates in turn.

use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector, candidates};

struct RoundRobin;

impl Selector for RoundRobin {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"))
    }

    fn pick(context: PickContext) -> Choice {
        match u64::from(candidates::len()) {
            0 => Choice::None("there is no candidate".to_owned()),
            // The remainder is below a u32, so nothing is cut.
            count => Choice::Candidate((context.sequence % count) as u32),
        }
    }
}

jackfield_plugin::export_selector!(RoundRobin);
