//! Recurses in `prepare` until the stack is exhausted.

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target};
use jackfield_test_components::request;

struct Recurses;

impl Executor for Recurses {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let depth = deeper(0).to_string();
        Ok(request(&target).header("x-depth", depth.as_bytes()).relay())
    }
}

/// Has work left after the inner call, so that the compiler cannot turn it into a loop.
#[expect(unconditional_recursion, reason = "this is what the guest is for")]
fn deeper(depth: u64) -> u64 {
    std::hint::black_box(deeper(std::hint::black_box(depth + 1))) + depth
}

jackfield_plugin::export_executor!(Recurses);
