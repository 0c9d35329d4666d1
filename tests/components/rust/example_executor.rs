//! The example executor: serves any provider with the dialect `openai-chat`. The host's tests run the
//! same executor in Rust, JavaScript and Python; see ../README.md.

use jackfield_plugin::executor::{
    Context, Descriptor, Executor, Failure, Frame, Framing, Header, HttpHead, HttpRequest, Output,
    Plan, Reply, Response, Scope, SecretPlace, Usage, client_body,
};

struct ExampleExecutor;

impl Executor for ExampleExecutor {
    type Reply = ExampleReply;

    fn describe() -> Descriptor {
        Descriptor {
            judges_errors: true,
            ..Descriptor::new("1.0.0", "openai-chat")
        }
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        if context.operation != "generate" {
            let message = "this executor only generates";
            return Err(Failure::new(Scope::Request, "unsupported", message));
        }
        if let Some(refusal) = client_body::at("/refuse") {
            return Err(Failure {
                status: Some(400),
                ..Failure::new(Scope::Request, "invalid", format!("refused: {refusal}"))
            });
        }
        let Some(credential) = &context.credential else {
            let message = "no credential";
            return Err(Failure::new(Scope::Credential, "authentication", message));
        };
        let response = if context.stream {
            Response::Frames(Framing::Sse)
        } else {
            Response::Whole
        };
        let plan = HttpRequest::post(format!("{}/chat/completions", credential.base_url))
            .secret("api-key", SecretPlace::Bearer)
            .model_of(&context)
            .into_plan(response);
        Ok(Plan {
            state: context.model.into_bytes(),
            ..plan
        })
    }

    fn judge(_context: Context, head: HttpHead, body: Vec<u8>) -> Failure {
        let message = format!("the provider returned {}", head.status);
        let failure = match head.status {
            401 => Failure {
                refresh_suggested: true,
                ..Failure::new(Scope::Credential, "authentication", message)
            },
            429 => Failure {
                retry_after_ms: retry_after_ms(&head),
                ..Failure::new(Scope::Model, "rate-limit", message)
            },
            _ => Failure::new(Scope::Provider, "transient", message),
        };
        Failure {
            status: Some(head.status),
            body: Some(body),
            ..failure
        }
    }
}

/// Returns the value of the header `retry-after` in milliseconds, if it is a number of seconds.
fn retry_after_ms(head: &HttpHead) -> Option<u64> {
    let header = head
        .headers
        .iter()
        .find(|header| header.name == "retry-after")?;
    // Nine digits are thirty years. A longer number is an error of the provider.
    let plain =
        (1..=9).contains(&header.value.len()) && header.value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(&header.value).ok().filter(|_| plain)?;
    text.parse::<u64>().ok().map(|seconds| 1_000 * seconds)
}

/// Passes a response on. The header `x-guest` has the state from `prepare`.
struct ExampleReply {
    state: Vec<u8>,
}

impl Reply for ExampleReply {
    fn begin(_context: Context, state: Vec<u8>) -> Self {
        Self { state }
    }

    fn head(&mut self, mut head: HttpHead) -> Result<HttpHead, Failure> {
        head.headers.push(Header {
            name: "x-guest".to_owned(),
            value: [b"rust:", self.state.as_slice()].concat(),
        });
        Ok(head)
    }

    fn push(&mut self, frames: Vec<Frame>, last: bool) -> Result<Output, Failure> {
        if frames.iter().any(|frame| frame.data == b"boom") {
            return Err(Failure::new(Scope::Provider, "transient", "boom"));
        }
        let usage = Usage {
            input: 3,
            output: 5,
            cached_input: 0,
            reasoning: 0,
            options: Vec::new(),
        };
        Ok(Output {
            usage: last.then_some(usage),
            ..Output::frames(frames)
        })
    }
}

jackfield_plugin::export_executor!(ExampleExecutor);
