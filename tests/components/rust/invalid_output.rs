//! Returns a value that the contract does not allow. The model selects which.

use jackfield_plugin::executor::{
    Body, Context, Descriptor, Executor, Failure, Frame, HttpHead, HttpRequest, Output, Plan,
    Reply, Response, SecretPlace,
};
use jackfield_test_components::request;

struct InvalidOutput;

impl Executor for InvalidOutput {
    type Reply = InvalidReply;

    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        let mut request = request(&context);
        let response = Response::Whole;
        match context.model.as_str() {
            "url" => request.url = "not a url".to_owned(),
            "method" => request.method = "PO ST".to_owned(),
            "header-name" => request = request.header("x invalid", b""),
            "header-value" => request = request.header("x-invalid", b"two\r\nlines"),
            "scheme" => {
                let half = SecretPlace::Scheme(("oauth-client-basic".to_owned(), Vec::new()));
                request = request.secret("api-key", half);
            }
            _ => {}
        }
        Ok(request.into_plan(response))
    }
}

struct InvalidReply(String);

impl Reply for InvalidReply {
    fn begin(context: Context, _state: Vec<u8>) -> Self {
        Self(context.model)
    }

    fn head(&mut self, head: HttpHead) -> Result<HttpHead, Failure> {
        match self.0.as_str() {
            "status" => Ok(HttpHead { status: 99, ..head }),
            _ => Ok(head),
        }
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

jackfield_plugin::export_executor!(InvalidOutput);
