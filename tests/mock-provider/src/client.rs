//! A client for the mock provider's dialect: what the demo makes its calls with.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

/// Makes calls as any HTTP client would.
pub struct MockClient {
    client: Client,
    base_url: String,
    key: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct MockResponse {
    /// The status code.
    pub status: u16,
    /// The headers that are text.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// In how many pieces it came.
    pub pieces: usize,
}

/// A call that got no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MockClientError(String);

impl MockClient {
    /// A client of the API that begins at this URL, with this key.
    ///
    /// # Errors
    /// When the system lacks what a client needs.
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

    /// Sends a body to a path and reads the answer to its end.
    ///
    /// # Errors
    /// When nothing answers, or the answer breaks off.
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
        let (mut body, mut pieces) = (Vec::new(), 0);
        let mut stream = response.bytes_stream();
        while let Some(piece) = stream.next().await {
            body.extend_from_slice(&piece.map_err(|error| MockClientError(error.to_string()))?);
            pieces += 1;
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(MockResponse {
            status,
            headers,
            body,
            pieces,
        })
    }
}
