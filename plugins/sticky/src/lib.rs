//! Selector that keeps a session on one credential, so that the provider's prompt cache stays warm. Sessions
//! are shared by weight. Calls without a session take the candidates in turn.

use jackfield_choice::{round_robin, sticky};
use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector, candidates};

struct Sticky;

impl Selector for Sticky {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"))
    }

    fn pick(context: PickContext) -> Choice {
        Choice::from_index(match context.affinity {
            Some(affinity) => sticky(affinity, &candidates::identities(), &candidates::weights()),
            None => round_robin(context.sequence, candidates::len() as usize),
        })
    }
}

jackfield_plugin::export_selector!(Sticky);
