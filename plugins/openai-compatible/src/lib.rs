//! An executor for every provider that serves `POST {base-url}/chat/completions`.
//!
//! It never touches a byte of a body: the request goes out as it came, or with the model's name
//! replaced by the host, and the answer is relayed.

use jackfield_plugin::executor::{
    Context, Descriptor, Executor, Failure, HttpRequest, Plan, Relayed, Scope, SecretPlace,
};

struct OpenAiCompatible;

impl Executor for OpenAiCompatible {
    type Reply = Relayed;

    fn describe() -> Descriptor {
        Descriptor::new(env!("CARGO_PKG_VERSION"), "openai-chat")
    }

    fn prepare(context: Context) -> Result<Plan, Failure> {
        if context.operation != "generate" {
            return Err(Failure::unsupported(&context.operation));
        }
        let Some(credential) = &context.credential else {
            return Err(Failure::new(
                Scope::Request,
                "authentication",
                "no credential was chosen",
            ));
        };
        let mut request = HttpRequest::post(format!("{}/chat/completions", credential.base_url))
            .secret("api-key", SecretPlace::Bearer)
            .model_of(&context);
        for header in &context.headers {
            request = request.header(&header.name, &header.value);
        }
        Ok(request.relay())
    }
}

jackfield_plugin::export_executor!(OpenAiCompatible);
