//! The mock provider's token endpoint: the refresh grant of OAuth 2.0 (RFC 6749, section 6), and logins by
//! authorization code and by device code. It validates requests as strictly as the RFCs allow, so that a request
//! that passes here passes anywhere.

mod endpoint;
mod login;
mod login_endpoint;
mod tokens;

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

pub(super) use endpoint::token;
use login::Logins;
pub use login::MockConsent;
pub(super) use login_endpoint::{authorize, device};
use tokens::{Family, RefreshTokenError};

/// The behaviour of a token endpoint.
#[derive(Debug, Clone)]
pub struct MockOAuthOptions {
    /// When a used refresh token becomes invalid.
    pub rotation: Rotation,
    /// The lifetime of an access token.
    pub lifetime: Duration,
    /// The number of calls after which an access token expires; `None` for no limit.
    pub calls_max: Option<u64>,
    /// The delay between issuing tokens and responding. A client that dies in it never gets the tokens.
    pub pause: Duration,
    /// The id and the secret of the only accepted client; `None` accepts every client.
    pub client: Option<(String, String)>,
    /// The interval between polls with a device code.
    pub poll_interval: Duration,
    /// How many polls of a device get `slow_down` although they are not too early.
    pub slow_downs: u32,
    /// The lifetime of a device code.
    pub device_lifetime: Duration,
}

impl Default for MockOAuthOptions {
    /// Strict rotation, a lifetime of an hour, no delay, every client.
    fn default() -> Self {
        Self {
            rotation: Rotation::Strict,
            lifetime: Duration::from_hours(1),
            calls_max: None,
            pause: Duration::ZERO,
            client: None,
            poll_interval: Duration::from_secs(1),
            slow_downs: 0,
            device_lifetime: Duration::from_mins(10),
        }
    }
}

/// When a used refresh token becomes invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// At once. Its reuse may be a theft, so it revokes all tokens of the account (RFC 9700,
    /// section 4.14.2).
    Strict,
    /// At the first use of the access token that was issued for it, or of a later one. A client that did
    /// not get the response can try again. The library Doorkeeper does this.
    UntilFirstUse,
    /// Never. Responses have no new refresh token.
    Never,
}

/// The accounts of a mock provider, with their tokens.
#[derive(Debug)]
pub struct MockOAuth {
    options: MockOAuthOptions,
    accounts: Mutex<Accounts>,
    logins: Mutex<Logins>,
}

#[derive(Debug, Default)]
struct Accounts {
    families: BTreeMap<String, Family>,
    counts: MockOAuthCounts,
}

/// Counts of token requests, and of calls with access tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MockOAuthCounts {
    /// Successful refreshes.
    pub refreshed: u64,
    /// Requests with an invalid or unknown refresh token.
    pub invalid_grant: u64,
    /// Requests with a used refresh token; `invalid_grant` includes them.
    pub reused: u64,
    /// Accounts that were revoked because a refresh token was reused.
    pub revoked: u64,
    /// Requests of clients that failed to authenticate.
    pub invalid_client: u64,
    /// Tokens that were issued for codes and device codes.
    pub logged_in: u64,
    /// Polls that arrived before their interval was over.
    pub polled_too_early: u64,
    /// Requests with any other error.
    pub invalid_request: u64,
    /// Calls with a valid access token.
    pub accepted: u64,
    /// Calls with an expired or unknown access token.
    pub unauthorized: u64,
}

/// The tokens of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockTokens {
    /// The access token, which calls send as their key.
    pub access: String,
    /// The next refresh token; `None` if the old one stays valid.
    pub refresh: Option<String>,
    /// The lifetime of the access token.
    pub lifetime: Duration,
}

/// Why an access token is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unauthorized {
    #[error("the access token has expired")]
    Expired,
    #[error("the access token is unknown")]
    Unknown,
}

/// Why a refresh is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GrantError {
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidClient,
    InvalidGrant,
    SlowDown,
}

impl MockOAuth {
    /// Creates a token endpoint without accounts.
    pub fn new(options: MockOAuthOptions) -> Self {
        Self {
            options,
            accounts: Mutex::default(),
            logins: Mutex::default(),
        }
    }

    /// Creates an account, or replaces it, and returns its first tokens.
    pub fn open(&self, account: &str) -> MockTokens {
        let mut family = Family::new();
        let number = family.issue(&self.options, Instant::now());
        let mut accounts = self.accounts.lock();
        accounts.families.insert(account.to_owned(), family);
        MockTokens {
            refresh: Some(format_token(account, REFRESH, number)),
            ..self.tokens(account, number)
        }
    }

    /// Expires all access tokens of an account; its refresh tokens stay valid.
    pub fn end_access(&self, account: &str) {
        if let Some(family) = self.accounts.lock().families.get_mut(account) {
            family.end_access();
        }
    }

    /// Revokes all tokens of an account.
    pub fn revoke(&self, account: &str) {
        if let Some(family) = self.accounts.lock().families.get_mut(account) {
            family.revoke();
        }
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> MockOAuthCounts {
        self.accounts.lock().counts
    }

    /// Counts a call with an access token, and returns its account.
    pub(super) fn accept(&self, access: &str, now: Instant) -> Result<String, Unauthorized> {
        let accounts = &mut *self.accounts.lock();
        let used =
            parse_token(access, ACCESS).map_or(Err(Unauthorized::Unknown), |(name, number)| {
                let family = accounts.families.get_mut(name);
                let family = family.ok_or(Unauthorized::Unknown)?;
                family
                    .use_access(number, self.options.rotation, now)
                    .map(|()| name.to_owned())
            });
        match used {
            Ok(_) => accounts.counts.accepted += 1,
            Err(_) => accounts.counts.unauthorized += 1,
        }
        used
    }

    /// Exchanges a refresh token for new tokens.
    fn refresh(&self, refresh: &str, now: Instant) -> Result<MockTokens, GrantError> {
        let Accounts { families, counts } = &mut *self.accounts.lock();
        let known = parse_token(refresh, REFRESH);
        let family = known.and_then(|(name, number)| Some((name, number, families.get_mut(name)?)));
        let Some((account, number, family)) = family else {
            counts.invalid_grant += 1;
            return Err(GrantError::InvalidGrant);
        };
        match family.use_refresh(number, self.options.rotation) {
            Ok(()) => {
                counts.refreshed += 1;
                let number = family.issue(&self.options, now);
                Ok(self.tokens(account, number))
            }
            Err(spent) => {
                counts.invalid_grant += 1;
                counts.reused += u64::from(spent != RefreshTokenError::NeverIssued);
                counts.revoked += u64::from(spent == RefreshTokenError::ReusedAndRevoked);
                Err(GrantError::InvalidGrant)
            }
        }
    }

    fn tokens(&self, account: &str, number: u64) -> MockTokens {
        let rotates = self.options.rotation != Rotation::Never;
        MockTokens {
            access: format_token(account, ACCESS, number),
            refresh: rotates.then(|| format_token(account, REFRESH, number)),
            lifetime: self.options.lifetime,
        }
    }

    /// Authenticates the client, if the options name one.
    fn check_client(&self, given: Option<(&str, &str)>) -> Result<(), GrantError> {
        let Some((id, secret)) = &self.options.client else {
            return Ok(());
        };
        match given {
            Some(given) if given == (id.as_str(), secret.as_str()) => Ok(()),
            _ => Err(GrantError::InvalidClient),
        }
    }

    fn count(&self, add: impl FnOnce(&mut MockOAuthCounts)) {
        add(&mut self.accounts.lock().counts);
    }
}

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

/// Writes a token such as `alice.access.3`. Tests can read the account and the number.
fn format_token(account: &str, kind: &str, number: u64) -> String {
    format!("{account}.{kind}.{number}")
}

fn parse_token<'a>(token: &'a str, kind: &str) -> Option<(&'a str, u64)> {
    let (rest, number) = token.rsplit_once('.')?;
    let (account, found) = rest.rsplit_once('.')?;
    let number = number.parse().ok()?;
    (found == kind).then_some((account, number))
}

#[cfg(test)]
mod tests;
