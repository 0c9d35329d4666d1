//! A selector that chooses the candidate after the last one; for the model `far`, the 4,294,967,295th.

use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector, candidates};

struct PicksOutOfRange;

impl Selector for PicksOutOfRange {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0")
    }

    fn pick(context: PickContext) -> Choice {
        match context.model.as_str() {
            "far" => Choice::Candidate(u32::MAX),
            _ => Choice::Candidate(candidates::len()),
        }
    }
}

jackfield_plugin::export_selector!(PicksOutOfRange);
