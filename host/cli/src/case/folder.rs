//! The files of a recorded case.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use jackfield_dispatch::error_chain;

use super::blank;
use super::client_request::ClientRequest;
use super::recorder::Exchange;
use super::secrets;

/// A case before it is written.
pub(super) struct RecordedCase<'a> {
    pub(super) request: &'a ClientRequest,
    pub(super) exchange: &'a Exchange,
    /// When it was recorded.
    pub(super) unix_ms: u64,
    /// Whether texts are replaced.
    pub(super) is_blank: bool,
}

impl RecordedCase<'_> {
    /// Writes the folder.
    pub(super) fn write(&self, folder: &Path) -> Result<(), String> {
        let wrong =
            |error: std::io::Error| format!("{}: {}", folder.display(), error_chain(&error));
        fs::create_dir_all(folder).map_err(wrong)?;
        let write = |name: &str, head: &str, body: &[u8]| {
            let body = secrets::remove(&self.blanked(body), self.request, self.exchange);
            let file = [head.as_bytes(), b"\n", &body].concat();
            fs::write(folder.join(name), file).map_err(wrong)
        };
        fs::write(folder.join("case.txt"), self.about()).map_err(wrong)?;
        let head = format!(
            "POST {} HTTP/1.1\ncontent-type: application/json\n",
            secrets::public_path(&self.request.path)
        );
        write("request.http", &head, &self.request.body)?;
        let status = self.exchange.status;
        let kind = self.content_type();
        let head = format!("HTTP/1.1 {status}\ncontent-type: {kind}\n");
        let name = match kind.starts_with("text/event-stream") {
            true => "stream.http",
            false => "response.http",
        };
        write(name, &head, &self.exchange.response)
    }

    fn about(&self) -> String {
        let time = UNIX_EPOCH + Duration::from_millis(self.unix_ms);
        let date = humantime::format_rfc3339_seconds(time).to_string();
        let date = date.split('T').next().unwrap_or_default();
        let (dialect, base_url) = provider(&self.exchange.url);
        let mut about = format!(
            "source: a live call, {}\ndate: {date}\nreport: (what is special about it)\n\
             expected: (what is right, and why)\nprovider: {dialect}\nbase-url: {base_url}\n",
            self.exchange.url
        );
        if let Some(model) = self.model() {
            about += &format!("model: {model}\n");
        }
        about
    }

    /// The provider's name of the model.
    fn model(&self) -> Option<String> {
        if let Some((_, target)) = self.exchange.url.split_once("/models/") {
            return target.split_once(':').map(|(model, _)| model.to_owned());
        }
        let body: serde_json::Value = serde_json::from_slice(&self.exchange.request).ok()?;
        body["model"].as_str().map(str::to_owned)
    }

    fn content_type(&self) -> &str {
        let kind = self.exchange.headers.get(http::header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok());
        kind.unwrap_or("application/json")
    }

    fn blanked(&self, body: &[u8]) -> Vec<u8> {
        match self.is_blank {
            true => blank::blank(body),
            false => body.to_vec(),
        }
    }
}

/// Returns the dialect that the URL of a request means, and the base URL.
fn provider(url: &str) -> (&'static str, &str) {
    const PATHS: [(&str, &str); 5] = [
        ("/chat/completions", "openai-chat"),
        ("/completions", "openai-completions"),
        ("/messages", "anthropic-messages"),
        ("/models/", "gemini"),
        ("/responses", "openai-responses"),
    ];
    let found = PATHS.iter().find_map(|(path, dialect)| {
        let at = url.find(path)?;
        Some((*dialect, &url[..at]))
    });
    found.unwrap_or(("openai-chat", url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_provider_from_the_url() {
        let url = "https://api.example.com/v1/chat/completions";
        assert_eq!(provider(url), ("openai-chat", "https://api.example.com/v1"));
        let url = "https://g.example.com/v1beta/models/m:generateContent";
        assert_eq!(provider(url), ("gemini", "https://g.example.com/v1beta"));
    }
}
