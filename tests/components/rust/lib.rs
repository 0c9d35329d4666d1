//! What the guests in Rust have in common: a request that any provider of the `openai-chat` dialect
//! takes, and a plan that cannot go wrong. What a guest is there for is in its own file.

use jackfield_plugin::executor::{Context, HttpRequest, SecretPlace};

/// A request that goes out as the client's came in.
pub fn request(context: &Context) -> HttpRequest {
    let base_url = match &context.credential {
        Some(credential) => credential.base_url.as_str(),
        None => "http://nobody.invalid",
    };
    HttpRequest::post(format!("{base_url}/chat/completions"))
        .secret("api-key", SecretPlace::Bearer)
        .model_of(context)
}
