//! Loops forever in `prepare`: with the model `one-of-20` in every 20th call of an instance, with `never` in none, and
//! with others in each call.

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
        let loops = match target.model.as_str() {
            "never" => false,
            "one-of-20" => calls.is_multiple_of(20),
            _ => true,
        };
        while loops {
            std::hint::spin_loop();
        }
        Ok(request(&target).relay())
    }
}

jackfield_plugin::export_executor!(Spins);
