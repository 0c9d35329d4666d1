//! Pools of credentials of any size, and their candidates for a selector.

use std::collections::BTreeMap;
use std::sync::Arc;

use jackfield_auth::{AuthManager, AuthParts, Registration};
use jackfield_credential::{Credential, Served, Timestamp};

use crate::Result;

/// The model that all credentials serve.
pub(crate) const MODEL: &str = "gpt-test";

/// The time of all operations.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Creates a manager with this number of credentials, all available.
pub(crate) fn pool(size: usize) -> Result<AuthManager> {
    let registration = |number| {
        let key = format!("key-{number}").into();
        let secrets = BTreeMap::from([("api-key".to_owned(), key)]);
        Registration::new(credential(number), secrets)
    };
    let registrations = (0..size).map(registration).collect();
    let parts = AuthParts::new(registrations, Arc::new(|| NOW));
    Ok(AuthManager::new(parts)?)
}

/// Creates one credential.
pub(crate) fn credential(number: usize) -> Credential {
    Credential {
        secret_fields: vec!["api-key".to_owned()],
        serves: vec![Served::new(MODEL, vec![Arc::from(MODEL)])],
        ..Credential::new(
            format!("acme-{number:05}"),
            "acme",
            "http://127.0.0.1:9100/v1",
        )
    }
}
