//! Counts the calls of its instance. Plans have the count in the header `x-calls` and the settings in
//! `x-settings`. It reads no body, so the host reuses its instance.

use std::sync::atomic::{AtomicU64, Ordering};

use jackfield_plugin::executor::{
    Context, Descriptor, Executor, Failure, Frame, Header, HttpHead, Output, Plan, Reply, Response,
    Scope,
};
use jackfield_plugin::settings_json;
use jackfield_test_components::request;

struct Counts;

static CALLS: AtomicU64 = AtomicU64::new(0);

fn count() -> String {
    (CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_string()
}

impl Executor for Counts {
    type Reply = CountsReply;

    fn describe() -> Descriptor {
        Descriptor {
            judges_errors: true,
            ..Descriptor::new("1.0.0", "openai-chat")
        }
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        let request = request(&context)
            .header("x-calls", count().as_bytes())
            .header("x-settings", settings_json().as_bytes());
        Ok(match context.model.as_str() {
            "replied" => request.into_plan(Response::Whole),
            _ => request.relay(),
        })
    }

    fn judge(_context: Context, _head: HttpHead, _body: Vec<u8>) -> Failure {
        Failure::new(Scope::Model, "counted", count())
    }
}

struct CountsReply;

impl Reply for CountsReply {
    fn begin(_context: Context, _state: Vec<u8>) -> Self {
        Self
    }

    fn head(&mut self, mut head: HttpHead) -> Result<HttpHead, Failure> {
        head.headers.push(Header {
            name: "x-calls".to_owned(),
            value: count().into_bytes(),
        });
        Ok(head)
    }

    fn push(&mut self, frames: Vec<Frame>, _last: bool) -> Result<Output, Failure> {
        Ok(Output::frames(frames))
    }
}

jackfield_plugin::export_executor!(Counts);
