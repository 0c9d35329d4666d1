//! Credentials that the admin API makes: read like the configuration's, and kept so that they can be
//! made again after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jackfield_admin::CredentialAdmin;
use jackfield_auth::{Definition, Origin, Registration, StoredCredential};
use jackfield_config::{Catalog, credential_entry};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// Makes credentials of what the admin API is sent, by the configuration as it is.
pub(crate) struct CredentialFactory(pub(crate) Arc<ArcSwap<Catalog>>);

impl CredentialAdmin for CredentialFactory {
    fn create(&self, body: &Value) -> Result<Registration, Vec<String>> {
        create(&self.0.load(), body)
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
