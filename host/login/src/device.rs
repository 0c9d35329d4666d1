//! The device authorization grant (RFC 8628): a person types a short code on a page of the provider, while the
//! client polls the token endpoint.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::failure::{ErrorReport, LoginFailure};
use crate::limits::{
    DEVICE_LIFETIME_MAX, POLL_INTERVAL_DEFAULT, POLL_INTERVAL_MAX, POLL_INTERVAL_MIN,
    SLOW_DOWN_STEP, TOKEN_BYTES_MAX, USER_CODE_CHARS_MAX, VERIFICATION_URI_BYTES_MAX,
};
use crate::settings::LoginSettings;
use crate::token_grant::{TokenGrant, failed, parse, seconds, unexpected};
use crate::token_request::TokenRequest;

/// A login by device code. All times are durations since the login began.
#[derive(Debug)]
pub struct DeviceLogin {
    device_code: SecretString,
    user_code: String,
    verification_page: Url,
    interval: Duration,
    next_poll_at: Duration,
    expires_at: Duration,
}

impl DeviceLogin {
    /// The request that begins a login. None if the settings have no device authorization endpoint.
    pub fn request(settings: &LoginSettings) -> Option<TokenRequest> {
        let url = settings.device_authorization_url.as_ref()?;
        let scope = settings.scope();
        let scope = scope.iter().map(|scope| ("scope", scope.as_str()));
        let more = settings.parameters.iter();
        let more = more.map(|(name, value)| (name.as_str(), value.as_str()));
        Some(settings.client.request(url, scope.chain(more)))
    }

    /// Reads the response to [`Self::request`] that arrived at `now`.
    ///
    /// # Errors
    /// The response is an error or not as the RFC has it, or its page is at an origin that the settings do not
    /// allow.
    pub fn begin(
        settings: &LoginSettings,
        status: u16,
        body: &[u8],
        now: Duration,
    ) -> Result<Self, LoginFailure> {
        let body = parse(body);
        if let Some(report) = ErrorReport::read(&body) {
            return Err(report.into_failure(settings.client.secret.iter()));
        }
        if !(200..300).contains(&status) {
            return Err(unexpected(status));
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let device_code = text("device_code").filter(|code| {
            let printable = code.bytes().all(|byte| byte.is_ascii_graphic());
            !code.is_empty() && code.len() <= TOKEN_BYTES_MAX && printable
        });
        let device_code =
            device_code.ok_or_else(|| failed("the provider's response contains no device code"))?;
        let user_code = text("user_code").filter(|code| {
            let printable = code.chars().all(|found| !found.is_control());
            !code.is_empty() && code.chars().count() <= USER_CODE_CHARS_MAX && printable
        });
        let user_code =
            user_code.ok_or_else(|| failed("the provider's response contains no user code"))?;
        // Google's first version of the endpoint has the second name (google-auth-library and others read both).
        let page = text("verification_uri").or_else(|| text("verification_url"));
        let page = verification_page(settings, page)?;
        let lifetime = body.get("expires_in").and_then(seconds);
        let lifetime =
            lifetime.ok_or_else(|| failed("the provider's response contains no `expires_in`"))?;
        let interval = body.get("interval").and_then(seconds);
        let interval = interval.unwrap_or(POLL_INTERVAL_DEFAULT);
        let interval = interval.clamp(POLL_INTERVAL_MIN, POLL_INTERVAL_MAX);
        Ok(Self {
            device_code: device_code.into(),
            user_code: user_code.to_owned(),
            verification_page: page,
            interval,
            next_poll_at: now + interval,
            expires_at: now + lifetime.min(DEVICE_LIFETIME_MAX),
        })
    }

    /// The page that a person opens.
    pub fn verification_page(&self) -> &Url {
        &self.verification_page
    }

    /// The code that a person types there.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// When the login ends without tokens.
    pub fn expires_at(&self) -> Duration {
        self.expires_at
    }

    /// When to poll, or to end the login.
    pub fn wait_until(&self) -> Duration {
        self.next_poll_at.min(self.expires_at)
    }

    /// The next poll.
    ///
    /// # Errors
    /// The login has expired.
    pub fn poll(
        &self,
        settings: &LoginSettings,
        now: Duration,
    ) -> Result<TokenRequest, LoginFailure> {
        if now >= self.expires_at {
            let message = "the code was not entered in time; begin again";
            return Err(LoginFailure::Expired(message.to_owned()));
        }
        Ok(settings.token_request(&[
            ("grant_type", DEVICE_GRANT),
            ("device_code", self.device_code.expose_secret()),
        ]))
    }

    /// Reads the response to a poll that arrived at `now`. None: the person has not decided yet.
    ///
    /// # Errors
    /// The login ended without tokens.
    pub fn receive(
        &mut self,
        settings: &LoginSettings,
        status: u16,
        body: &[u8],
        now: Duration,
    ) -> Result<Option<TokenGrant>, LoginFailure> {
        let body = parse(body);
        let passes = status >= 500 || status == TOO_MANY_REQUESTS || status == REQUEST_TIMEOUT;
        if let Some(report) = ErrorReport::read(&body) {
            match report.code() {
                "authorization_pending" => {}
                "slow_down" => {
                    self.interval = (self.interval + SLOW_DOWN_STEP).min(self.longest_interval());
                }
                // An error of a gateway, say, whose words are no decision of the person.
                code if passes && !ENDS.contains(&code) => {
                    self.note_no_response(now);
                    return Ok(None);
                }
                _ => {
                    let secrets = settings.client.secret.iter().chain([&self.device_code]);
                    return Err(report.into_failure(secrets));
                }
            }
            self.next_poll_at = now + self.interval;
            return Ok(None);
        }
        if (200..300).contains(&status) {
            return TokenGrant::read(settings, &body).map(Some);
        }
        if passes {
            self.note_no_response(now);
            return Ok(None);
        }
        Err(unexpected(status))
    }

    /// Records that a poll had no response: the next one waits for twice as long (RFC 8628, section 3.5).
    pub fn note_no_response(&mut self, now: Duration) {
        self.interval = (self.interval * 2).min(self.longest_interval());
        self.next_poll_at = now + self.interval;
    }

    /// The limit of the interval, which never shortens it.
    fn longest_interval(&self) -> Duration {
        POLL_INTERVAL_MAX.max(self.interval)
    }
}

/// Checks the URL of the page where a person types the code.
fn verification_page(settings: &LoginSettings, page: Option<&str>) -> Result<Url, LoginFailure> {
    let page = page.filter(|page| page.len() <= VERIFICATION_URI_BYTES_MAX);
    let page = page.and_then(|page| Url::parse(page).ok());
    let page = page.filter(|page| page.has_host() && page.username().is_empty());
    let page =
        page.ok_or_else(|| failed("the provider's response contains no URL of a page to open"))?;
    if settings.allows_verification_page(&page) {
        return Ok(page);
    }
    let origin = page.origin().ascii_serialization();
    Err(LoginFailure::Failed(format!(
        "the provider's page for the code is at {origin}, which the settings of the login do not allow; if that \
         is the provider's page, add it to `verification-origins`"
    )))
}

/// The grant type of RFC 8628, section 3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Codes that end a login whatever the status (RFC 8628, section 3.5).
const ENDS: [&str; 2] = ["access_denied", "expired_token"];

const REQUEST_TIMEOUT: u16 = 408;
const TOO_MANY_REQUESTS: u16 = 429;

#[cfg(test)]
mod tests;
