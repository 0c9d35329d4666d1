//! Counts the calls of its instance. Plans have the count in the header `x-calls` and the settings in
//! `x-settings`. It reads nothing of a client, so the host reuses its instance. Its plans depend on its memory,
//! which is against the contract.

use std::sync::atomic::{AtomicU64, Ordering};

use jackfield_plugin::executor::{
    Converter, Descriptor, Executor, Failure, Frame, HttpHead, Judge, Output, Payload, Plan, Reply,
    Response, Scope, Target, Usage,
};
use jackfield_plugin::settings_json;
use jackfield_test_components::request;

struct Counts;

static CALLS: AtomicU64 = AtomicU64::new(0);

fn count() -> u64 {
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

impl Executor for Counts {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let request = request(&target)
            .header("x-calls", count().to_string().as_bytes())
            .header("x-settings", settings_json().as_bytes());
        Ok(match target.model.as_str() {
            "replied" => request.into_plan(Response::Whole),
            _ => request.relay(),
        })
    }
}

impl Judge for Counts {
    fn judge(_target: Target, _head: HttpHead, _body: Payload) -> Option<Failure> {
        Some(Failure::new(Scope::MODEL, "counted", count().to_string()))
    }
}

impl Reply for Counts {
    type Converter = CountsConverter;
}

/// Passes a response on. Its usage has the count.
struct CountsConverter;

impl Converter for CountsConverter {
    fn begin(_target: Target, _state: Vec<u8>) -> Self {
        Self
    }

    fn push(&mut self, frames: Vec<Frame>, _last: bool) -> Result<Output, Failure> {
        Ok(Output {
            usage: Some(Usage {
                input: count(),
                output: 0,
                cache_read: 0,
                cache_write: 0,
                reasoning: 0,
                options: Vec::new(),
            }),
            ..Output::frames(frames)
        })
    }
}

jackfield_plugin::export_executor!(Counts, judge, reply);
