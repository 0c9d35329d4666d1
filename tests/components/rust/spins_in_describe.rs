//! Loops forever in `describe`.

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target};
use jackfield_test_components::request;

struct SpinsInDescribe;

impl Executor for SpinsInDescribe {
    fn describe() -> Descriptor {
        loop {
            std::hint::spin_loop();
        }
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        Ok(request(&target).relay())
    }
}

jackfield_plugin::export_executor!(SpinsInDescribe);
