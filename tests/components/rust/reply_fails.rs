//! Traps in a reply: in `begin`, `head` or `push`, as the model says.

use jackfield_plugin::executor::{
    Converter, Descriptor, Executor, Failure, Frame, HttpHead, Output, Plan, Reply, Response,
    Target,
};
use jackfield_test_components::request;

struct ReplyFails;

impl Executor for ReplyFails {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        Ok(request(&target).into_plan(Response::Frames("sse".to_owned())))
    }
}

struct FailingReply(String);

impl FailingReply {
    #[expect(clippy::panic, reason = "this is what the guest is for")]
    fn fail_at(&self, place: &str) {
        if self.0 == place {
            panic!("this guest panics in `{place}`");
        }
    }
}

impl Reply for ReplyFails {
    type Converter = FailingReply;
}

impl Converter for FailingReply {
    fn begin(target: Target, _state: Vec<u8>) -> Self {
        let reply = Self(target.model);
        reply.fail_at("begin");
        reply
    }

    fn head(&mut self, _head: HttpHead) -> Result<(), Failure> {
        self.fail_at("head");
        Ok(())
    }

    fn push(&mut self, frames: Vec<Frame>, _last: bool) -> Result<Output, Failure> {
        self.fail_at("push");
        Ok(Output::frames(frames))
    }
}

jackfield_plugin::export_executor!(ReplyFails, reply);
