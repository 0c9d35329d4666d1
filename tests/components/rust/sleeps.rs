//! Sleeps for an hour in `prepare`. It uses no processor time, so ticks do not count.

use std::time::Duration;

use jackfield_plugin::executor::{Context, Descriptor, Executor, Failure, Plan, RelayReply};
use jackfield_test_components::request;

struct Sleeps;

impl Executor for Sleeps {
    type Reply = RelayReply;

    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    #[expect(clippy::disallowed_methods, reason = "this is what the guest is for")]
    fn prepare(context: Context) -> Result<Plan, Failure> {
        std::thread::sleep(Duration::from_secs(3_600));
        Ok(request(&context).relay())
    }
}

jackfield_plugin::export_executor!(Sleeps);
