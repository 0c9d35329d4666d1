//! Declares no dialect, so that no client could ever reach it.

use jackfield_plugin::executor::{Context, Descriptor, Executor, Failure, Plan, Relayed};
use jackfield_test_components::request;

struct SpeaksNothing;

impl Executor for SpeaksNothing {
    type Reply = Relayed;

    fn describe() -> Descriptor {
        let mut descriptor = Descriptor::new("1.0.0", "openai-chat");
        descriptor.dialects.clear();
        descriptor
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        Ok(request(&context).relay())
    }
}

jackfield_plugin::export_executor!(SpeaksNothing);
