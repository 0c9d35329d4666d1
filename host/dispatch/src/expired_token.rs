//! Calls that find an access token expired, or none yet: they wait for the refresh, instead of sending a
//! token that the provider will reject.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{AuthManager, Lease, RefreshError};
use jackfield_credential::{CandidateQuery, Failure, LeaseError, Outcome, Scope, Timestamp, kind};

use crate::attempt::{AttemptError, StaleAttempt};
use crate::call_log::Step;
use crate::context::CallContext;
use crate::error::UpstreamFailure;

/// Returns a lease with a token that has not expired: this one, or after a refresh another one. `query` is
/// the call's, for the other lease. The call's deadline bounds the wait.
///
/// # Errors
/// There are no new tokens. The failure is the credential's, and the lease is settled with it.
pub(crate) async fn wait_for_token(
    auth: &AuthManager,
    context: &CallContext,
    query: &CandidateQuery<'_>,
    lease: Lease,
) -> Result<Lease, AttemptError> {
    if !lease.awaits_refresh() {
        return Ok(lease);
    }
    let id = lease.credential().id.clone();
    // A token endpoint may be slow: meanwhile new calls prefer other credentials.
    lease.note_slow(context.clock.now());
    let refreshed = auth.refresh_expired(&id, lease.token_version()).await;
    context.trace.step(Step::Refresh {
        credential: Arc::from(id.as_str()),
        error: refreshed.as_ref().err().map(ToString::to_string),
    });
    let error = match refreshed {
        Ok(()) => {
            let slot = lease.slot();
            // No request was sent. Before the next lease: the old one still occupies capacity.
            lease.settle(Outcome::Inconclusive, context.clock.now(), None);
            // Meanwhile the credential may cool, or an operator may have changed it.
            let again = auth.lease_again(slot, query, context.clock.now());
            return again.map_err(|error| AttemptError::Upstream(Box::new(unavailable(&error))));
        }
        // Nothing can refresh this token. Its end may be wrong, so the provider decides.
        Err(error) if !was_planned(&error) => return Ok(lease),
        Err(error) => error,
    };
    tracing::debug!(call = %context.call.id, credential = %id, %error, "no token for the attempt");
    let retry_after = auth
        .refresh_due_at(&id)
        .map(|at| at.saturating_since(context.clock.now()));
    let failure = without_token(&error, retry_after);
    if lease.is_probe() {
        // It found out nothing about the window that it probes.
        context.end_attempt(lease, Outcome::Inconclusive, None);
        return Err(AttemptError::Upstream(Box::new(failure)));
    }
    let stale = StaleAttempt { lease, failure };
    Err(AttemptError::Upstream(stale.fail(context)))
}

/// The failure of a credential without a valid token. The next refresh may help.
fn without_token(error: &RefreshError, retry_after: Option<Duration>) -> UpstreamFailure {
    UpstreamFailure::new(Failure {
        scope: Scope::Credential,
        kind: kind::AUTHENTICATION.into(),
        // The credential is unavailable until the next refresh: of this status, a time is obeyed.
        status: Some(SERVICE_UNAVAILABLE),
        message: format!("the credential has no valid access token: {error}"),
        retry_after,
        refresh_suggested: false,
        sent: false,
    })
}

/// Returns the failure of a credential whose rejected token may be refreshed soon, but not yet: it is
/// unavailable until then, and the call may wait for it. `None` if the refresh is too far away: then the
/// provider's own failure counts.
pub(crate) fn until_refresh(
    rejected: &Failure,
    error: &RefreshError,
    now: Timestamp,
) -> Option<UpstreamFailure> {
    let RefreshError::Postponed { until, .. } = error else {
        return None;
    };
    let wait = until.saturating_since(now);
    if wait > REFRESH_WAIT_MAX {
        return None;
    }
    let mut failure = without_token(error, Some(wait));
    failure.failure.message = format!("{}; {error}", rejected.message);
    Some(failure)
}

/// The failure of a credential that became unavailable during the wait. Nothing was sent, so another
/// attempt may follow.
fn unavailable(error: &LeaseError) -> UpstreamFailure {
    UpstreamFailure::new(Failure {
        scope: Scope::Transport,
        kind: kind::TRANSIENT.into(),
        status: None,
        message: format!("the credential became unavailable during the refresh: {error}"),
        retry_after: None,
        refresh_suggested: false,
        sent: false,
    })
}

/// The longest time to the next refresh for which a rejected token is only unavailable: the interval of
/// refreshes that rejected tokens cause, and the first backoff after a failure.
const REFRESH_WAIT_MAX: Duration = Duration::from_secs(5);

/// See [`CooldownPolicy`](jackfield_credential::CooldownPolicy).
const SERVICE_UNAVAILABLE: u16 = 503;

/// False if no refresh of this credential is possible at all.
fn was_planned(error: &RefreshError) -> bool {
    match error {
        RefreshError::Failed(failure) => failure.planned,
        RefreshError::Postponed { last, .. } => last.as_ref().is_none_or(|last| last.planned),
        RefreshError::Rejected(_) => true,
        RefreshError::NotRefreshable | RefreshError::NotFound => false,
    }
}
