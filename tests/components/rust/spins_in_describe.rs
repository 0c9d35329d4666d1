//! Loops forever in `describe`.

use jackfield_plugin::executor::{Context, Descriptor, Executor, Failure, Plan, RelayReply};
use jackfield_test_components::request;

struct SpinsInDescribe;

impl Executor for SpinsInDescribe {
    type Reply = RelayReply;

    fn describe() -> Descriptor {
        loop {
            std::hint::spin_loop();
        }
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        Ok(request(&context).relay())
    }
}

jackfield_plugin::export_executor!(SpinsInDescribe);
