//! The authorization code grant with PKCE (RFC 6749, section 4.1, and RFC 7636): a person consents in a browser,
//! and the browser brings the code to a redirect URI on this machine, or the person pastes that URI.

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use url::Url;
use url::form_urlencoded::parse as parse_query;

use crate::failure::{ErrorReport, LoginFailure};
use crate::limits::{CALLBACK_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::pkce::{RANDOM_BYTES, challenge, state_and_verifier};
use crate::settings::LoginSettings;
use crate::token_grant::{TokenGrant, failed, read_once};
use crate::token_request::TokenRequest;

/// A login by authorization code. `Debug` shows neither state nor verifier.
#[derive(Debug)]
pub struct CodeLogin {
    state: SecretString,
    verifier: SecretString,
    redirect_uri: String,
    /// The code of the callback, once it arrived.
    code: Option<SecretString>,
    /// Whether the one callback of this login arrived.
    received: bool,
}

/// Why a callback brought no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// It does not belong to this login, which stays open.
    #[error("this is not the callback of this login: {0}")]
    Foreign(&'static str),
    /// The login ended.
    #[error(transparent)]
    Ended(#[from] LoginFailure),
}

impl CodeLogin {
    /// Begins a login with the redirect of the settings at this port. `random` must be unpredictable.
    pub fn begin(settings: &LoginSettings, port: u16, random: &[u8; RANDOM_BYTES]) -> Self {
        let (state, verifier) = state_and_verifier(random);
        Self {
            state,
            verifier,
            redirect_uri: settings.redirect.uri(port),
            code: None,
            received: false,
        }
    }

    /// The URI that the provider redirects to.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The URL that a person opens. None if the settings have no authorization endpoint.
    pub fn authorization_url(&self, settings: &LoginSettings) -> Option<Url> {
        let mut url = settings.authorization_url.clone()?;
        let challenge = challenge(self.verifier.expose_secret());
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client.id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("state", self.state.expose_secret())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(scope) = settings.scope() {
            query.append_pair("scope", &scope);
        }
        query.extend_pairs(&settings.parameters);
        drop(query);
        Some(url)
    }

    /// Reads a callback URL that a person pasted; see [`Self::receive`].
    ///
    /// # Errors
    /// As [`Self::receive`], and if the URL is not the redirect URI with a query.
    pub fn receive_url(
        &mut self,
        settings: &LoginSettings,
        url: &str,
    ) -> Result<TokenRequest, CallbackError> {
        let (base, query) = url.trim().split_once('?').unwrap_or((url, ""));
        // As URLs: a browser leaves the port of the scheme out.
        let redirect_uri = Url::parse(&self.redirect_uri).ok();
        if redirect_uri.is_none() || Url::parse(base).ok() != redirect_uri {
            let message = "paste the whole address that the browser shows after the consent";
            return Err(CallbackError::Foreign(message));
        }
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        self.receive(settings, query)
    }

    /// Reads the query of a callback, and returns the request that exchanges its code for tokens. Only one
    /// callback with the state of this login is read.
    ///
    /// # Errors
    /// The callback is not one of this login, or it ended the login: it is an error, names another issuer, or has
    /// no code.
    pub fn receive(
        &mut self,
        settings: &LoginSettings,
        query: &str,
    ) -> Result<TokenRequest, CallbackError> {
        let callback = Callback::read(query)?;
        let state = callback.state.unwrap_or_default();
        let expected = self.state.expose_secret().as_bytes();
        if !bool::from(expected.ct_eq(state.as_bytes())) {
            return Err(CallbackError::Foreign("its `state` is another one"));
        }
        if std::mem::replace(&mut self.received, true) {
            return Err(CallbackError::Foreign("it arrived already"));
        }
        // Before the error is read: it is another provider's error then (RFC 9207, section 2.4).
        if settings.issuer.is_some() && settings.issuer != callback.issuer {
            let message = "the callback's `iss` is not the `issuer` of the settings: the response is another \
                           provider's";
            return Err(LoginFailure::Failed(message.to_owned()).into());
        }
        if let Some(error) = callback.error {
            let report = ErrorReport::new(&error, callback.error_description.as_deref());
            return Err(report.into_failure(self.secrets(settings)).into());
        }
        let code = callback.code.filter(|code| {
            !code.is_empty() && code.len() <= TOKEN_BYTES_MAX && !code.chars().any(char::is_control)
        });
        let code = code.ok_or_else(|| failed("the callback contains no code"))?;
        let request = settings.token_request(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", self.verifier.expose_secret()),
        ]);
        self.code = Some(code.into());
        Ok(request)
    }

    /// Reads the response of the token endpoint.
    ///
    /// # Errors
    /// The response has an error or no tokens.
    pub fn finish(
        &self,
        settings: &LoginSettings,
        status: u16,
        body: &[u8],
    ) -> Result<TokenGrant, LoginFailure> {
        read_once(settings, status, body, self.secrets(settings))
    }

    fn secrets<'a>(
        &'a self,
        settings: &'a LoginSettings,
    ) -> impl Iterator<Item = &'a SecretString> {
        let own = [&self.state, &self.verifier];
        let client = settings.client.secret.iter();
        own.into_iter().chain(&self.code).chain(client)
    }
}

/// The parameters of a callback (RFC 6749, sections 4.1.2 and 4.1.2.1, and RFC 9207).
#[derive(Default)]
struct Callback {
    state: Option<String>,
    code: Option<String>,
    issuer: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Callback {
    fn read(query: &str) -> Result<Self, CallbackError> {
        if query.len() > CALLBACK_BYTES_MAX {
            return Err(CallbackError::Foreign("it is too long"));
        }
        let mut callback = Self::default();
        for (name, value) in parse_query(query.as_bytes()) {
            let member = match &*name {
                "state" => &mut callback.state,
                "code" => &mut callback.code,
                "iss" => &mut callback.issuer,
                "error" => &mut callback.error,
                "error_description" => &mut callback.error_description,
                _ => continue,
            };
            // A parameter must not be repeated (RFC 6749, section 3.1).
            if member.replace(value.into_owned()).is_some() {
                return Err(CallbackError::Foreign("it has a parameter twice"));
            }
        }
        Ok(callback)
    }
}

#[cfg(test)]
mod tests;
