//! Logins in progress: who consents, and the codes that were issued.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{GrantError, MockOAuth, MockTokens};

/// What the person at the browser does, and what the provider sends back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MockConsent {
    /// Logs in as this account and consents.
    Approve(String),
    /// Refuses.
    Deny,
    /// Consents as this account; the callback has another `state`.
    OtherState(String),
    /// Consents as this account; the callback has another `iss`.
    OtherIssuer(String),
}

/// Logins in progress.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// What the next person at the authorization endpoint does.
    consent: Option<MockConsent>,
    /// The number of the next code.
    next: u64,
    codes: BTreeMap<String, IssuedCode>,
    devices: BTreeMap<String, Device>,
}

/// An authorization code that was issued.
#[derive(Debug)]
struct IssuedCode {
    account: String,
    client: String,
    redirect_uri: String,
    challenge: String,
}

/// A device that waits.
#[derive(Debug)]
struct Device {
    user_code: String,
    client: String,
    decision: Option<Result<String, GrantError>>,
    interval: Duration,
    slow_downs: u32,
    next_poll_at: Instant,
    expires_at: Instant,
}

/// The codes of a new device.
pub(super) struct DeviceCodes {
    pub(super) device: String,
    pub(super) user: String,
}

/// The request of an authorization endpoint.
pub(super) struct Authorization<'a> {
    pub(super) client: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) challenge: &'a str,
}

impl MockOAuth {
    /// Sets what the next person at the authorization endpoint does.
    pub fn consent(&self, consent: MockConsent) {
        self.logins.lock().consent = Some(consent);
    }

    /// Enters a user code, as this account or, with `None`, to refuse. False if no device has the code.
    pub fn enter_code(&self, user_code: &str, account: Option<&str>) -> bool {
        let mut logins = self.logins.lock();
        let device = logins
            .devices
            .values_mut()
            .find(|device| device.user_code == user_code);
        let decision = account.map(str::to_owned).ok_or(GrantError::AccessDenied);
        device
            .map(|device| device.decision = Some(decision))
            .is_some()
    }

    /// Expires all device codes.
    pub fn expire_devices(&self) {
        let now = Instant::now();
        for device in self.logins.lock().devices.values_mut() {
            device.expires_at = now;
        }
    }

    /// Takes what the next person does. A person who has nothing to do refuses.
    pub(super) fn take_consent(&self) -> MockConsent {
        let mut logins = self.logins.lock();
        logins.consent.take().unwrap_or(MockConsent::Deny)
    }

    /// Issues an authorization code.
    pub(super) fn issue_code(&self, account: &str, authorization: &Authorization<'_>) -> String {
        let mut logins = self.logins.lock();
        let code = logins.new_code(account, "code");
        let issued = IssuedCode {
            account: account.to_owned(),
            client: authorization.client.to_owned(),
            redirect_uri: authorization.redirect_uri.to_owned(),
            challenge: authorization.challenge.to_owned(),
        };
        logins.codes.insert(code.clone(), issued);
        code
    }

    /// Exchanges an authorization code (RFC 6749, section 4.1.3, and RFC 7636, section 4.6). A code is valid once.
    pub(super) fn exchange_code(
        &self,
        code: &str,
        client: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<(String, MockTokens), GrantError> {
        let issued = self.logins.lock().codes.remove(code);
        let issued = issued.ok_or(GrantError::InvalidGrant)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let verifier_is_legal = (43..=128).contains(&verifier.len());
        if issued.client != client
            || issued.redirect_uri != redirect_uri
            || issued.challenge != challenge
            || !verifier_is_legal
        {
            return Err(GrantError::InvalidGrant);
        }
        Ok(self.log_in(issued.account))
    }

    /// Registers a device.
    pub(super) fn begin_device(&self, client: &str, now: Instant) -> DeviceCodes {
        let mut logins = self.logins.lock();
        let device = logins.new_code("device", "code");
        let user = format!("MOCK-{:04}", logins.next);
        logins.devices.insert(
            device.clone(),
            Device {
                user_code: user.clone(),
                client: client.to_owned(),
                decision: None,
                interval: self.options.poll_interval,
                slow_downs: self.options.slow_downs,
                next_poll_at: now + self.options.poll_interval,
                expires_at: now + self.options.device_lifetime,
            },
        );
        DeviceCodes { device, user }
    }

    /// Answers a poll (RFC 8628, section 3.5). A poll that is too early makes the interval 5 s longer.
    pub(super) fn poll_device(
        &self,
        code: &str,
        client: &str,
        now: Instant,
    ) -> Result<(String, MockTokens), GrantError> {
        let account = {
            let mut logins = self.logins.lock();
            let device = logins.devices.get_mut(code);
            let device = device.filter(|device| device.client == client);
            let device = device.ok_or(GrantError::InvalidGrant)?;
            if now >= device.expires_at {
                logins.devices.remove(code);
                return Err(GrantError::ExpiredToken);
            }
            let early = now < device.next_poll_at;
            if early || device.slow_downs > 0 {
                device.interval += SLOW_DOWN_STEP;
                device.next_poll_at = now + device.interval;
                device.slow_downs = device.slow_downs.saturating_sub(1);
                self.count(|counts| counts.polled_too_early += u64::from(early));
                return Err(GrantError::SlowDown);
            }
            device.next_poll_at = now + device.interval;
            let decision = device.decision.take();
            let decision = decision.ok_or(GrantError::AuthorizationPending)?;
            logins.devices.remove(code);
            decision?
        };
        Ok(self.log_in(account))
    }

    fn log_in(&self, account: String) -> (String, MockTokens) {
        let tokens = self.open(&account);
        self.count(|counts| counts.logged_in += 1);
        (account, tokens)
    }
}

impl Logins {
    /// A code such as `alice.code.3`, which tests can find in logs.
    fn new_code(&mut self, account: &str, kind: &str) -> String {
        self.next += 1;
        format!("{account}.{kind}.{}", self.next)
    }
}

/// How much longer a poll that is too early makes the interval (RFC 8628, section 3.5).
const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
