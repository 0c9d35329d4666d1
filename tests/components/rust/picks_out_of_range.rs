//! A selector that returns the index after the last candidate, or 4,294,967,295 for the model `far`.

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
