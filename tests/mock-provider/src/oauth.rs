//! The mock provider's token endpoint: OAuth 2.0's refresh grant (RFC 6749, section 6), with
//! refresh tokens that are used once. Requests are checked as strictly as the RFC allows, so that what
//! passes here passes anywhere.

mod endpoint;
mod tokens;

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

pub(super) use endpoint::token;
use tokens::{Family, RefreshTokenError};

/// What a token endpoint is like.
#[derive(Debug, Clone)]
pub struct MockOAuthOptions {
    /// What becomes of a refresh token that was used.
    pub rotation: Rotation,
    /// How long an access token lives.
    pub lifetime: Duration,
    /// How many calls an access token is good for; none: as many as fit into its life.
    pub calls_max: Option<u64>,
    /// How long the endpoint takes to answer, once it has given new tokens: long enough for whoever
    /// asked to be gone.
    pub pause: Duration,
    /// The id and the secret that a client has to know; without them any client is served.
    pub client: Option<(String, String)>,
}

impl Default for MockOAuthOptions {
    /// Strict, an hour, at once, any client.
    fn default() -> Self {
        Self {
            rotation: Rotation::Strict,
            lifetime: Duration::from_hours(1),
            calls_max: None,
            pause: Duration::ZERO,
            client: None,
        }
    }
}

/// What becomes of a refresh token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It dies at once. Whoever uses it again has stolen it, or was stolen from: all tokens of the
    /// account die (RFC 9700, section 4.14.2).
    Strict,
    /// It dies when the access token that came for it, or a later one, is first used, so that an
    /// answer that was lost costs nothing. Doorkeeper does so.
    UntilFirstUse,
    /// It stays, and answers carry no other.
    Never,
}

/// A mock provider's accounts and their tokens.
#[derive(Debug)]
pub struct MockOAuth {
    options: MockOAuthOptions,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    families: BTreeMap<String, Family>,
    counts: MockOAuthCounts,
}

/// What a token endpoint, and the calls with its tokens, came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MockOAuthCounts {
    /// Tokens given for a refresh token.
    pub refreshed: u64,
    /// Requests with a refresh token that was used up, or that nobody was given.
    pub invalid_grant: u64,
    /// Of those, requests with one that was used up.
    pub reused: u64,
    /// Accounts whose tokens all died of that.
    pub revoked: u64,
    /// Requests of clients that could not prove who they are.
    pub invalid_client: u64,
    /// Requests that were wrong in another way.
    pub invalid_request: u64,
    /// Calls with an access token that holds.
    pub accepted: u64,
    /// Calls with one that was over, or that nobody was given.
    pub unauthorized: u64,
}

/// Tokens, as an answer has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockTokens {
    /// What calls carry.
    pub access: String,
    /// What the next ones are had for; none if the old one stays.
    pub refresh: Option<String>,
    /// How long the access token lives.
    pub lifetime: Duration,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unauthorized {
    #[error("the access token has expired")]
    Expired,
    #[error("nobody was given this access token")]
    Unknown,
}

/// Why a refresh is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GrantError {
    InvalidClient,
    InvalidGrant,
}

impl MockOAuth {
    /// A token endpoint that knows no account yet.
    pub fn new(options: MockOAuthOptions) -> Self {
        Self {
            options,
            accounts: Mutex::default(),
        }
    }

    /// Opens an account, or begins it anew, and gives its first tokens.
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

    /// Ends all access tokens of an account; its refresh tokens stay.
    pub fn end_access(&self, account: &str) {
        if let Some(family) = self.accounts.lock().families.get_mut(account) {
            family.end_access();
        }
    }

    /// Ends all tokens of an account.
    pub fn revoke(&self, account: &str) {
        if let Some(family) = self.accounts.lock().families.get_mut(account) {
            family.revoke();
        }
    }

    /// What it came to so far.
    pub fn counts(&self) -> MockOAuthCounts {
        self.accounts.lock().counts
    }

    /// Whose access token this is.
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

    /// New tokens for a refresh token.
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

    /// Lets a client in that knows the secret, if there is one.
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

/// Tokens tell whose they are, so that tests can read them: `alice.access.3`.
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
