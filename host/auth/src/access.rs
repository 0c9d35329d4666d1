//! A credential with its secrets for a request that is no attempt: nothing is chosen or settled.

use std::fmt;
use std::sync::Arc;

use jackfield_credential::{Credential, CredentialId};
use secrecy::SecretString;

use crate::AuthManager;
use crate::account::Tokens;

/// A credential with its secrets, as they were when it was asked for.
pub struct Access {
    credential: Arc<Credential>,
    tokens: Arc<Tokens>,
    proxy: Option<Arc<SecretString>>,
}

impl AuthManager {
    /// The credential of this id with its secrets, however it stands; none if there is none.
    pub fn access(&self, id: &CredentialId) -> Option<Access> {
        let mut state = self.inner.lock();
        let (credential, account) = state.of(id)?;
        Some(Access {
            credential,
            tokens: Arc::clone(&account.tokens),
            proxy: account.proxy.clone(),
        })
    }
}

impl Access {
    /// The credential.
    pub fn credential(&self) -> &Arc<Credential> {
        &self.credential
    }

    /// A secret of it by its name.
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        self.tokens.secrets.get(name)
    }

    /// The proxy of its connections: a URL, which may hold a password.
    pub fn proxy(&self) -> Option<&Arc<SecretString>> {
        self.proxy.as_ref()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("credential", &self.credential.id)
            .finish_non_exhaustive()
    }
}
