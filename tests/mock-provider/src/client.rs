//! A small HTTP client for JSON APIs; the demo makes its calls with it.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

/// A client of one API.
pub struct MockClient {
    client: Client,
    base_url: String,
    key: Option<String>,
}

/// The response to a call.
#[derive(Debug, Clone)]
pub struct MockResponse {
    /// The status code.
    pub status: u16,
    /// The headers whose values are text.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// The number of chunks in which the body arrived.
    pub chunks: usize,
}

/// A call that failed without a complete response.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MockClientError(String);

impl MockClient {
    /// Creates a client of the API below `base_url`. It sends `key` as a bearer token.
    ///
    /// # Errors
    /// When reqwest cannot create a client.
    pub fn new(base_url: &str, key: Option<&str>) -> Result<Self, MockClientError> {
        // reqwest needs the process's cryptography provider; this fails if one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build();
        let client = client.map_err(|error| MockClientError(error.to_string()))?;
        Ok(Self {
            client,
            base_url: base_url.to_owned(),
            key: key.map(str::to_owned),
        })
    }

    /// Posts a JSON body to `path`, which is appended to the base URL, and reads the whole response.
    ///
    /// # Errors
    /// When the connection fails before the response is complete.
    pub async fn post(&self, path: &str, body: &Value) -> Result<MockResponse, MockClientError> {
        let url = format!("{}{path}", self.base_url);
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_string())).await
    }

    async fn send(
        &self,
        mut request: reqwest::RequestBuilder,
    ) -> Result<MockResponse, MockClientError> {
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let response = request
            .send()
            .await
            .map_err(|error| MockClientError(error.to_string()))?;
        let status = response.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().map(str::to_owned).ok();
        let headers = response.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?)));
        let headers = headers.collect();
        let (mut body, mut chunks) = (Vec::new(), 0);
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            body.extend_from_slice(&chunk.map_err(|error| MockClientError(error.to_string()))?);
            chunks += 1;
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(MockResponse {
            status,
            headers,
            body,
            chunks,
        })
    }
}
