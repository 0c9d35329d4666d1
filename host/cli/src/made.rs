//! Credentials that the admin API makes: read like the configuration's, and kept so that they can be
//! made again after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jackfield_auth::{Definition, Origin, Registration, StoredCredential};
use jackfield_http::CredentialMaker;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::config::entry;

/// Makes credentials of what the admin API is sent, by the configuration as it is.
pub(crate) struct Maker(pub(crate) Arc<ArcSwap<Catalog>>);

impl CredentialMaker for Maker {
    fn make(&self, body: &Value) -> Result<Registration, Vec<String>> {
        make(&self.0.load(), body)
    }
}

/// A credential of the store's made again.
///
/// # Errors
///
/// Why it cannot be.
pub(crate) fn again(catalog: &Catalog, stored: &StoredCredential) -> Result<Registration, String> {
    if catalog.defines(&stored.id) {
        return Err("the configuration has a credential of this id, which counts more".to_owned());
    }
    let definition = stored.definition.as_ref();
    let definition = definition.ok_or_else(|| "it is not known what it was made of".to_owned())?;
    make(catalog, &whole(definition)).map_err(|mistakes| mistakes.join("; "))
}

fn make(catalog: &Catalog, body: &Value) -> Result<Registration, Vec<String>> {
    let new = entry::entry(body)?;
    let made = catalog.registration(&new);
    let mut registration = made.map_err(|why| vec![format!("provider: {why}")])?;
    registration.origin = Origin::Admin;
    registration.definition = Some(definition(body, &registration));
    Ok(registration)
}

/// What is kept of a body: what is secret in it apart from the rest.
fn definition(body: &Value, registration: &Registration) -> Definition {
    let mut kept = body.clone();
    if let Some(kept) = kept.as_object_mut() {
        for secret in SECRET {
            kept.remove(secret);
        }
    }
    let mut secrets = registration.secrets.clone();
    let proxy = registration.proxy.clone();
    secrets.extend(proxy.map(|proxy| (PROXY.to_owned(), proxy)));
    Definition {
        body: kept,
        secrets,
    }
}

/// The body that a definition was kept of.
fn whole(definition: &Definition) -> Value {
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
const SECRET: [&str; 3] = ["api-key", "secrets", "proxy-url"];

/// What the proxy is kept as among the secrets; no secret's name begins so.
const PROXY: &str = "@proxy-url";
