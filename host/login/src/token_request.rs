//! Requests with forms: to the token endpoint and to the device authorization endpoint.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::settings::{ClientAuthentication, LoginSettings, OAuthClient};

/// A POST request with a form. It contains secrets; `Debug` shows its URL without the query.
#[derive(Clone)]
pub struct TokenRequest {
    /// The endpoint.
    pub url: Url,
    /// The header `authorization`, if the client authenticates by it.
    pub authorization: Option<SecretString>,
    /// The body: `application/x-www-form-urlencoded`.
    pub form: SecretString,
}

impl LoginSettings {
    /// The request for new tokens by a refresh token (RFC 6749, section 6).
    pub fn refresh_request(&self, refresh_token: &SecretString) -> TokenRequest {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose_secret()),
        ];
        self.token_request(&fields)
    }

    /// A request to the token endpoint.
    pub(crate) fn token_request(&self, fields: &[(&str, &str)]) -> TokenRequest {
        let more = self.token_parameters.iter();
        let more = more.map(|(name, value)| (name.as_str(), value.as_str()));
        let fields = fields.iter().copied().chain(more);
        self.client.request(&self.token_url, fields)
    }

    /// The scopes as a request has them.
    pub(crate) fn scope(&self) -> Option<String> {
        (!self.scopes.is_empty()).then(|| self.scopes.join(" "))
    }
}

impl OAuthClient {
    /// A request with these fields and the client's authentication.
    pub(crate) fn request<'a>(
        &self,
        url: &Url,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> TokenRequest {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(fields);
        let mut authorization = None;
        match (&self.secret, self.authentication) {
            (Some(secret), ClientAuthentication::Basic) => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&self.id), encoded(secret.expose_secret()));
                authorization = Some(format!("Basic {}", STANDARD.encode(pair)).into());
            }
            (Some(secret), ClientAuthentication::Body) => {
                form.append_pair("client_id", &self.id);
                form.append_pair("client_secret", secret.expose_secret());
            }
            // A public client names itself (RFC 6749, section 3.2.1).
            (None, _) => {
                form.append_pair("client_id", &self.id);
            }
        }
        TokenRequest {
            url: url.clone(),
            authorization,
            form: form.finish().into(),
        }
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenRequest")
            .field("host", &self.url.host_str())
            .field("path", &self.url.path())
            .finish_non_exhaustive()
    }
}
