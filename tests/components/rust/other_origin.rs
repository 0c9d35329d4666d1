//! Plans a request with the credential's secret to a host that is not the credential's. With the model `whole` it
//! plans a response through the guest, but it exports no `reply`.

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Response, Target};
use jackfield_test_components::request;

struct OtherOrigin;

impl Executor for OtherOrigin {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let mut request = request(&target);
        if target.model == "whole" {
            return Ok(request.into_plan(Response::Whole));
        }
        request.url = "http://elsewhere.invalid/chat/completions".to_owned();
        Ok(request.relay())
    }
}

jackfield_plugin::export_executor!(OtherOrigin);
