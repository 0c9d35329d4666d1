//! Traps in a reply: in `begin`, `head` or `push`, as the model says.

use jackfield_plugin::executor::{
    Context, Descriptor, Executor, Failure, Frame, Framing, HttpHead, Output, Plan, Reply, Response,
};
use jackfield_test_components::request;

struct ReplyFails;

impl Executor for ReplyFails {
    type Reply = FailingReply;

    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        Ok(request(&context).into_plan(Response::Frames(Framing::Sse)))
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

impl Reply for FailingReply {
    fn begin(context: Context, _state: Vec<u8>) -> Self {
        let reply = Self(context.model);
        reply.fail_at("begin");
        reply
    }

    fn head(&mut self, head: HttpHead) -> Result<HttpHead, Failure> {
        self.fail_at("head");
        Ok(head)
    }

    fn push(&mut self, frames: Vec<Frame>, _last: bool) -> Result<Output, Failure> {
        self.fail_at("push");
        Ok(Output::frames(frames))
    }
}

jackfield_plugin::export_executor!(ReplyFails);
