//! Shared by the guests in Rust: a request that any provider of the `openai-chat` dialect accepts. Each
//! guest's own file has the one thing that it does wrong.

use jackfield_plugin::executor::{HttpRequest, SecretPlace, Target};

/// A request with the client's body, for the credential's `base-url`.
pub fn request(target: &Target) -> HttpRequest {
    let base_url = match &target.credential {
        Some(credential) => credential.base_url.as_str(),
        None => "http://no-credential.invalid",
    };
    HttpRequest::post(format!("{base_url}/chat/completions"))
        .secret("api-key", SecretPlace::Bearer)
        .model_of(target)
}
