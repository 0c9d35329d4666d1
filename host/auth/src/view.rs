//! What the admin API shows of a credential. It contains no secret.

use std::collections::BTreeMap;

use jackfield_credential::{
    Aggregate, CredentialId, CredentialKind, CredentialStatus, Status, Timestamp,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::account::Account;
use crate::manager::AuthManager;
use crate::port::RefreshFailure;
use crate::registration::Origin;
use crate::state::State;

/// One credential, as operators see it.
#[derive(Clone, Debug)]
pub struct CredentialView {
    /// Its status in the pool.
    pub status: CredentialStatus,
    /// The summary of the status. Here it may also be [`Status::Refreshing`].
    pub aggregate: Aggregate,
    /// A short name that reveals no secret and survives restarts: 16 hexadecimal digits.
    pub index: String,
    /// The account's owner, if known: an e-mail address, with the project if there is one.
    pub account: Option<String>,
    /// The kind of proxy that its connections use, such as `via socks5 proxy`.
    pub proxy: Option<String>,
    /// The source that defines it.
    pub origin: Origin,
    /// When its access token expires.
    pub expires_at: Option<Timestamp>,
    /// The state of its token refresh.
    pub refresh: RefreshView,
    /// Other account data.
    pub metadata: BTreeMap<String, Value>,
    /// When it was first registered.
    pub created_at: Timestamp,
}

/// The state of a token refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshView {
    /// When the tokens were last refreshed.
    pub refreshed_at: Option<Timestamp>,
    /// When the next refresh is due.
    pub due_at: Option<Timestamp>,
    /// True while a refresh is running.
    pub running: bool,
    /// True if the last save failed: a restart now would lose the tokens.
    pub is_unsaved: bool,
    /// Consecutive failures.
    pub failures: u32,
    /// Why the provider rejected the refresh token.
    pub rejected: Option<String>,
    /// The last failure, if there was no success since.
    pub last_failure: Option<LastRefreshFailure>,
}

/// The last failed refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRefreshFailure {
    /// When it ended.
    pub at: Timestamp,
    /// Why it failed.
    pub failure: RefreshFailure,
}

impl AuthManager {
    /// Returns all credentials, ordered by id.
    pub fn list(&self) -> Vec<CredentialView> {
        let now = self.inner.now();
        let state = self.inner.lock();
        let status = state.pool.status(now);
        status
            .into_iter()
            .filter_map(|status| view(&state, status))
            .collect()
    }

    /// Returns the number of running refreshes. A shutdown should wait for them: the provider may
    /// have revoked the tokens in the store already.
    pub fn refreshes_running(&self) -> usize {
        let state = self.inner.lock();
        state
            .accounts
            .values()
            .filter(|account| account.refresh.running.is_some())
            .count()
    }

    /// Returns one credential.
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
    let rejected = &account.refresh.rejected;
    let last_failure = account.refresh.last_failure.clone();
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
            // A rejected one is in the queue until its access token ends.
            due_at: state
                .queue
                .due_at(&status.id)
                .filter(|_| rejected.is_none()),
            running,
            is_unsaved: state.unsaved.contains(&status.id),
            failures: account.refresh.failures,
            rejected: rejected.as_ref().map(|rejection| rejection.message.clone()),
            last_failure: last_failure.map(|(at, failure)| LastRefreshFailure { at, failure }),
        },
        metadata: account.metadata.clone(),
        created_at: account.record.created_at,
        status,
    })
}

/// Returns the same index as CLIProxyAPI v6.7.21: the first 8 bytes of SHA-256 of the file's name,
/// the API key, or the id.
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

/// Returns the owner of an OAuth account. For an API key there is nothing to show but the key
/// itself.
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
        let secrets = secrets
            .iter()
            .map(|(name, secret)| ((*name).to_owned(), (*secret).into()));
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
        // CLIProxyAPI returns the key itself here.
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
