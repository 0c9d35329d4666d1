//! A selector that loops forever in `pick`.

use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector};

struct SelectorSpins;

impl Selector for SelectorSpins {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0")
    }

    fn pick(_context: PickContext) -> Choice {
        loop {
            std::hint::spin_loop();
        }
    }
}

jackfield_plugin::export_selector!(SelectorSpins);
