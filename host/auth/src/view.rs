//! What people may know of one credential, beside how it stands in the pool. Nothing here is secret.

use std::collections::BTreeMap;

use jackfield_credential::{
    Aggregate, CredentialId, CredentialKind, CredentialStatus, Status, Timestamp,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::account::Account;
use crate::manager::AuthManager;
use crate::registration::Origin;
use crate::state::State;

/// One credential, for people.
#[derive(Clone, Debug)]
pub struct CredentialView {
    /// How it stands in the pool.
    pub status: CredentialStatus,
    /// What that amounts to; here it may be [`Status::Refreshing`], too.
    pub aggregate: Aggregate,
    /// A short name that tells nothing of the secret and stays the same over restarts: 16
    /// hexadecimal digits.
    pub index: String,
    /// Whose account it is, where that is known: an e-mail address.
    pub account: Option<String>,
    /// Whether its connections go through a proxy, and of which kind, such as `via socks5 proxy`.
    pub proxy: Option<String>,
    /// Who defines it.
    pub origin: Origin,
    /// When its access token ends.
    pub expires_at: Option<Timestamp>,
    /// How the renewal of its tokens stands.
    pub refresh: RefreshView,
    /// What else is known of the account.
    pub metadata: BTreeMap<String, Value>,
    /// When it became known.
    pub created_at: Timestamp,
}

/// How the renewal of tokens stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshView {
    /// When the tokens were last renewed.
    pub refreshed_at: Option<Timestamp>,
    /// When that is due again.
    pub due_at: Option<Timestamp>,
    /// Whether it is under way.
    pub running: bool,
    /// Failures in a row.
    pub failures: u32,
    /// Why the provider will not renew them any more.
    pub rejected: Option<String>,
}

impl AuthManager {
    /// All credentials, ordered by id.
    pub fn list(&self) -> Vec<CredentialView> {
        let now = self.inner.now();
        let state = self.inner.lock();
        let status = state.pool.status(now);
        status
            .into_iter()
            .filter_map(|status| view(&state, status))
            .collect()
    }

    /// How many refreshes are under way: whoever stops should let them end, since a provider may
    /// have taken back the tokens that are kept.
    pub fn refreshes_running(&self) -> usize {
        let state = self.inner.lock();
        let running = state.accounts.values();
        running
            .filter(|account| account.refresh.running.is_some())
            .count()
    }

    /// One credential.
    pub fn get(&self, id: &CredentialId) -> Option<CredentialView> {
        let now = self.inner.now();
        let state = self.inner.lock();
        let status = state.pool.get(id.as_str(), now)?;
        view(&state, status)
    }
}

fn view(state: &State, status: CredentialStatus) -> Option<CredentialView> {
    let account = state.accounts.get(&status.id)?;
    let running = account.refresh.running.is_some();
    let mut aggregate = status.aggregate();
    if running && status.enabled {
        aggregate.status = Status::Refreshing;
    }
    Some(CredentialView {
        aggregate,
        index: index(&status.id, account),
        account: owner(status.kind, account),
        proxy: account.proxy.as_deref().map(proxy),
        origin: account.origin.clone(),
        expires_at: account.tokens.expires_at,
        refresh: RefreshView {
            refreshed_at: account.tokens.refreshed_at,
            due_at: state.queue.due_at(&status.id),
            running,
            failures: account.refresh.failures,
            rejected: account.refresh.rejected.clone(),
        },
        metadata: account.metadata.clone(),
        created_at: account.record.created_at,
        status,
    })
}

/// As CLIProxyAPI v6.7.21 makes it: the first 8 bytes of SHA-256 over the file's name, the API key,
/// or the id.
fn index(id: &CredentialId, account: &Account) -> String {
    let key = account.tokens.secrets.get("api-key");
    let of = match (&account.origin, key) {
        (Origin::File(name), _) => format!("file:{name}"),
        (_, Some(key)) => format!("api_key:{}", key.expose_secret()),
        (_, None) => format!("id:{id}"),
    };
    let digest = Sha256::digest(of.as_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A key has no owner that could be told without telling the key.
fn owner(kind: CredentialKind, account: &Account) -> Option<String> {
    let email = account.metadata.get("email")?.as_str()?.trim();
    if kind == CredentialKind::ApiKey || email.is_empty() {
        return None;
    }
    let project = account.metadata.get("project_id").and_then(Value::as_str);
    Some(match project.filter(|project| !project.is_empty()) {
        Some(project) => format!("{email} ({project})"),
        None => email.to_owned(),
    })
}

fn proxy(url: &SecretString) -> String {
    match url.expose_secret().split_once("://") {
        Some((scheme, _)) => format!("via {} proxy", scheme.to_ascii_lowercase()),
        None => "via proxy".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jackfield_credential::Credential;
    use serde_json::json;

    use super::*;
    use crate::Registration;

    fn account(secrets: &[(&str, &str)]) -> Account {
        let secrets = secrets.iter();
        let secrets = secrets.map(|(name, secret)| ((*name).to_owned(), (*secret).into()));
        let credential = Credential::new("me", "acme", "http://127.0.0.1:1");
        let registration = Registration::new(credential, secrets.collect());
        Account::new(&registration, Timestamp::default(), 1)
    }

    #[test]
    fn cliproxyapi_compat_1_13_index_hashes_file_or_key_or_id() {
        // `printf file:a.json | sha256sum`, and so on: the first 16 digits.
        let mut account = account(&[("api-key", "sk-1")]);
        let id = CredentialId::from("me");
        assert_eq!(index(&id, &account), "f57bacf361bc8567");
        account.origin = Origin::File("a.json".into());
        assert_eq!(index(&id, &account), "1af52cced29d5a37");
        let keyless = self::account(&[("access-token", "at")]);
        assert_eq!(index(&id, &keyless), "a327dec6ef8c73ce");
    }

    #[test]
    fn cliproxyapi_compat_1_13_account_name_is_email_and_never_a_key() {
        let mut account = account(&[]);
        assert_eq!(owner(CredentialKind::Oauth, &account), None);
        let metadata = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(name, text)| ((*name).to_owned(), json!(text)))
                .collect()
        };
        account.metadata = metadata(&[("email", " me@example.com ")]);
        let address = Some("me@example.com".to_owned());
        assert_eq!(owner(CredentialKind::Oauth, &account), address);
        // The seed answers with the key itself.
        assert_eq!(owner(CredentialKind::ApiKey, &account), None);
        account.metadata = metadata(&[("email", "me@example.com"), ("project_id", "p")]);
        let with_project = Some("me@example.com (p)".to_owned());
        assert_eq!(owner(CredentialKind::Oauth, &account), with_project);
        account.metadata = metadata(&[("email", " ")]);
        assert_eq!(owner(CredentialKind::Oauth, &account), None);
    }

    #[test]
    fn cliproxyapi_compat_1_13_shows_only_the_scheme_of_a_proxy() {
        let label = |url: &str| proxy(&Arc::new(SecretString::from(url)));
        assert_eq!(label("SOCKS5://me:secret@host:1"), "via socks5 proxy");
        assert_eq!(label("me:secret@host:1"), "via proxy");
    }
}
