//! The token response (RFC 6749, section 5.1): the tokens, their life, and whose they are.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::failure::{ErrorReport, LoginFailure};
use crate::limits::{
    ACCOUNT_BYTES_MAX, RESPONSE_BYTES_MAX, TOKEN_BYTES_MAX, TOKEN_LIFETIME_MAX,
    TOKEN_PIECE_BYTES_MIN,
};
use crate::settings::{LoginSettings, TokenMember};

/// The tokens of a login. `Debug` shows none of them.
#[derive(Debug)]
pub struct TokenGrant {
    /// The access token.
    pub access_token: SecretString,
    /// The refresh token, if the provider issued one.
    pub refresh_token: Option<SecretString>,
    /// The life of the access token, if the provider reported it.
    pub expires_in: Option<Duration>,
    /// The account, as `account_from` of the settings identifies it.
    pub account: Option<String>,
    /// The account, as `label_from` of the settings describes it.
    pub label: Option<String>,
}

impl TokenGrant {
    /// Reads the tokens of a response without an error.
    pub(crate) fn read(settings: &LoginSettings, body: &Value) -> Result<Self, LoginFailure> {
        // A client must not use a token of a type that it does not know (RFC 6749, section 7.1).
        if let Some(kind) = body.get("token_type").and_then(Value::as_str)
            && !kind.eq_ignore_ascii_case("bearer")
        {
            return Err(failed(
                "the provider issued a token that is no bearer token",
            ));
        }
        let access_token = token(body, "access_token")?;
        let access_token =
            access_token.ok_or_else(|| failed("the response contains no access token"))?;
        let mut grant = Self {
            access_token,
            refresh_token: token(body, "refresh_token")?,
            expires_in: body
                .get("expires_in")
                .and_then(seconds)
                .filter(|life| *life <= TOKEN_LIFETIME_MAX),
            account: None,
            label: None,
        };
        let read = |member: &TokenMember| grant.member(settings, member, body);
        let account = settings.account_from.as_ref().map(read).transpose()?;
        // Only for people: a login is not lost for it.
        let label = settings.label_from.as_ref().and_then(|it| read(it).ok());
        grant.account = account;
        grant.label = label;
        Ok(grant)
    }

    /// Reads a member that must be there, and must be no token.
    fn member(
        &self,
        settings: &LoginSettings,
        member: &TokenMember,
        body: &Value,
    ) -> Result<String, LoginFailure> {
        let (found, name) = match member {
            TokenMember::Pointer(pointer) => (body.pointer(pointer).cloned(), pointer),
            TokenMember::Claim(name) => {
                let claims = claims(body, &settings.client.id)?;
                (claims.get(name).cloned(), name)
            }
        };
        let text = match found {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let readable = !text.is_empty()
            && text.len() <= ACCOUNT_BYTES_MAX
            && !text.chars().any(char::is_control);
        if !readable {
            return Err(LoginFailure::Failed(format!(
                "the token response has no text of at most {ACCOUNT_BYTES_MAX} bytes at `{name}`; correct \
                 `account-from`"
            )));
        }
        if self.is_part_of_token(&text, body) {
            return Err(LoginFailure::Failed(format!(
                "`{name}` of the token response is a token; correct `account-from`"
            )));
        }
        Ok(text)
    }

    /// Whether a text is a token, contains one, or is a piece of one.
    fn is_part_of_token(&self, text: &str, body: &Value) -> bool {
        let secrets = [Some(&self.access_token), self.refresh_token.as_ref()];
        let secrets = secrets.into_iter().flatten();
        let secrets = secrets.map(ExposeSecret::expose_secret);
        let id_token = body.get("id_token").and_then(Value::as_str);
        secrets.chain(id_token).any(|token| {
            let is_piece = text.len() >= TOKEN_PIECE_BYTES_MIN && token.contains(text);
            let has_token = token.len() >= TOKEN_PIECE_BYTES_MIN && text.contains(token);
            text == token || is_piece || has_token
        })
    }
}

/// Reads the JSON of a response. Gateways send error pages that are not JSON: those are null.
pub(crate) fn parse(body: &[u8]) -> Value {
    if body.len() > RESPONSE_BYTES_MAX {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

/// Reads the response of a request that is sent once.
pub(crate) fn read_once<'a>(
    settings: &LoginSettings,
    status: u16,
    body: &[u8],
    secrets: impl Iterator<Item = &'a SecretString>,
) -> Result<TokenGrant, LoginFailure> {
    let body = parse(body);
    // Some endpoints, such as GitHub's, report an error with status 200.
    if let Some(report) = ErrorReport::read(&body) {
        return Err(report.into_failure(secrets));
    }
    if !(200..300).contains(&status) {
        return Err(unexpected(status));
    }
    TokenGrant::read(settings, &body)
}

/// The failure of a response that is neither a success nor an error of the RFC.
pub(crate) fn unexpected(status: u16) -> LoginFailure {
    LoginFailure::Failed(format!(
        "the provider responded with status {status} and no error code"
    ))
}

/// The claims of the response's `id_token`. Its signature is not checked: it came from the token endpoint itself
/// (OpenID Connect Core, section 3.1.3.7, item 6).
fn claims(body: &Value, client: &str) -> Result<Value, LoginFailure> {
    let token = body.get("id_token").and_then(Value::as_str);
    let token = token.ok_or_else(|| {
        failed("the response contains no `id_token`; request the scope `openid`, or correct `account-from`")
    })?;
    let unreadable = || failed("the `id_token` of the response cannot be read");
    let payload = token.split('.').nth(1).ok_or_else(unreadable)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok();
    let claims = payload.map(|payload| parse(&payload));
    let claims = claims.filter(Value::is_object).ok_or_else(unreadable)?;
    let for_client = match claims.get("aud") {
        Some(Value::String(audience)) => audience == client,
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == client),
        _ => false,
    };
    if for_client {
        Ok(claims)
    } else {
        Err(failed(
            "the `id_token` of the response is for another client",
        ))
    }
}

/// A token of a response. Secrets are visible ASCII (RFC 6749, appendix A.12).
fn token(body: &Value, name: &str) -> Result<Option<SecretString>, LoginFailure> {
    let text = match body.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value.as_str().unwrap_or_default(),
    };
    if text.is_empty()
        || text.len() > TOKEN_BYTES_MAX
        || !text.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(LoginFailure::Failed(format!(
            "`{name}` of the response is not a token of at most {TOKEN_BYTES_MAX} bytes"
        )));
    }
    Ok(Some(text.into()))
}

/// A number of seconds; some providers send it as a string. Zero means that it is unknown.
pub(crate) fn seconds(value: &Value) -> Option<Duration> {
    let number = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    let time = Duration::try_from_secs_f64(number).ok()?;
    (!time.is_zero()).then_some(time)
}

pub(crate) fn failed(message: &str) -> LoginFailure {
    LoginFailure::Failed(message.to_owned())
}

#[cfg(test)]
mod tests;
