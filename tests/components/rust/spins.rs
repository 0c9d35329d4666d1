//! Loops forever in `prepare`.

use jackfield_plugin::executor::{Context, Descriptor, Executor, Failure, Plan, RelayReply};

struct Spins;

impl Executor for Spins {
    type Reply = RelayReply;

    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(_context: Context) -> Result<Plan, Failure> {
        loop {
            std::hint::spin_loop();
        }
    }
}

jackfield_plugin::export_executor!(Spins);
