//! The admin token, and the calls that it allows: those pinned to one credential.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::http::{HeaderMap, HeaderName};
use jackfield_credential::CredentialId;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// The id of the only credential that a call may use, for tests of an account. It needs [`ADMIN_TOKEN`].
/// Neither header reaches a provider.
pub(crate) const CREDENTIAL: HeaderName = HeaderName::from_static("x-jackfield-credential");

/// The token of the admin API, with which a client may use [`CREDENTIAL`]. Not `authorization`, which has
/// the client's key.
pub(crate) const ADMIN_TOKEN: HeaderName = HeaderName::from_static("x-jackfield-admin-token");

/// The token. A reload can replace it. `Debug` does not show it.
pub struct AdminToken(ArcSwap<SecretString>);

impl AdminToken {
    /// Creates a token from its text.
    pub fn new(token: SecretString) -> Self {
        Self(ArcSwap::from_pointee(token))
    }

    /// Replaces the token.
    pub fn set(&self, token: SecretString) {
        self.0.store(Arc::new(token));
    }

    /// Compares in constant time, so that the response time of a wrong token tells nothing.
    pub fn matches(&self, presented: &[u8]) -> bool {
        let token = self.0.load();
        presented.ct_eq(token.expose_secret().as_bytes()).into()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminToken").finish_non_exhaustive()
    }
}

/// Why a call may not be pinned to a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PinError {
    #[error(
        "`{CREDENTIAL}` pins a call to a credential, which needs the token of the admin API: send it as `{ADMIN_TOKEN}`"
    )]
    NotAllowed,
    #[error("`{CREDENTIAL}` is not the id of a credential: it is empty, not UTF-8, or given twice")]
    InvalidId,
}

/// Returns the credential that a request is pinned to. `token` is `None` if there is no admin API, and
/// then no request may be pinned.
pub(crate) fn pinned(
    headers: &HeaderMap,
    token: Option<&AdminToken>,
) -> Result<Option<CredentialId>, PinError> {
    let mut ids = headers.get_all(CREDENTIAL).iter();
    let Some(id) = ids.next() else {
        return Ok(None);
    };
    let presented = headers.get(ADMIN_TOKEN);
    let allowed = token.zip(presented);
    if !allowed.is_some_and(|(token, presented)| token.matches(presented.as_bytes())) {
        return Err(PinError::NotAllowed);
    }
    match std::str::from_utf8(id.as_bytes()).map(str::trim) {
        Ok(id) if !id.is_empty() && ids.next().is_none() => Ok(Some(id.into())),
        Ok(_) | Err(_) => Err(PinError::InvalidId),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(pairs: &[(HeaderName, &'static str)]) -> Result<Option<CredentialId>, PinError> {
        let token = AdminToken::new("admin-token-0123456789".into());
        pinned(&headers(pairs), Some(&token))
    }

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn pins_with_the_token_only() {
        let right = (ADMIN_TOKEN, "admin-token-0123456789");
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(std::slice::from_ref(&right)), Ok(None));
        let id = (CREDENTIAL, "team/a.json");
        let both = [id.clone(), right.clone()];
        assert_eq!(of(&both), Ok(Some("team/a.json".into())));
        for wrong in [
            vec![id.clone()],
            vec![id.clone(), (ADMIN_TOKEN, "admin-token-0123456780")],
            vec![id.clone(), (ADMIN_TOKEN, "")],
        ] {
            assert_eq!(of(&wrong), Err(PinError::NotAllowed));
        }
        assert_eq!(pinned(&headers(&both), None), Err(PinError::NotAllowed));
        let twice = [id.clone(), id, right.clone()];
        assert_eq!(of(&twice), Err(PinError::InvalidId));
        assert_eq!(of(&[(CREDENTIAL, " "), right]), Err(PinError::InvalidId));
    }
}
