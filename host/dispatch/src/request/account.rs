//! The credential of a request, as an access (a lease is one) or a refresh job holds it.

use jackfield_auth::{Access, RefreshJob};
use jackfield_credential::Credential;
use secrecy::SecretString;

/// A credential whose secrets a request may carry.
pub(crate) trait Account: Sync {
    /// The credential.
    fn credential(&self) -> &Credential;
    /// Its secret of this name.
    fn secret(&self, name: &str) -> Option<&SecretString>;
    /// The proxy of its connections.
    fn proxy(&self) -> Option<&SecretString>;
}

impl Account for Access {
    fn credential(&self) -> &Credential {
        self.credential()
    }

    fn secret(&self, name: &str) -> Option<&SecretString> {
        self.secret(name)
    }

    fn proxy(&self) -> Option<&SecretString> {
        self.proxy().map(AsRef::as_ref)
    }
}

impl Account for RefreshJob {
    fn credential(&self) -> &Credential {
        &self.credential
    }

    fn secret(&self, name: &str) -> Option<&SecretString> {
        self.secrets.get(name)
    }

    fn proxy(&self) -> Option<&SecretString> {
        self.proxy.as_deref()
    }
}
