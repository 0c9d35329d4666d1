//! Sleeps for an hour in `prepare`. It uses no processor time, so ticks do not count.

use std::time::Duration;

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target};
use jackfield_test_components::request;

struct Sleeps;

impl Executor for Sleeps {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    #[expect(clippy::disallowed_methods, reason = "this is what the guest is for")]
    fn prepare(target: Target) -> Result<Plan, Failure> {
        std::thread::sleep(Duration::from_secs(3_600));
        Ok(request(&target).relay())
    }
}

jackfield_plugin::export_executor!(Sleeps);
