//! Declares no dialect, so that no call could ever use it.

use jackfield_plugin::executor::{Context, Descriptor, Executor, Failure, Plan, RelayReply};
use jackfield_test_components::request;

struct DeclaresNoDialect;

impl Executor for DeclaresNoDialect {
    type Reply = RelayReply;

    fn describe() -> Descriptor {
        let mut descriptor = Descriptor::new("1.0.0", "openai-chat");
        descriptor.dialects.clear();
        descriptor
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        Ok(request(&context).relay())
    }
}

jackfield_plugin::export_executor!(DeclaresNoDialect);
