//! Requests and responses about credentials.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// The response of `GET /credentials`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialList {
    /// The server's clock, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// All credentials, sorted by id.
    pub credentials: Vec<Credential>,
    /// Attempts since the start of the process.
    pub leases: LeaseCounts,
}

/// One credential: the response of every request about it, except `DELETE`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialResponse {
    /// The server's clock, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The credential.
    pub credential: Credential,
}

/// The response of `DELETE /credentials/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Id of the credential that was removed.
    pub removed: String,
}

/// Attempts by their outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaseCounts {
    /// Attempts in progress.
    pub open: u64,
    /// Successful attempts.
    pub success: u64,
    /// Failed attempts.
    pub failed: u64,
    /// Attempts that ended because the client left or the deadline passed.
    pub cancelled: u64,
    /// Attempts that say nothing about the credential: a plugin failed, or a refresh replaced the
    /// token.
    pub inconclusive: u64,
}

/// One credential.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Credential {
    /// Its id.
    pub id: String,
    /// Name of its provider.
    pub provider: String,
    /// Name for people.
    pub label: Option<String>,
    /// Prefix of its model names.
    pub prefix: Option<String>,
    /// `api-key` or `oauth`.
    pub kind: String,
    /// 16 hexadecimal digits that stay the same over restarts.
    pub index: String,
    /// E-mail address of an `oauth` credential, with the project if one is known.
    pub account: Option<String>,
    /// Kind of the proxy, such as `via socks5 proxy`.
    pub proxy: Option<String>,
    /// Where it is defined.
    pub origin: Origin,
    /// Whether the operator allows its use.
    pub enabled: bool,
    /// Credentials with a higher priority are used first.
    pub priority: i32,
    /// Share among credentials of one priority.
    pub weight: u32,
    /// Attempts in progress.
    pub in_flight: u32,
    /// Limit of attempts in progress.
    pub max_in_flight: Option<u32>,
    /// Its own setting of `disable-cooling`.
    pub disable_cooling: Option<bool>,
    /// Health of the whole credential.
    pub health: Health,
    /// Its models.
    pub models: Vec<Model>,
    /// `email`, `project_id` and `account_id` of a credential file.
    pub metadata: BTreeMap<String, Value>,
    /// When Jackfield first saw it.
    pub created_at_ms: Option<u64>,
    /// When its access token expires.
    pub expires_at_ms: Option<u64>,
    /// When the last attempt began.
    pub last_used_ms: Option<u64>,
    /// When an attempt last succeeded.
    pub last_success_ms: Option<u64>,
    /// The last failed attempt.
    pub last_failure: Option<LastFailure>,
    /// Refreshes of its tokens.
    pub refresh: Refresh,
    /// `active`, `error`, `pending`, `refreshing`, `disabled` or `unknown`.
    pub status: String,
    /// Message of the failure behind `status`.
    pub status_message: Option<String>,
    /// Whether the provider has refused the same secret three times in a row.
    pub looks_revoked: bool,
    /// Whether none of its models can be used now.
    pub unavailable: bool,
    /// When the first model is available again.
    pub next_retry_ms: Option<u64>,
    /// Rate limits and quotas.
    pub quota: Quota,
}

/// Where a credential is defined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// `config`, `admin` or `file`.
    pub kind: String,
    /// Path below the folder of credential files, if `kind` is `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// Health of a credential or of one of its models.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The state.
    #[serde(default)]
    pub state: HealthState,
    /// Missing if nothing speaks against it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub details: Option<HealthDetails>,
}

/// State of a health.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthState {
    /// Available. After a long cooldown the next attempt is a probe.
    Ready,
    /// A cooldown runs.
    Cooling,
    /// A probe runs; other attempts wait for its result.
    Probing,
    /// Unavailable until an operator acts.
    Barred,
    /// A state that this version does not know. The server never sends it.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What speaks against a credential or a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthDetails {
    /// End of the cooldown, in milliseconds since the Unix epoch.
    pub until_ms: Option<u64>,
    /// When a call may find out whether the cooldown is still needed, if nothing else is available.
    #[serde(default)]
    pub next_trial_ms: Option<u64>,
    /// Consecutive cooldowns of one class with an estimated duration.
    pub strikes: u32,
    /// `limit`, `overload`, `outage`, `refused`, `billing` or `missing`.
    #[serde(default)]
    pub class: Option<String>,
    /// Whether the duration is the provider's hint; otherwise it is an estimate.
    #[serde(default)]
    pub hint: bool,
    /// Failure that started the cooldown.
    pub cause: Option<Cause>,
}

/// A failure. `host/docs/errors.md` lists the kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Its kind.
    pub kind: String,
    /// Status of the provider's response.
    pub status: Option<u16>,
    /// A text for people.
    pub message: String,
}

/// One model of a credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Model {
    /// The provider's name of the model.
    pub model: String,
    /// Its health, apart from the health of the whole credential: that of its limits and quotas, or of
    /// its only endpoint.
    pub health: Health,
    /// Its endpoints that have failed since their last success.
    pub endpoints: Vec<EndpointHealth>,
    /// Failed attempts of the last 32, in thousandths.
    pub error_permille: u16,
    /// Moving average of the time to the first byte, in milliseconds; 0 if unknown.
    pub latency_ms: u32,
    /// Quota that is left, in thousandths, as the provider reported it.
    pub quota_left_permille: Option<u16>,
    /// When that quota is renewed.
    pub quota_resets_ms: Option<u64>,
}

/// Health of one endpoint of a model, such as chat completions or embeddings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointHealth {
    /// The dialect of the clients, `embeddings`, `batch-embeddings` or `count-tokens`.
    pub endpoint: String,
    /// Its health.
    pub health: Health,
}

/// The last failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// When it ended.
    pub at_ms: u64,
    /// The provider's name of the model.
    pub model: String,
    /// Kind of the failure.
    pub kind: String,
    /// Status of the provider's response.
    pub status: Option<u16>,
    /// A text for people.
    pub message: String,
}

/// Refreshes of a credential's tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refresh {
    /// Whether a refresh runs.
    pub running: bool,
    /// Whether the tokens could not be saved: a restart now would lose them.
    pub unsaved: bool,
    /// When a refresh last succeeded.
    pub refreshed_at_ms: Option<u64>,
    /// Time of the next refresh.
    pub due_at_ms: Option<u64>,
    /// Consecutive failed refreshes.
    pub failures: u32,
    /// Why the provider does not accept the refresh token any more.
    pub rejected: Option<String>,
    /// The last failed refresh, if none succeeded since.
    pub last_failure: Option<RefreshFailure>,
}

/// A failed refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshFailure {
    /// When it ended.
    pub at_ms: u64,
    /// Status of the token endpoint's response.
    pub status: Option<u16>,
    /// A text for people.
    pub message: String,
}

/// Cooldowns that a rate limit or a quota caused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quota {
    /// Whether there is such a cooldown now.
    pub exceeded: bool,
    /// The failure that started it.
    pub reason: Option<Cause>,
    /// When the first of them ends.
    pub next_recover_ms: Option<u64>,
    /// Most consecutive cooldowns with an estimated duration.
    pub backoff_level: u32,
}

/// The request body of `POST /credentials`, as a client writes it: the keys of `credentials[]` in the
/// configuration, and `provider`.
///
/// The server does not read it with serde. It uses the reader of the configuration, which denies
/// unknown keys and reports all errors at once. `Debug` shows no secret.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NewCredential {
    /// Its id.
    pub id: String,
    /// Name of its provider.
    pub provider: String,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `api-key` or `oauth`; by default the server decides by the names of the secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Prefix of its model names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Credentials with a higher priority are used first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Share among credentials of one priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u64>,
    /// Limit of attempts in progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u64>,
    /// When its access token expires (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Whether it is added disabled.
    #[serde(skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// Attributes for executors and selectors.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Secrets by name, in plain text.
    #[serde(serialize_with = "write_secrets")]
    pub secrets: BTreeMap<String, SecretString>,
    /// URL of its proxy. It may contain a password.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_proxy_url"
    )]
    pub proxy_url: Option<SecretString>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn write_secrets<S: Serializer>(
    secrets: &BTreeMap<String, SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(secrets.len()))?;
    for (name, secret) in secrets {
        map.serialize_entry(name, secret.expose_secret())?;
    }
    map.end()
}

fn write_proxy_url<S: Serializer>(
    url: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let url = url.as_ref().map(|url| url.expose_secret());
    url.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ready_health_has_only_its_state() -> serde_json::Result<()> {
        let ready = Health {
            state: HealthState::Ready,
            details: None,
        };
        let json = json!({ "state": "ready" });
        assert_eq!(serde_json::to_value(&ready)?, json);
        assert_eq!(serde_json::from_value::<Health>(json)?, ready);
        Ok(())
    }

    #[test]
    fn barred_health_has_null_for_its_end() -> serde_json::Result<()> {
        let json = json!({ "state": "barred", "until_ms": null, "next_trial_ms": null, "strikes": 0, "class": null,
            "hint": false, "cause": null });
        let read: Health = serde_json::from_value(json.clone())?;
        assert_eq!(read.state, HealthState::Barred);
        assert!(read.details.is_some());
        assert_eq!(serde_json::to_value(&read)?, json);
        Ok(())
    }

    #[test]
    fn reads_what_another_version_sends() -> serde_json::Result<()> {
        let json = json!({
            "credential": { "id": "a", "new-member": 1, "health": { "state": "new-state" } },
        });
        let read: CredentialResponse = serde_json::from_value(json)?;
        assert_eq!(read.credential.id, "a");
        assert_eq!(read.credential.health.state, HealthState::Unknown);
        assert_eq!(read.credential.models, []);
        Ok(())
    }

    #[test]
    fn new_credential_hides_secrets_in_debug_only() -> serde_json::Result<()> {
        let new = NewCredential {
            id: "a".to_owned(),
            provider: "acme".to_owned(),
            label: None,
            kind: None,
            prefix: None,
            priority: None,
            weight: None,
            max_in_flight: Some(4),
            expires_at: None,
            disabled: false,
            attributes: BTreeMap::new(),
            secrets: BTreeMap::from([("api-key".to_owned(), "sk-1".into())]),
            proxy_url: Some("http://me:pass@host:1".into()),
        };
        let shown = format!("{new:?}");
        assert!(
            !shown.contains("sk-1") && !shown.contains("pass@"),
            "{shown}"
        );
        let expected = json!({
            "id": "a",
            "provider": "acme",
            "max-in-flight": 4,
            "secrets": { "api-key": "sk-1" },
            "proxy-url": "http://me:pass@host:1",
        });
        assert_eq!(serde_json::to_value(&new)?, expected);
        Ok(())
    }
}
