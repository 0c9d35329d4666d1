//! What all schemes take and return.

use secrecy::SecretString;

use crate::error::SigningError;

/// A request, complete but for its signature.
#[derive(Debug, Clone)]
pub struct UnsignedRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The host as the header `host` has it: with the port, unless that is the default.
    pub host: &'a str,
    /// The path as it is sent, so percent-encoded. Never empty.
    pub path: &'a str,
    /// The query as it is sent, without `?`; empty if there is none.
    pub query: &'a str,
    /// The other headers: names in lower case, and values. A name may occur more than once.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The body.
    pub body: &'a [u8],
}

/// The secrets of a credential, by name.
pub trait SchemeSecrets {
    /// Returns the secret of this name.
    fn secret(&self, name: &str) -> Option<&str>;
}

/// What a scheme adds to a request.
#[derive(Debug, Default)]
pub struct SignedFields {
    /// Headers that replace those of the same name: names in lower case, and values.
    pub headers: Vec<(String, SecretString)>,
    /// Fields of an urlencoded body.
    pub form: Vec<(String, SecretString)>,
    /// Texts that were computed from secrets and must not be shown, such as a signature. They are parts of the
    /// values above.
    pub derived: Vec<SecretString>,
}

/// Returns a secret that a scheme cannot do without.
pub(crate) fn required_secret<'a>(
    secrets: &'a dyn SchemeSecrets,
    name: &str,
) -> Result<&'a str, SigningError> {
    let missing = || SigningError::MissingSecret(name.to_owned());
    secrets.secret(name).ok_or_else(missing)
}
