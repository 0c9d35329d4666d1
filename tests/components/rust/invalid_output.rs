//! Returns a value that the contract does not allow. The model selects which.

use jackfield_plugin::executor::{
    Body, Converter, Descriptor, Executor, Failure, Frame, HttpRequest, Output, Plan, Reply,
    Response, SecretPlace, Target,
};
use jackfield_test_components::request;

struct InvalidOutput;

impl Executor for InvalidOutput {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let mut request = request(&target);
        let mut response = Response::Whole;
        match target.model.as_str() {
            "url" => request.url = "not a url".to_owned(),
            "method" => request.method = "PO ST".to_owned(),
            "header-name" => request = request.header("x invalid", b""),
            "header-value" => request = request.header("x-invalid", b"two\r\nlines"),
            "scheme" => {
                let half = SecretPlace::Scheme(("oauth-client-basic".to_owned(), Vec::new()));
                request = request.secret("api-key", half);
            }
            "framing" => response = Response::Frames("smoke-signals".to_owned()),
            _ => {}
        }
        Ok(request.into_plan(response))
    }
}

struct InvalidReply(String);

impl Reply for InvalidOutput {
    type Converter = InvalidReply;
}

impl Converter for InvalidReply {
    fn begin(target: Target, _state: Vec<u8>) -> Self {
        Self(target.model)
    }

    fn push(&mut self, frames: Vec<Frame>, _last: bool) -> Result<Output, Failure> {
        let mut output = Output::frames(frames);
        if self.0 == "next" {
            let mut request = HttpRequest::post("//".to_owned());
            request.body = Body::Empty;
            output.next = Some(request.relay());
        }
        Ok(output)
    }
}

jackfield_plugin::export_executor!(InvalidOutput, reply);
