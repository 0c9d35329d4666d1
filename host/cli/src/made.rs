//! Credentials that the admin API makes: read like the configuration's, and kept so that they can be
//! made again after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jackfield_auth::{Definition, Origin, Registration, StoredCredential};
use jackfield_credential::CredentialId;
use jackfield_http::CredentialMaker;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::config::{Config, entry};

/// Makes credentials of what the admin API is sent, and of what was kept of it.
pub(crate) struct Maker {
    catalog: Arc<Catalog>,
    /// What the configuration defines; it wins over what was kept.
    configured: BTreeSet<CredentialId>,
}

impl Maker {
    pub(crate) fn new(catalog: Arc<Catalog>, config: &Config) -> Self {
        let credentials = config.providers.iter().flat_map(|each| &each.credentials);
        Self {
            catalog,
            configured: credentials
                .map(|each| CredentialId::from(&*each.id))
                .collect(),
        }
    }

    /// A credential of the store's made again; none, and a line in the log, if it cannot be.
    pub(crate) fn again(&self, stored: &StoredCredential) -> Option<Registration> {
        let definition = stored.definition.as_ref()?;
        if self.configured.contains(&stored.id) {
            tracing::warn!(credential = %stored.id, "the configuration has it now; what the admin API made is left out");
            return None;
        }
        match self.make(&whole(definition)) {
            Ok(registration) => Some(registration),
            Err(mistakes) => {
                let mistakes = mistakes.join("; ");
                tracing::error!(credential = %stored.id, mistakes, "what the admin API made is left out");
                None
            }
        }
    }
}

impl CredentialMaker for Maker {
    fn make(&self, body: &Value) -> Result<Registration, Vec<String>> {
        let new = entry::entry(body)?;
        let made = self.catalog.registration(&new.provider, &new.credential);
        let mut registration = made.ok_or_else(|| {
            let provider = new.provider;
            vec![format!(
                "provider: the configuration has no provider `{provider}`"
            )]
        })?;
        registration.origin = Origin::Admin;
        registration.definition = Some(definition(body, &registration));
        Ok(registration)
    }
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
