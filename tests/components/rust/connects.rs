//! Opens a connection to the address that is the model's name.

use std::net::TcpStream;

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target};

struct Connects;

impl Executor for Connects {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    #[expect(
        clippy::disallowed_methods,
        clippy::panic,
        reason = "this is what the guest is for"
    )]
    fn prepare(target: Target) -> Result<Plan, Failure> {
        match TcpStream::connect(&target.model) {
            Ok(_) => Err(Failure::invalid_request("it has connected")),
            Err(error) => panic!("{error}"),
        }
    }
}

jackfield_plugin::export_executor!(Connects);
