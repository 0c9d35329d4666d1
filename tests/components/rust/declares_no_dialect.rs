//! Declares no dialect, so that no call could ever use it.

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target};
use jackfield_test_components::request;

struct DeclaresNoDialect;

impl Executor for DeclaresNoDialect {
    fn describe() -> Descriptor {
        let mut descriptor = Descriptor::new("1.0.0", "openai-chat");
        descriptor.dialects.clear();
        descriptor
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        Ok(request(&target).relay())
    }
}

jackfield_plugin::export_executor!(DeclaresNoDialect);
