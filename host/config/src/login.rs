//! Reads how the accounts of a provider log in.

use std::collections::BTreeMap;

use jackfield_login::{LoginSettings, OAuthClient, Redirect, RedirectHost};

use crate::keys::login::{self as keys, redirect as redirect_keys};
use crate::mapping::{Mapping, entries};
use crate::reader::{Located, Reader};

/// Reads the section `login` of a provider.
pub(crate) fn login(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<LoginSettings> {
    let mut mapping = Mapping::open(reader, located, &keys::SECTION)?;
    let id = mapping.get(reader, &keys::CLIENT_ID);
    let secret = mapping.get(reader, &keys::CLIENT_SECRET);
    let authentication = mapping.get(reader, &keys::CLIENT_AUTHENTICATION);
    let token_url = mapping.get(reader, &keys::TOKEN_URL);
    if !mapping.has(&keys::AUTHORIZATION_URL) && !mapping.has(&keys::DEVICE_AUTHORIZATION_URL) {
        let message = "needs `authorization-url` or `device-authorization-url`; add one";
        reader.report(located, message);
    }
    let authorization_url = mapping.get(reader, &keys::AUTHORIZATION_URL);
    let device_authorization_url = mapping.get(reader, &keys::DEVICE_AUTHORIZATION_URL);
    let verification_origins = mapping.get(reader, &keys::VERIFICATION_ORIGINS);
    let issuer = mapping.get(reader, &keys::ISSUER);
    let scopes = mapping.get_checked(reader, &keys::SCOPES, |reader, located, scopes| {
        if scopes.iter().any(|scope| scope.contains(' ')) {
            reader.report(
                located,
                "has a scope with a space; write each scope as an item",
            );
        }
    });
    let parameters = mapping.nested(reader, &keys::PARAMETERS, parameters);
    let token_parameters = mapping.nested(reader, &keys::TOKEN_PARAMETERS, self::parameters);
    let redirect = mapping.nested(reader, &keys::REDIRECT, redirect);
    let account_from = mapping.get(reader, &keys::ACCOUNT_FROM);
    let label_from = mapping.get(reader, &keys::LABEL_FROM);
    mapping.deny_unknown(reader);
    Some(LoginSettings {
        client: OAuthClient {
            id: id?,
            secret,
            authentication,
        },
        token_url: token_url?,
        device_authorization_url,
        authorization_url,
        issuer,
        scopes: scopes.unwrap_or_default(),
        parameters: parameters.unwrap_or_default(),
        token_parameters: token_parameters.unwrap_or_default(),
        verification_origins: verification_origins.unwrap_or_default(),
        redirect: redirect.unwrap_or_else(default_redirect),
        account_from,
        label_from,
    })
}

fn redirect(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Redirect> {
    let mut mapping = Mapping::open(reader, located, &redirect_keys::SECTION)?;
    let redirect = Redirect {
        host: mapping.get(reader, &redirect_keys::HOST),
        port: mapping.get(reader, &redirect_keys::PORT),
        path: mapping.get(reader, &redirect_keys::PATH),
    };
    mapping.deny_unknown(reader);
    Some(redirect)
}

fn default_redirect() -> Redirect {
    Redirect {
        host: RedirectHost::V4,
        port: 0,
        path: "/callback".to_owned(),
    }
}

/// Reads names and values of parameters. Those that Jackfield sets itself are refused.
fn parameters(reader: &mut Reader<'_>, located: &Located<'_>) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for entry in entries(reader, located)? {
        let below = located.member(&entry.key, &entry.node);
        if RESERVED.contains(&entry.key.as_str()) {
            reader.report(&below, "is set by Jackfield itself; remove it");
        } else if let Some(text) = reader.text(&below) {
            parameters.insert(entry.key.clone(), text.to_owned());
        }
    }
    Some(parameters)
}

/// The parameters that the flows define (RFC 6749, RFC 7636, RFC 8628), and `response_mode`: the callback has its
/// parameters in the query.
const RESERVED: [&str; 14] = [
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "grant_type",
    "redirect_uri",
    "refresh_token",
    "response_mode",
    "response_type",
    "scope",
    "state",
];
