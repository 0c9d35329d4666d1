//! Clients of every API: they send one request and report what they saw, with times.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::Jackfield;

/// The API that a client calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientApi {
    Chat,
    Completions,
    Embeddings,
    Responses,
    Messages,
    Gemini,
    GeminiEmbeddings,
}

impl ClientApi {
    /// The four APIs for conversations.
    pub(crate) const CONVERSATIONS: [Self; 4] =
        [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    fn path(self, model: &str, stream: bool) -> String {
        match self {
            Self::Chat => "/v1/chat/completions".to_owned(),
            Self::Completions => "/v1/completions".to_owned(),
            Self::Embeddings => "/v1/embeddings".to_owned(),
            Self::Responses => "/v1/responses".to_owned(),
            Self::Messages => "/v1/messages".to_owned(),
            Self::Gemini if stream => {
                format!("/v1beta/models/{model}:streamGenerateContent?alt=sse")
            }
            Self::Gemini => format!("/v1beta/models/{model}:generateContent"),
            Self::GeminiEmbeddings => format!("/v1beta/models/{model}:embedContent"),
        }
    }

    fn body(self, model: &str, text: &str) -> Value {
        let messages = json!([{ "role": "user", "content": text }]);
        match self {
            Self::Chat => json!({ "model": model, "messages": messages }),
            Self::Completions => json!({ "model": model, "prompt": text }),
            Self::Embeddings | Self::Responses => json!({ "model": model, "input": text }),
            Self::Messages => json!({ "model": model, "messages": messages, "max_tokens": 64 }),
            Self::Gemini => {
                json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] })
            }
            Self::GeminiEmbeddings => json!({ "content": { "parts": [{ "text": text }] } }),
        }
    }
}

/// A request of a client.
#[derive(Debug, Clone)]
pub(crate) struct ClientRequest {
    pub(crate) api: ClientApi,
    path: String,
    pub(crate) body: Value,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl ClientRequest {
    pub(crate) fn new(api: ClientApi, model: &str, text: &str) -> Self {
        Self {
            api,
            path: api.path(model, false),
            body: api.body(model, text),
            headers: vec![("content-type", "application/json".to_owned())],
        }
    }

    /// A request for a stream.
    pub(crate) fn streamed(api: ClientApi, model: &str, text: &str) -> Self {
        let mut request = Self::new(api, model, text);
        request.path = api.path(model, true);
        if api != ClientApi::Gemini {
            request.body["stream"] = json!(true);
        }
        request
    }

    /// A plain chat, as any client sends it.
    pub(crate) fn plain_chat() -> Self {
        Self::new(ClientApi::Chat, "m1", "hi")
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Adds a query.
    pub(crate) fn with_query(mut self, query: &str) -> Self {
        self.path = format!("{}?{query}", self.path);
        self
    }

    /// Names the client by its key.
    pub(crate) fn by(self, client: &str) -> Self {
        let key = format!("Bearer {client}");
        self.with_header("authorization", &key)
    }

    pub(crate) async fn send(&self, jackfield: &Jackfield) -> ClientResponse {
        self.send_bytes(jackfield, self.body.to_string().into_bytes())
            .await
    }

    /// Sends other bytes as body.
    pub(crate) async fn send_bytes(&self, jackfield: &Jackfield, body: Vec<u8>) -> ClientResponse {
        let began = Instant::now();
        let mut request = jackfield.client.post(jackfield.url(&self.path)).body(body);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut seen = ClientResponse::default();
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                seen.cut = Some(error.to_string());
                return seen;
            }
        };
        seen.status = response.status().as_u16();
        seen.head_after = began.elapsed();
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        };
        seen.headers = response.headers().iter().map(header).collect();
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    seen.chunks_at.push(began.elapsed());
                    bytes.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                Err(error) => {
                    seen.cut = Some(error.to_string());
                    break;
                }
            }
        }
        seen.body = String::from_utf8_lossy(&bytes).into_owned();
        seen.elapsed = began.elapsed();
        seen
    }
}

/// What a client saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientResponse {
    /// 0 if there was no response.
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The time until the head.
    pub(crate) head_after: Duration,
    /// The times of all chunks of the body.
    pub(crate) chunks_at: Vec<Duration>,
    pub(crate) elapsed: Duration,
    /// Why the connection ended before the response.
    pub(crate) cut: Option<String>,
}

impl ClientResponse {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }

    /// Returns the `retry-after` header in seconds; 0 without one.
    pub(crate) fn retry_after(&self) -> u64 {
        let value = self.header("retry-after").map(str::parse);
        value.and_then(Result::ok).unwrap_or(0)
    }

    /// Returns a whole body, or null if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Returns the error's code, wherever the dialect has it.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        let openai = body["error"]["code"].as_str();
        let anthropic = body["error"]["details"]["error_code"].as_str();
        openai.or(anthropic).unwrap_or_default().to_owned()
    }

    /// Returns the error's type.
    pub(crate) fn kind(&self) -> String {
        let body = self.json();
        body["error"]["type"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Returns the bodies of all events.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Returns the text of a whole response or of a stream.
    pub(crate) fn text(&self, api: ClientApi) -> String {
        let whole = self.json();
        if whole.is_object() {
            return text_of(api, &whole);
        }
        self.events()
            .iter()
            .map(|event| text_of(api, event))
            .collect()
    }

    /// Returns how many events of the stream report an error.
    pub(crate) fn error_events(&self) -> usize {
        let is_error = |event: &&Value| {
            let kind = event["type"].as_str().unwrap_or_default();
            event["error"].is_object() || kind == "error" || kind == "response.failed"
        };
        self.events().iter().filter(is_error).count()
    }

    /// Returns whether a stream has the final event of its API.
    pub(crate) fn is_complete(&self, api: ClientApi) -> bool {
        let mark = match api {
            ClientApi::Responses => "\"response.completed\"",
            ClientApi::Messages => "\"message_stop\"",
            ClientApi::Gemini => "\"finishReason\"",
            _ => "[DONE]",
        };
        self.cut.is_none() && self.body.contains(mark) && self.error_events() == 0
    }

    /// Returns whether the response is a success with the text of any key.
    pub(crate) fn is_served(&self, api: ClientApi) -> bool {
        let is_whole = self.json().is_object() || self.is_complete(api);
        self.status == 200 && is_whole && self.text(api).contains("served by")
    }

    /// Fails the test unless this key served the request.
    #[track_caller]
    pub(crate) fn assert_served_by(&self, api: ClientApi, key: &str) {
        let text = self.text(api);
        let expected = super::replies::served_by(key);
        assert!(
            self.is_served(api) && text == expected,
            "expected {key} to serve {api:?}: {}",
            self.summary()
        );
    }

    /// Fails the test unless the request was served.
    #[track_caller]
    pub(crate) fn assert_served(&self, api: ClientApi) {
        assert!(
            self.is_served(api),
            "not served: {api:?}: {}",
            self.summary()
        );
    }

    /// One line for the message of a failed test.
    pub(crate) fn summary(&self) -> String {
        let body: String = self.body.chars().take(600).collect();
        format!(
            "status {}, retry-after {}, {:?}, cut {:?}: {body}",
            self.status,
            self.retry_after(),
            self.elapsed,
            self.cut
        )
    }
}

/// Returns the text in a whole response or in an event.
fn text_of(api: ClientApi, body: &Value) -> String {
    let pointers: &[&str] = match api {
        ClientApi::Chat => &["/choices/0/message/content", "/choices/0/delta/content"],
        ClientApi::Completions => &["/choices/0/text"],
        ClientApi::Messages => &["/content/0/text", "/delta/text"],
        ClientApi::Gemini => &["/candidates/0/content/parts/0/text"],
        ClientApi::Responses if body["type"] == "response.output_text.delta" => &["/delta"],
        // Events repeat the text.
        ClientApi::Responses if body["object"] == "response" => &["/output/0/content/0/text"],
        ClientApi::Responses | ClientApi::Embeddings | ClientApi::GeminiEmbeddings => &[],
    };
    let text = pointers
        .iter()
        .find_map(|pointer| body.pointer(pointer)?.as_str());
    text.unwrap_or_default().to_owned()
}
