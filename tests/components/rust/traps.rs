//! Panics in `prepare`. For the model `exit` it exits as a process would.

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target};

struct Traps;

impl Executor for Traps {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    #[expect(
        clippy::disallowed_methods,
        clippy::panic,
        reason = "this is what the guest is for"
    )]
    fn prepare(target: Target) -> Result<Plan, Failure> {
        if target.model == "exit" {
            std::process::exit(3);
        }
        panic!("this guest panics");
    }
}

jackfield_plugin::export_executor!(Traps);
