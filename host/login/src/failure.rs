//! Why a login ended without tokens, and the error responses that say so.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::limits::{ERROR_CODE_CHARS_MAX, ERROR_DESCRIPTION_CHARS_MAX};

/// Why a login ended without tokens. The texts contain no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginFailure {
    /// The person or the provider refused.
    #[error("access denied: {0}")]
    Denied(String),
    /// The time to log in is over.
    #[error("expired: {0}")]
    Expired(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// An error of an endpoint or of a callback (RFC 6749, sections 4.1.2.1 and 5.2).
pub(crate) struct ErrorReport {
    code: String,
    description: Option<String>,
}

impl ErrorReport {
    /// Reads the error of a response, if it has one. OpenAI and Google, among others, send an object where the
    /// RFC has a string.
    pub(crate) fn read(body: &Value) -> Option<Self> {
        // Some endpoints send an empty member where there is no error.
        let text = |pointer: &str| {
            let text = body.pointer(pointer).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        let code = text("/error").or_else(|| text("/error/code"));
        let code = code.or_else(|| text("/error/status"))?;
        let description = text("/error_description").or_else(|| text("/error/message"));
        Some(Self::new(code, description))
    }

    /// An error of this code and description, as they were received.
    pub(crate) fn new(code: &str, description: Option<&str>) -> Self {
        let code = visible(code, ERROR_CODE_CHARS_MAX);
        let description = description.map(|text| visible(text, ERROR_DESCRIPTION_CHARS_MAX));
        Self {
            code,
            description: description.filter(|text| !text.is_empty()),
        }
    }

    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The failure of this error. A text with one of these secrets is left out: some endpoints repeat the code
    /// that they reject.
    pub(crate) fn into_failure<'a>(
        self,
        secrets: impl Iterator<Item = &'a SecretString>,
    ) -> LoginFailure {
        let secrets: Vec<&str> = secrets.map(ExposeSecret::expose_secret).collect();
        let shows_secret = |text: &str| secrets.iter().any(|secret| shows(text, secret));
        let code = Some(self.code).filter(|code| !shows_secret(code));
        let description = self.description.filter(|text| !shows_secret(text));
        let denied = code.as_deref() == Some("access_denied");
        let expired = code.as_deref() == Some("expired_token");
        let message = match (code, description) {
            (Some(code), Some(description)) => format!("{code}: {description}"),
            (Some(text), None) | (None, Some(text)) => text,
            (None, None) => "the provider's error repeats a secret".to_owned(),
        };
        match (denied, expired) {
            (true, _) => LoginFailure::Denied(message),
            (_, true) => LoginFailure::Expired(message),
            _ => LoginFailure::Failed(message),
        }
    }
}

/// Whether a text has a secret, or the beginning of one that the limit of the text cut off.
fn shows(text: &str, secret: &str) -> bool {
    if secret.is_empty() {
        return false;
    }
    let beginning: String = secret.chars().take(SHOWN_SECRET_CHARS_MAX).collect();
    text.contains(&beginning)
}

/// The longest beginning of a secret that a message may contain, in characters.
const SHOWN_SECRET_CHARS_MAX: usize = 12;

/// The visible characters of a text, up to a limit. A terminal shows them.
fn visible(text: &str, chars_max: usize) -> String {
    let shown = text.chars().filter(|character| !character.is_control());
    shown.take(chars_max).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failure(body: &Value) -> Option<LoginFailure> {
        let secret = SecretString::from("s3cr3t-of-the-client");
        Some(ErrorReport::read(body)?.into_failure(std::iter::once(&secret)))
    }

    #[test]
    fn codes_decide_how_a_login_ended() {
        for (body, expected) in [
            (
                json!({"error": "access_denied", "error_description": "no"}),
                LoginFailure::Denied("access_denied: no".into()),
            ),
            (
                json!({"error": "expired_token"}),
                LoginFailure::Expired("expired_token".into()),
            ),
            (
                json!({"error": {"code": "invalid_client", "message": "who\u{1b}[2J"}}),
                LoginFailure::Failed("invalid_client: who[2J".into()),
            ),
        ] {
            assert_eq!(failure(&body), Some(expected), "{body}");
        }
        assert_eq!(failure(&json!({"access_token": "t"})), None);
    }

    #[test]
    fn description_with_a_secret_is_left_out() {
        for text in ["s3cr3t-of-the-client is wrong", "cut: s3cr3t-of-the"] {
            let body = json!({"error": "invalid_client", "error_description": text});
            let expected = LoginFailure::Failed("invalid_client".into());
            assert_eq!(failure(&body), Some(expected), "{text}");
        }
    }
}
