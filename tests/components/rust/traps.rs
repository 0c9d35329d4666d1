//! Panics in `prepare`. For the model `exit` it exits as a process would.

use jackfield_plugin::executor::{Context, Descriptor, Executor, Failure, Plan, RelayReply};

struct Traps;

impl Executor for Traps {
    type Reply = RelayReply;

    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    #[expect(
        clippy::disallowed_methods,
        clippy::panic,
        reason = "this is what the guest is for"
    )]
    fn prepare(context: Context) -> Result<Plan, Failure> {
        if context.model == "exit" {
            std::process::exit(3);
        }
        panic!("this guest panics");
    }
}

jackfield_plugin::export_executor!(Traps);
