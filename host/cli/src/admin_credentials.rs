//! Credentials that the admin API makes: read like the configuration's, and kept so that they can be
//! made again after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use jackfield_admin::{CredentialAdmin, LoggedIn};
use jackfield_auth::{Definition, Origin, Registration, StoredCredential};
use jackfield_config::{Catalog, credential_entry};
use jackfield_credential::CredentialKind;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// Makes credentials of what the admin API is sent, by the configuration as it is.
pub(crate) struct CredentialFactory(pub(crate) Arc<ArcSwap<Catalog>>);

impl CredentialAdmin for CredentialFactory {
    fn create(&self, body: &Value) -> Result<Registration, Vec<String>> {
        create(&self.0.load(), body)
    }

    fn log_in(
        &self,
        account: &LoggedIn,
        earlier: Option<&Definition>,
    ) -> Result<Registration, Vec<String>> {
        create(&self.0.load(), &logged_in(account, earlier))
    }
}

/// The body of a credential with these tokens. Priority, models, proxy and other settings of the earlier one stay.
fn logged_in(account: &LoggedIn, earlier: Option<&Definition>) -> Value {
    let mut body = match earlier {
        Some(definition) => with_secrets(definition),
        None => {
            json!({ "id": account.id.as_str(), "provider": account.provider.as_str(), "secrets": {} })
        }
    };
    let tokens = [
        (ACCESS_TOKEN, Some(&account.access_token)),
        (REFRESH_TOKEN, account.refresh_token.as_ref()),
    ];
    for (name, token) in tokens {
        set(
            &mut body["secrets"],
            name,
            token.map(ExposeSecret::expose_secret),
        );
    }
    let expires_at = account.expires_at.map(|time| {
        let time = UNIX_EPOCH + Duration::from_millis(time.as_millis());
        humantime::format_rfc3339_millis(time).to_string()
    });
    set(&mut body, "expires-at", expires_at.as_deref());
    set(&mut body, "kind", Some(CredentialKind::Oauth.label()));
    if let Some(id) = &account.account {
        body["attributes"]["account_id"] = json!(id);
    }
    // An operator may have given it another one.
    if body.get("label").is_none() {
        set(&mut body, "label", account.label.as_deref());
    }
    body
}

/// Sets a member of an object, or removes it.
fn set(object: &mut Value, name: &str, text: Option<&str>) {
    match text {
        Some(text) => object[name] = json!(text),
        None => {
            if let Some(members) = object.as_object_mut() {
                members.shift_remove(name);
            }
        }
    }
}

/// A credential of the store's made again.
///
/// # Errors
///
/// Why it cannot be.
pub(crate) fn restore(
    catalog: &Catalog,
    stored: &StoredCredential,
) -> Result<Registration, String> {
    if catalog.defines(&stored.id) {
        return Err("the configuration has a credential of this id, which counts more".to_owned());
    }
    let definition = stored.definition.as_ref();
    let definition = definition.ok_or_else(|| "it is not known what it was made of".to_owned())?;
    create(catalog, &with_secrets(definition)).map_err(|errors| errors.join("; "))
}

fn create(catalog: &Catalog, body: &Value) -> Result<Registration, Vec<String>> {
    let new = credential_entry::parse(body)?;
    let registration = catalog.registration(&new);
    let mut registration = registration.map_err(|why| vec![format!("provider: {why}")])?;
    registration.origin = Origin::Admin;
    registration.definition = Some(definition(body, &registration));
    Ok(registration)
}

/// What is kept of a body: what is secret in it apart from the rest.
fn definition(body: &Value, registration: &Registration) -> Definition {
    // The body, not the credential: base URL and models come from the configuration of each start.
    let mut without_secrets = body.clone();
    if let Some(without_secrets) = without_secrets.as_object_mut() {
        for secret in SECRET_KEYS {
            without_secrets.remove(secret);
        }
    }
    let mut secrets = registration.secrets.clone();
    let proxy = registration.proxy.clone();
    secrets.extend(proxy.map(|proxy| (PROXY.to_owned(), proxy)));
    Definition {
        body: without_secrets,
        secrets,
    }
}

/// The body that a definition was kept of.
fn with_secrets(definition: &Definition) -> Value {
    let mut body = definition.body.clone();
    let of = |secret: &SecretString| json!(secret.expose_secret());
    let named = |secrets: &BTreeMap<String, SecretString>| -> Map<String, Value> {
        let named = secrets.iter().filter(|(name, _)| *name != PROXY);
        named
            .map(|(name, secret)| (name.clone(), of(secret)))
            .collect()
    };
    body["secrets"] = Value::Object(named(&definition.secrets));
    if let Some(proxy) = definition.secrets.get(PROXY) {
        body["proxy-url"] = of(proxy);
    }
    body
}

/// The keys of a body that hold secrets; a proxy's URL may hold a password.
const SECRET_KEYS: [&str; 3] = ["api-key", "secrets", "proxy-url"];

/// What the proxy is kept as among the secrets; no secret's name begins so.
const PROXY: &str = "@proxy-url";

/// The names by which executors and refreshes know the tokens.
const ACCESS_TOKEN: &str = "access-token";

/// See [`ACCESS_TOKEN`].
const REFRESH_TOKEN: &str = "refresh-token";

#[cfg(test)]
mod tests {
    use jackfield_credential::Timestamp;

    use super::*;

    fn account(account: Option<&str>, refresh_token: Option<&str>) -> LoggedIn {
        LoggedIn {
            id: "acme-me".into(),
            provider: "acme".into(),
            access_token: "new-a".into(),
            refresh_token: refresh_token.map(SecretString::from),
            expires_at: Some(Timestamp::from_millis(1_780_000_000_250)),
            account: account.map(str::to_owned),
            label: Some("me@example.com".to_owned()),
        }
    }

    #[test]
    fn new_credential_has_what_the_login_shows() {
        let body = logged_in(&account(Some("me"), Some("new-r")), None);
        let expected = json!({
            "id": "acme-me",
            "provider": "acme",
            "secrets": { "access-token": "new-a", "refresh-token": "new-r" },
            "expires-at": "2026-05-28T20:26:40.250Z",
            "kind": "oauth",
            "attributes": { "account_id": "me" },
            "label": "me@example.com",
        });
        assert_eq!(body, expected);
        assert!(credential_entry::parse(&body).is_ok());
    }

    #[test]
    fn replaced_credential_keeps_what_is_not_of_the_login() {
        let secrets = [
            ("access-token", "old-a"),
            ("refresh-token", "old-r"),
            ("proxy-user", "p"),
            (PROXY, "http://me:pass@127.0.0.1:1"),
        ];
        let earlier = Definition {
            body: json!({
                "id": "acme-me", "provider": "acme", "label": "Ours", "priority": 3,
                "expires-at": "2025-01-01T00:00:00Z", "attributes": { "region": "eu", "account_id": "other" },
            }),
            secrets: secrets
                .into_iter()
                .map(|(name, secret)| (name.to_owned(), secret.into()))
                .collect(),
        };
        let body = logged_in(&account(Some("me"), None), Some(&earlier));
        let expected = json!({
            "id": "acme-me",
            "provider": "acme",
            "label": "Ours",
            "priority": 3,
            "expires-at": "2026-05-28T20:26:40.250Z",
            "attributes": { "region": "eu", "account_id": "me" },
            "secrets": { "access-token": "new-a", "proxy-user": "p" },
            "proxy-url": "http://me:pass@127.0.0.1:1",
            "kind": "oauth",
        });
        assert_eq!(body, expected);
        assert!(credential_entry::parse(&body).is_ok());
    }
}
