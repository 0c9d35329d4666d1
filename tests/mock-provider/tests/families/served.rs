//! The paths below `/families`.

use axum::body::Bytes;
use jackfield_mock_provider::MockProvider;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Outcome;

/// Starts a provider on loopback. Returns its base URL.
async fn start() -> Result<String, std::io::Error> {
    let provider = MockProvider::new([]);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = axum::serve(listener, provider.router());
    #[expect(
        clippy::disallowed_methods,
        reason = "one task, which ends with the test's runtime"
    )]
    tokio::spawn(server.into_future());
    Ok(url)
}

async fn post(url: &str, body: &Value) -> Result<(u16, Bytes), reqwest::Error> {
    let client = Client::builder().no_proxy().build()?;
    let request = client
        .post(url)
        .bearer_auth("key")
        .header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await?;
    Ok((response.status().as_u16(), response.bytes().await?))
}

#[tokio::test]
async fn a_family_refuses_what_the_provider_takes() -> Outcome {
    drop(rustls::crypto::ring::default_provider().install_default());
    let url = start().await?;
    let content = json!([{"type": "text", "text": "hello"}, {"type": "text", "text": "you"}]);
    let body =
        json!({"model": "deepseek-v4-pro", "messages": [{"role": "user", "content": content}]});
    let (status, _) = post(&format!("{url}/v1/chat/completions"), &body).await?;
    assert_eq!(status, 200);
    let strict = format!("{url}/families/deepseek/v1/chat/completions");
    let (status, refused) = post(&strict, &body).await?;
    assert_eq!(status, 400);
    let refused: Value = serde_json::from_slice(&refused)?;
    let message = refused["error"]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("invalid type: sequence, expected a string"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn a_family_takes_members_of_its_own() -> Outcome {
    drop(rustls::crypto::ring::default_provider().install_default());
    let url = start().await?;
    let body = json!({"model": "deepseek-v4-pro", "thinking": {"type": "disabled"}, "messages": [{"role": "user", "content": "hello"}]});
    let (status, _) = post(&format!("{url}/v1/chat/completions"), &body).await?;
    assert_eq!(status, 400);
    let (status, _) = post(
        &format!("{url}/families/deepseek/v1/chat/completions"),
        &body,
    )
    .await?;
    assert_eq!(status, 200);
    let unknown = post(&format!("{url}/families/none/v1/chat/completions"), &body).await?;
    assert_eq!(unknown.0, 404);
    Ok(())
}
