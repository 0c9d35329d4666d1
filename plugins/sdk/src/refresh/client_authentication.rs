//! Where the request of a refresh has the client's id and secret.

use serde::Deserialize;

use crate::executor::{Credential, HttpRequest, SecretPlace};

/// The place of `client-id` and `client-secret` in the request (RFC 6749, section 2.3.1).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ClientAuthentication {
    /// In the form.
    #[default]
    Body,
    /// In the header `authorization`, form-encoded, as HTTP Basic authentication.
    Basic,
}

/// Adds `client-id` and `client-secret` of the credential to the request of a refresh.
pub(super) fn with_client_authentication(
    mut request: HttpRequest,
    credential: &Credential,
    style: &ClientAuthentication,
) -> HttpRequest {
    let places = match style {
        ClientAuthentication::Basic => [
            SecretPlace::oauth_client_id(),
            SecretPlace::oauth_client_secret(),
        ],
        ClientAuthentication::Body => [
            SecretPlace::Form("client_id".to_owned()),
            SecretPlace::Form("client_secret".to_owned()),
        ],
    };
    for (secret, place) in ["client-id", "client-secret"].into_iter().zip(places) {
        // A public client has an id but no secret (RFC 6749, section 2.1).
        if credential.has_secret(secret) {
            request = request.secret(secret, place);
        }
    }
    request
}

impl SecretPlace {
    /// The user of HTTP Basic authentication, for the id of an OAuth 2.0 client: the host form-encodes it
    /// first (RFC 6749, section 2.3.1).
    pub fn oauth_client_id() -> Self {
        oauth_client_basic("id")
    }

    /// The password of HTTP Basic authentication, for the secret of an OAuth 2.0 client; see
    /// [`Self::oauth_client_id`].
    pub fn oauth_client_secret() -> Self {
        oauth_client_basic("secret")
    }
}

fn oauth_client_basic(part: &str) -> SecretPlace {
    let parameters = vec![("part".to_owned(), part.to_owned())];
    SecretPlace::Scheme(("oauth-client-basic".to_owned(), parameters))
}
