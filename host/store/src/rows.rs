//! The stored form of records: JSON, with separate types, so that the host's types can change
//! without a change of stored data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{Definition, StoredTokens};
use jackfield_credential::{Cause, CoolingClass, Health, Scope, Timestamp, Window};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Tokens. They are sealed as a whole.
#[derive(Serialize, Deserialize)]
pub(crate) struct TokensRow {
    secrets: BTreeMap<String, Plain>,
    expires_at: Option<u64>,
    refreshed_at: Option<u64>,
    source_digest: [u8; 32],
}

impl TokensRow {
    pub(crate) fn of(tokens: &StoredTokens) -> Self {
        Self {
            secrets: plain(&tokens.secrets),
            expires_at: tokens.expires_at.map(Timestamp::as_millis),
            refreshed_at: tokens.refreshed_at.map(Timestamp::as_millis),
            source_digest: tokens.source_digest,
        }
    }

    pub(crate) fn restore(self) -> StoredTokens {
        StoredTokens {
            secrets: secret(self.secrets),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            refreshed_at: self.refreshed_at.map(Timestamp::from_millis),
            source_digest: self.source_digest,
        }
    }
}

/// A definition. It is sealed as a whole.
#[derive(Serialize, Deserialize)]
pub(crate) struct DefinitionRow {
    body: Value,
    secrets: BTreeMap<String, Plain>,
}

impl DefinitionRow {
    pub(crate) fn of(definition: &Definition) -> Self {
        Self {
            body: definition.body.clone(),
            secrets: plain(&definition.secrets),
        }
    }

    pub(crate) fn restore(self) -> Definition {
        Definition {
            body: self.body,
            secrets: secret(self.secrets),
        }
    }
}

/// A secret in plain text: the row that contains it is sealed.
struct Plain(SecretString);

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

fn plain(secrets: &BTreeMap<String, SecretString>) -> BTreeMap<String, Plain> {
    let one = |(name, secret): (&String, &SecretString)| (name.clone(), Plain(secret.clone()));
    secrets.iter().map(one).collect()
}

fn secret(plain: BTreeMap<String, Plain>) -> BTreeMap<String, SecretString> {
    plain
        .into_iter()
        .map(|(name, Plain(secret))| (name, secret))
        .collect()
}

/// Health that is not ready, and what identifies the secrets that it belongs to. Earlier versions did not
/// store the latter.
#[derive(Serialize, Deserialize)]
pub(crate) struct HealthOfSecrets {
    #[serde(flatten)]
    pub(crate) health: HealthRow,
    #[serde(default)]
    pub(crate) secrets_digest: Option<u64>,
}

/// Health that is not ready.
#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum HealthRow {
    Cooling {
        window: WindowRow,
        probe_at: Option<u64>,
    },
    Probing {
        window: WindowRow,
        pause_ms: u64,
    },
    Barred {
        since: u64,
        cause: CauseRow,
    },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct WindowRow {
    since: u64,
    until: u64,
    strikes: u32,
    /// Absent in rows of earlier versions, which had no classes.
    #[serde(default)]
    class: Option<ClassRow>,
    #[serde(default)]
    hint: Option<bool>,
    cause: CauseRow,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ClassRow {
    Limit,
    Overload,
    Outage,
    Refused,
    Billing,
    Missing,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CauseRow {
    scope: ScopeRow,
    kind: String,
    status: Option<u16>,
    message: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ScopeRow {
    Request,
    Model,
    Credential,
    Provider,
    Transport,
}

impl HealthRow {
    /// Returns the row, or `None` for ready health, which is not stored.
    pub(crate) fn of(health: &Health) -> Option<Self> {
        Some(match health {
            Health::Ready => return None,
            Health::Cooling { window, probe_at } => Self::Cooling {
                window: WindowRow::of(window),
                probe_at: probe_at.map(Timestamp::as_millis),
            },
            Health::Probing { window, pause, .. } => Self::Probing {
                window: WindowRow::of(window),
                pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            },
            Health::Barred { since, cause } => Self::Barred {
                since: since.as_millis(),
                cause: CauseRow::of(cause),
            },
        })
    }

    pub(crate) fn restore(self) -> Health {
        match self {
            Self::Cooling { window, probe_at } => Health::Cooling {
                window: window.restore(),
                probe_at: probe_at.map(Timestamp::from_millis),
            },
            Self::Probing { window, pause_ms } => Health::Probing {
                window: window.restore(),
                pause: Duration::from_millis(pause_ms),
                // The probe of the former process: its number is never used again.
                probe: 0,
            },
            Self::Barred { since, cause } => Health::Barred {
                since: Timestamp::from_millis(since),
                cause: cause.restore(),
            },
        }
    }
}

impl WindowRow {
    fn of(window: &Window) -> Self {
        Self {
            since: window.since.as_millis(),
            until: window.until.as_millis(),
            strikes: window.strikes,
            class: Some(ClassRow::of(window.class)),
            hint: Some(window.hint),
            cause: CauseRow::of(&window.cause),
        }
    }

    fn restore(self) -> Window {
        let cause = self.cause.restore();
        let class = self
            .class
            .map_or_else(|| CoolingClass::of(&cause), ClassRow::restore);
        // In earlier versions each guess of a rate limit was a strike.
        let is_limit = matches!(class, CoolingClass::Limit | CoolingClass::Overload);
        let hint = is_limit && self.strikes == 0;
        Window {
            since: Timestamp::from_millis(self.since),
            until: Timestamp::from_millis(self.until),
            strikes: self.strikes,
            class,
            hint: self.hint.unwrap_or(hint),
            cause,
        }
    }
}

impl ClassRow {
    fn of(class: CoolingClass) -> Self {
        match class {
            CoolingClass::Limit => Self::Limit,
            CoolingClass::Overload => Self::Overload,
            CoolingClass::Outage => Self::Outage,
            CoolingClass::Refused => Self::Refused,
            CoolingClass::Billing => Self::Billing,
            CoolingClass::Missing => Self::Missing,
        }
    }

    fn restore(self) -> CoolingClass {
        match self {
            Self::Limit => CoolingClass::Limit,
            Self::Overload => CoolingClass::Overload,
            Self::Outage => CoolingClass::Outage,
            Self::Refused => CoolingClass::Refused,
            Self::Billing => CoolingClass::Billing,
            Self::Missing => CoolingClass::Missing,
        }
    }
}

impl CauseRow {
    fn of(cause: &Cause) -> Self {
        Self {
            scope: match cause.scope {
                Scope::Request => ScopeRow::Request,
                Scope::Model => ScopeRow::Model,
                Scope::Credential => ScopeRow::Credential,
                Scope::Provider => ScopeRow::Provider,
                Scope::Transport => ScopeRow::Transport,
            },
            kind: cause.kind.clone().into_owned(),
            status: cause.status,
            message: cause.message.to_string(),
        }
    }

    fn restore(self) -> Arc<Cause> {
        Arc::new(Cause {
            scope: match self.scope {
                ScopeRow::Request => Scope::Request,
                ScopeRow::Model => Scope::Model,
                ScopeRow::Credential => Scope::Credential,
                ScopeRow::Provider => Scope::Provider,
                ScopeRow::Transport => Scope::Transport,
            },
            kind: Cow::Owned(self.kind),
            status: self.status,
            message: self.message.into(),
        })
    }
}
