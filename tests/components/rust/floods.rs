//! Passes more to the host than the limit: in a log line (model `log`), in a long list (model `list`), in
//! a `push` (model `push`), or in a plan (any other model).

use jackfield_plugin::executor::{
    Converter, Descriptor, Executor, Failure, Frame, Output, Payload, Plan, Reply, Response, Target,
};
use jackfield_plugin::log::{Level, write};
use jackfield_test_components::request;

struct Floods;

impl Executor for Floods {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let mut request = request(&target);
        match target.model.as_str() {
            "push" => return Ok(request.into_plan(Response::Whole)),
            "list" => {
                for _ in 0..LIST_LENGTH {
                    request = request.header("x-flood", b"");
                }
                return Ok(request.relay());
            }
            "log" => write(Level::Info, &"~".repeat(FLOOD_BYTES)),
            _ => {}
        }
        Ok(Plan {
            state: vec![b'~'; FLOOD_BYTES],
            ..request.relay()
        })
    }
}

struct Flood;

impl Reply for Floods {
    type Converter = Flood;
}

impl Converter for Flood {
    fn begin(_target: Target, _state: Vec<u8>) -> Self {
        Self
    }

    fn push(&mut self, _frames: Vec<Frame>, _last: bool) -> Result<Output, Failure> {
        Ok(Output::frames(vec![Frame {
            name: String::new(),
            data: Payload::Bytes(vec![b'~'; FLOOD_BYTES]),
        }]))
    }
}

/// More than the 48 MiB that a call may pass.
const FLOOD_BYTES: usize = 64 << 20;

/// More than the 65,536 values that a list may have.
const LIST_LENGTH: usize = 70_000;

jackfield_plugin::export_executor!(Floods, reply);
