//! HTTP Basic authentication (RFC 7617) where only the password need be a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::error::SigningError;
use crate::parameters::Parameters;
use crate::request::{SchemeSecrets, SignedFields, required_secret};

/// RFC 7617, section 2: the first colon ends the user, and control characters are not allowed.
const FORBIDDEN_IN_USER: [char; 3] = [':', '\r', '\n'];

/// The user of HTTP Basic authentication. The password is the secret to sign with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Basic {
    /// A text that the executor knows, such as an attribute.
    Plain(String),
    /// A secret, by its name.
    Secret(String),
}

impl Basic {
    pub(crate) const NAME: &str = "basic";

    /// Reads `user`, a text, or `user-secret`, the name of a secret.
    pub(crate) fn parse(parameters: &[(String, String)]) -> Result<Self, SigningError> {
        let mut parameters = Parameters::new(Self::NAME, parameters);
        let scheme = match parameters.optional("user-secret") {
            Some(name) => Self::Secret(name.to_owned()),
            None => Self::Plain(parameters.required("user")?.to_owned()),
        };
        if let Self::Plain(user) = &scheme
            && user.contains(FORBIDDEN_IN_USER)
        {
            return Err(parameters.invalid("user", "a text without a colon and in one line"));
        }
        parameters.finish()?;
        Ok(scheme)
    }

    pub(crate) fn sign(
        &self,
        password: &str,
        secrets: &dyn SchemeSecrets,
    ) -> Result<SignedFields, SigningError> {
        let user = match self {
            Self::Plain(user) => user,
            Self::Secret(name) => {
                let user = required_secret(secrets, name)?;
                if user.contains(FORBIDDEN_IN_USER) {
                    return Err(SigningError::UnusableSecret {
                        name: name.clone(),
                        scheme: Self::NAME,
                        problem: "a user has no colon, and one line",
                    });
                }
                user
            }
        };
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        let value = SecretString::from(format!("Basic {encoded}"));
        Ok(SignedFields {
            headers: vec![("authorization".to_owned(), value)],
            derived: vec![SecretString::from(encoded)],
            ..SignedFields::default()
        })
    }
}
