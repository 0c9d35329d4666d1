//! The example executor: serves any provider with the dialect `openai-chat`. The host's tests run the
//! same executor in Rust, JavaScript and Python; see ../README.md.

use jackfield_plugin::executor::{
    Converter, Descriptor, Executor, Failure, Frame, HttpHead, HttpRequest, Judge, Output, Payload,
    Plan, Reply, Response, Scope, SecretPlace, Target, Usage, client_body,
};

struct ExampleExecutor;

impl Executor for ExampleExecutor {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        if target.operation != "generate" {
            let message = "this executor only generates";
            return Err(Failure::new(Scope::REQUEST, "unsupported", message));
        }
        if let Some(refusal) = client_body::at("/refuse") {
            return Err(Failure {
                status: Some(400),
                ..Failure::new(Scope::REQUEST, "invalid", format!("refused: {refusal}"))
            });
        }
        let Some(credential) = &target.credential else {
            let message = "no credential";
            return Err(Failure::new(Scope::CREDENTIAL, "authentication", message));
        };
        let response = if target.stream {
            Response::Frames("sse".to_owned())
        } else {
            Response::Whole
        };
        let plan = HttpRequest::post(format!("{}/chat/completions", credential.base_url))
            .secret("api-key", SecretPlace::Bearer)
            .model_of(&target)
            .into_plan(response);
        Ok(Plan {
            state: target.model.into_bytes(),
            ..plan
        })
    }
}

impl Judge for ExampleExecutor {
    fn judge(_target: Target, head: HttpHead, body: Payload) -> Option<Failure> {
        let message = format!("the provider returned {}", head.status);
        let failure = match head.status {
            401 => Failure {
                refresh_suggested: true,
                ..Failure::new(Scope::CREDENTIAL, "authentication", message)
            },
            429 => Failure {
                retry_after_ms: retry_after_ms(&head),
                ..Failure::new(Scope::MODEL, "rate-limit", message)
            },
            _ => Failure::new(Scope::PROVIDER, "transient", message),
        };
        Some(Failure {
            status: Some(head.status),
            body: Some(body),
            ..failure
        })
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

impl Reply for ExampleExecutor {
    type Converter = ExampleConverter;
}

/// Passes a response on. Of a frame `who` it makes the language and the state from `prepare`.
struct ExampleConverter {
    state: Vec<u8>,
}

impl Converter for ExampleConverter {
    fn begin(_target: Target, state: Vec<u8>) -> Self {
        Self { state }
    }

    fn head(&mut self, head: HttpHead) -> Result<(), Failure> {
        match head.status {
            299 => Err(Failure::new(
                Scope::PROVIDER,
                "transient",
                "not this status",
            )),
            _ => Ok(()),
        }
    }

    fn push(&mut self, mut frames: Vec<Frame>, last: bool) -> Result<Output, Failure> {
        for frame in &mut frames {
            match frame.data.as_bytes() {
                b"boom" => return Err(Failure::new(Scope::PROVIDER, "transient", "boom")),
                b"who" => {
                    frame.data = Payload::Bytes([b"rust:", self.state.as_slice()].concat());
                }
                _ => {}
            }
        }
        let usage = Usage {
            input: 3,
            output: 5,
            cache_read: 0,
            cache_write: 0,
            reasoning: 0,
            options: Vec::new(),
        };
        Ok(Output {
            usage: last.then_some(usage),
            ..Output::frames(frames)
        })
    }
}

jackfield_plugin::export_executor!(ExampleExecutor, judge, reply);
