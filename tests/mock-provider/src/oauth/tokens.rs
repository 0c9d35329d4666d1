//! The tokens of one account, numbered in the order of their issue.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::{MockOAuthOptions, Rotation, Unauthorized};

/// The limit of valid refresh tokens of an account; beyond it, the oldest becomes invalid. With
/// [`Rotation::UntilFirstUse`], each lost response leaves one.
const REFRESH_TOKENS_MAX: usize = 64;

/// All tokens that descend from one grant.
#[derive(Debug)]
pub(super) struct Family {
    /// The number of the next token.
    next: u64,
    /// The numbers of the valid refresh tokens.
    refresh: BTreeSet<u64>,
    /// The valid access tokens, by number.
    access: BTreeMap<u64, AccessToken>,
}

/// The limits of an access token.
#[derive(Debug)]
struct AccessToken {
    expires_at: Instant,
    calls_left: u64,
}

/// Why a refresh token is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefreshTokenError {
    NeverIssued,
    Reused,
    ReusedAndRevoked,
}

impl Family {
    pub(super) fn new() -> Self {
        Self {
            next: 0,
            refresh: BTreeSet::new(),
            access: BTreeMap::new(),
        }
    }

    /// Issues the next pair of tokens, and returns its number.
    pub(super) fn issue(&mut self, options: &MockOAuthOptions, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.access.retain(|_, access| access.expires_at > now);
        let access = AccessToken {
            expires_at: now + options.lifetime,
            calls_left: options.calls_max.unwrap_or(u64::MAX),
        };
        self.access.insert(number, access);
        self.refresh.insert(number);
        if self.refresh.len() > REFRESH_TOKENS_MAX {
            self.refresh.pop_first();
        }
        number
    }

    /// Uses a refresh token. The caller issues the next pair.
    pub(super) fn use_refresh(
        &mut self,
        number: u64,
        rotation: Rotation,
    ) -> Result<(), RefreshTokenError> {
        if !self.refresh.contains(&number) {
            return Err(self.reject_refresh(number, rotation));
        }
        match rotation {
            Rotation::Strict => self.refresh.clear(),
            Rotation::UntilFirstUse | Rotation::Never => {}
        }
        Ok(())
    }

    fn reject_refresh(&mut self, number: u64, rotation: Rotation) -> RefreshTokenError {
        if number >= self.next {
            return RefreshTokenError::NeverIssued;
        }
        if rotation == Rotation::Strict && !self.refresh.is_empty() {
            self.revoke();
            return RefreshTokenError::ReusedAndRevoked;
        }
        RefreshTokenError::Reused
    }

    /// Uses an access token for a call. The refresh tokens from before it become invalid, since the client
    /// has got the newer pair.
    pub(super) fn use_access(
        &mut self,
        number: u64,
        rotation: Rotation,
        now: Instant,
    ) -> Result<(), Unauthorized> {
        match self.access.get_mut(&number) {
            Some(access) if access.expires_at > now && access.calls_left > 0 => {
                access.calls_left -= 1;
                if rotation != Rotation::Never {
                    self.refresh.retain(|refresh| *refresh >= number);
                }
                Ok(())
            }
            _ if number < self.next => Err(Unauthorized::Expired),
            _ => Err(Unauthorized::Unknown),
        }
    }

    pub(super) fn end_access(&mut self) {
        self.access.clear();
    }

    pub(super) fn revoke(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }
}
