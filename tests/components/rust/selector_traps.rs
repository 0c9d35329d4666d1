//! A selector that panics in `pick`.

use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector};

struct SelectorTraps;

impl Selector for SelectorTraps {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0")
    }

    #[expect(clippy::panic, reason = "this is what the guest is for")]
    fn pick(_context: PickContext) -> Choice {
        panic!("this guest panics");
    }
}

jackfield_plugin::export_selector!(SelectorTraps);
