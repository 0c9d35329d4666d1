//! Recognizes the bot challenges of Cloudflare.

use std::time::Duration;

use http::HeaderMap;
use memchr::memmem;

/// Whether a response is a bot challenge of Cloudflare. Newer ones have a header; older ones are
/// recognized by the page.
pub(super) fn is_challenge(headers: &HeaderMap, body: &[u8]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("cf-mitigated") == Some("challenge") {
        return true;
    }
    let kind = text("content-type").unwrap_or_default().trim_start();
    let holds = |mark: &&str| memmem::find(body, mark.as_bytes()).is_some();
    kind.to_ascii_lowercase().starts_with("text/html") && MARKS.iter().any(holds)
}

/// Texts of Cloudflare's challenge and block pages.
const MARKS: [&str; 3] = [
    "/cdn-cgi/challenge-platform/",
    "cf-browser-verification",
    "cf-error-details",
];

/// The cooldown after a challenge. A challenge concerns the connection rather than the account, and
/// often the next attempt succeeds. The value is CLIProxyAPI's (1.19).
pub(super) const COOLDOWN: Duration = Duration::from_secs(10);
