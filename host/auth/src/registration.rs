//! A credential together with its secrets, as it is registered.

use std::collections::BTreeMap;

use jackfield_credential::Credential;
use secrecy::SecretString;

/// A credential and its secrets. `Debug` shows the names of the secrets and no more.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The credential. Its `secret_fields` need not be filled in: they are taken from `secrets`.
    pub credential: Credential,
    /// The secrets, by the names that executors know them by, such as `api-key`.
    pub secrets: BTreeMap<String, SecretString>,
}

impl Registration {
    /// The credential, naming just the secrets there are.
    pub(crate) fn split(self) -> (Credential, BTreeMap<String, SecretString>) {
        let mut credential = self.credential;
        credential.secret_fields = self.secrets.keys().cloned().collect();
        (credential, self.secrets)
    }
}
