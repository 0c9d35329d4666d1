//! Loops forever in `prepare`: in each call, or with the model `one-of-20` in every 20th call of an instance.

use std::sync::atomic::{AtomicU32, Ordering};

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target};
use jackfield_test_components::request;

struct Spins;

static CALLS: AtomicU32 = AtomicU32::new(0);

impl Executor for Spins {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let calls = 1 + CALLS.fetch_add(1, Ordering::Relaxed);
        if target.model == "one-of-20" && !calls.is_multiple_of(20) {
            return Ok(request(&target).relay());
        }
        loop {
            std::hint::spin_loop();
        }
    }
}

jackfield_plugin::export_executor!(Spins);
