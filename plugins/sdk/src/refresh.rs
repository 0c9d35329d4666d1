//! The refresh of an access token: RFC 6749, section 6. The operator says where, in the provider's
//! settings.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::executor::{Credential, Failure, HttpRequest, Plan, SecretPlace};

/// How long before its end a token is refreshed: 5 minutes, which an hour's token can spare and a
/// token endpoint may be down for. The operator's own lead wins.
pub const LEAD_MS: u64 = 5 * 60 * 1_000;

/// What the operator set for refreshes. Other settings of the provider are not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Settings {
    /// The token endpoint. Without it there is no refresh.
    token_url: Option<String>,
    /// How the client proves who it is.
    client_authentication: ClientAuthentication,
    /// What the new token may do: not more than the old one could.
    scope: Option<String>,
    /// More fields of the form, as the provider wants them.
    token_params: BTreeMap<String, String>,
}

/// Where `client-id` and `client-secret` go: RFC 6749, section 2.3.1.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ClientAuthentication {
    /// Into the form.
    #[default]
    Body,
    /// Into the header, form-encoded and then as HTTP Basic authentication.
    Basic,
}

/// Plans the refresh of a credential. The secrets stay with the host: it puts the refresh token into
/// the form, and takes the new tokens out of the answer.
///
/// # Errors
/// Where the settings (the text of a JSON object) or the credential lack what it takes. That is the
/// operator's to mend; the credential may well be sound.
pub fn plan(credential: &Credential, settings: &str) -> Result<Plan, Failure> {
    let settings: Settings = serde_json::from_str(settings)
        .map_err(|error| Failure::invalid_request(format!("the settings of a refresh: {error}")))?;
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
        .header("accept", b"application/json")
        .secret("refresh-token", place);
    Ok(
        with_client_authentication(request, credential, &settings.client_authentication)
            .relay()
            .capture("/access_token", "access-token")
            .capture("/refresh_token", "refresh-token")
            .capture("/expires_in", "expires-in"),
    )
}

fn with_client_authentication(
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
        if credential.has_secret(secret) {
            request = request.secret(secret, place);
        }
    }
    request
}
