//! Plans a request with the credential's secret to a host that is not the credential's.

use jackfield_plugin::executor::{Context, Descriptor, Executor, Failure, Plan, RelayReply};
use jackfield_test_components::request;

struct OtherOrigin;

impl Executor for OtherOrigin {
    type Reply = RelayReply;

    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        let mut request = request(&context);
        request.url = "http://elsewhere.invalid/chat/completions".to_owned();
        Ok(request.relay())
    }
}

jackfield_plugin::export_executor!(OtherOrigin);
