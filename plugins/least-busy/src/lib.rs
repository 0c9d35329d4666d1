//! Selector that takes the candidate with the fewest attempts in progress relative to its weight.

use jackfield_choice::least_busy;
use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector, candidates};

struct LeastBusy;

impl Selector for LeastBusy {
    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"))
    }

    fn pick(context: PickContext) -> Choice {
        let (in_flight, weights) = (candidates::in_flight(), candidates::weights());
        let errors = candidates::error_permille;
        Choice::from_index(least_busy(context.sequence, &in_flight, &weights, errors))
    }
}

jackfield_plugin::export_selector!(LeastBusy);
