//! Data of the events of `GET /events`.

use serde::{Deserialize, Serialize};

use super::Health;

/// What happened to a credential. The name of the event says which of the last three members it has;
/// `registered`, `updated` and `removed` have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Id of the credential.
    pub credential: String,
    /// Of `result`: an attempt ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AttemptResult>,
    /// Of `refresh`: a refresh ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshResult>,
    /// Of `health`: a health changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<HealthChange>,
}

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// Name of the provider.
    pub provider: String,
    /// The provider's name of the model.
    pub model: String,
    /// What of the model it used, such as `openai-chat`.
    #[serde(default)]
    pub endpoint: String,
    /// The outcome.
    pub outcome: AttemptOutcome,
    /// Only of a failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<AttemptFailure>,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// The response is complete.
    Success,
    /// The attempt failed.
    Failed,
    /// The client left, or the deadline passed.
    Cancelled,
    /// It says nothing about the credential: a plugin failed, or a refresh replaced the token.
    Inconclusive,
}

/// Why an attempt failed. `host/docs/errors.md` lists scopes and kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailure {
    /// What the failure concerns.
    pub scope: String,
    /// Its kind.
    pub kind: String,
    /// Status of the provider's response.
    pub status: Option<u16>,
    /// A text for people.
    pub message: String,
}

/// The result of a refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum RefreshResult {
    /// There are new tokens.
    Refreshed {
        /// When the new access token expires.
        expires_at_ms: Option<u64>,
    },
    /// It failed this time.
    Failed {
        /// Status of the token endpoint's response.
        #[serde(default)]
        status: Option<u16>,
        /// A text for people.
        message: String,
        /// When Jackfield tries again.
        retry_at_ms: u64,
    },
    /// The provider does not accept the refresh token any more.
    Rejected {
        /// Status of the token endpoint's response.
        #[serde(default)]
        status: Option<u16>,
        /// A text for people.
        message: String,
    },
}

/// A change of a health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChange {
    /// Whose health it is: `account`, `model`, `lane` (an endpoint of a model), `site` (an endpoint of a model
    /// at the base URL, with all its credentials) or `way` (the base URL through the proxy).
    pub place: String,
    /// The provider's name of the model; `null` for an account and a way.
    pub model: Option<String>,
    /// The endpoint of a lane and a site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The health before.
    pub from: Health,
    /// The health now.
    pub to: Health,
}

/// Data of the event `lagged`, the last one of a reader that was too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lagged {
    /// Events that the reader did not receive.
    pub skipped: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn event_has_only_the_members_of_its_kind() -> serde_json::Result<()> {
        let mut event = Event {
            at_ms: 1,
            credential: "a".to_owned(),
            result: None,
            refresh: None,
            change: None,
        };
        let json = json!({ "at_ms": 1, "credential": "a" });
        assert_eq!(serde_json::to_value(&event)?, json);
        event.refresh = Some(RefreshResult::Failed {
            status: Some(503),
            message: "no".to_owned(),
            retry_at_ms: 2,
        });
        let refresh = json!({
            "outcome": "failed", "status": 503, "message": "no", "retry_at_ms": 2,
        });
        let json = json!({ "at_ms": 1, "credential": "a", "refresh": refresh });
        assert_eq!(serde_json::to_value(&event)?, json);
        assert_eq!(serde_json::from_value::<Event>(json)?, event);
        Ok(())
    }
}
