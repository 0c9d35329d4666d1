//! The refresh of an access token (RFC 6749, section 6). The provider's settings have the token endpoint.

mod client_authentication;

use std::collections::BTreeMap;

use serde::Deserialize;

use self::client_authentication::{ClientAuthentication, with_client_authentication};
use crate::executor::{Credential, Descriptor, Failure, HttpRequest, Plan, SecretPlace};

/// How long before its end a token is refreshed: 5 minutes. It is a small part of a token's usual hour,
/// and leaves time for retries while the token endpoint is down. The operator's `refresh.lead` overrides
/// it.
pub const LEAD_MS: u64 = 5 * 60 * 1_000;

/// The provider's settings for refreshes. Others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Settings {
    /// The URL of the token endpoint. Required.
    token_url: Option<String>,
    /// How the client authenticates.
    client_authentication: ClientAuthentication,
    /// The scope to request, which may not exceed that of the old token.
    scope: Option<String>,
    /// Further fields of the form, for the provider.
    token_params: BTreeMap<String, String>,
}

/// Plans the refresh of a credential. The plugin sees no secret: the host puts the refresh token into the
/// form, and takes the new tokens from the response.
///
/// # Errors
/// When `settings` (the text of a JSON object) are invalid or have no `token-url`, or when the credential
/// has no `refresh-token`. The scope is `request`: the operator must correct the configuration, and the
/// credential does not cool.
pub fn plan(credential: &Credential, settings: &str) -> Result<Plan, Failure> {
    let settings: Settings = serde_json::from_str(settings).map_err(|error| {
        Failure::invalid_request(format!("invalid settings for a refresh: {error}"))
    })?;
    let Some(url) = &settings.token_url else {
        return Err(Failure::invalid_request(
            "the setting `token-url` is missing",
        ));
    };
    if !credential.has_secret("refresh-token") {
        return Err(Failure::invalid_request(
            "the credential has no `refresh-token`",
        ));
    }
    let mut fields = vec![("grant_type", "refresh_token")];
    fields.extend(settings.scope.iter().map(|scope| ("scope", scope.as_str())));
    let more = settings.token_params.iter();
    fields.extend(more.map(|(name, value)| (name.as_str(), value.as_str())));
    let place = SecretPlace::Form("refresh_token".to_owned());
    let request = HttpRequest::form(url.as_str(), &fields)
        // GitHub's token endpoint returns a form to clients that do not request JSON.
        .header("accept", b"application/json")
        .secret("refresh-token", place);
    Ok(
        with_client_authentication(request, credential, &settings.client_authentication)
            .relay()
            .capture("/access_token", "access-token")
            .capture("/refresh_token", "refresh-token")
            .capture_expires_in("/expires_in"),
    )
}

impl Descriptor {
    /// Adds the operation `refresh` for [`plan`], with its lead. It declares every host, because
    /// only the operator knows the token endpoint, and grants its origin.
    #[must_use]
    pub fn refreshes_tokens(mut self) -> Self {
        self.refresh_lead_ms = Some(LEAD_MS);
        self.operation("refresh").host("*")
    }
}
