//! Refreshes tokens: the executor plans the request, the host sends it and captures the new tokens from
//! the response. No token enters a plugin.

mod token_response;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use jackfield_auth::{
    PolicyQuery, RefreshError, RefreshFailure, RefreshJob, Refresher, TokenPatch,
};
use jackfield_credential::ProviderName;
use serde_json::Value;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::limits::{REFRESH_RESPONSE_BYTES_MAX, REFRESH_TIMEOUT};
use crate::plan::Evaluation;
use crate::port::{BoxFuture, Rejection, Upstream, UpstreamResponse};
use crate::request::{self, Bounds, Planner, Recipient};
use crate::scrub::replace_secrets;
use crate::snapshot::Snapshot;
use token_response::{capture_tokens, endpoint_error};

/// Refreshes tokens by the plans of executors.
pub struct PlannedRefresher {
    /// The snapshot that new refreshes use.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Sends requests.
    pub upstream: Arc<dyn Upstream>,
    /// The clock.
    pub clock: Clock,
}

impl Refresher for PlannedRefresher {
    fn refresh(&self, job: RefreshJob) -> BoxFuture<'_, Result<TokenPatch, RefreshError>> {
        Box::pin(async move {
            match timeout(REFRESH_TIMEOUT, self.carry_out(&job)).await {
                Ok(result) => result.map_err(|error| scrub_secrets(error, &job)),
                Err(_) => Err(failed(format!(
                    "no result within {} s",
                    REFRESH_TIMEOUT.as_secs()
                ))),
            }
        })
    }

    fn lead(&self, provider: &ProviderName) -> Option<Duration> {
        let snapshot = self.snapshot.load();
        let planner = planner(&snapshot, provider).ok()?;
        planner.executor.descriptor().refresh_lead
    }

    fn can_refresh(&self, provider: &ProviderName) -> bool {
        let snapshot = self.snapshot.load();
        planner(&snapshot, provider).is_ok()
    }

    fn has_refresh_policy(&self, provider: &ProviderName) -> bool {
        let snapshot = self.snapshot.load();
        planner(&snapshot, provider)
            .is_ok_and(|planner| planner.executor.descriptor().evaluates_refresh)
    }

    fn should_refresh(&self, question: PolicyQuery) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async move {
            let snapshot = self.snapshot.load_full();
            let planner = planner(&snapshot, &question.credential.provider).ok()?;
            let evaluation = Evaluation {
                now_ms: self.clock.now().as_millis(),
                settings: Arc::clone(&planner.provider.settings),
                credential: question.credential,
                expires_at: question.expires_at,
                refreshed_at: question.refreshed_at,
            };
            match planner.executor.should_refresh(&evaluation).await {
                Ok(opinion) => opinion,
                // The host's rules decide then, so that a failing plugin lets no token expire.
                Err(fault) => {
                    tracing::warn!(%fault, "refresh policy of the executor failed");
                    None
                }
            }
        })
    }
}

impl PlannedRefresher {
    /// Plans the refresh, sends it, and captures the tokens.
    async fn carry_out(&self, job: &RefreshJob) -> Result<TokenPatch, RefreshError> {
        let snapshot = self.snapshot.load_full();
        let planner = planner(&snapshot, &job.credential.provider)?;
        let context = planner.context(&job.credential, self.clock.now());
        let body = Bytes::new();
        let plan = planner.executor.prepare(&context, &body).await;
        let plan = plan.map_err(|rejection| match rejection {
            Rejection::Refused(refusal) => unplanned(refusal.failure.message),
            Rejection::Fault(fault) => failed(fault.to_string()),
        })?;
        let captures = plan.captures.clone();
        let bounds = Bounds {
            provider: planner.provider,
            hosts: &planner.executor.descriptor().hosts,
            body: &body,
            account: job,
            recipient: Recipient::TokenEndpoint,
            connect: snapshot.timeouts.connect,
        };
        let request = request::build_request(plan, &bounds)
            .map_err(|cause| unplanned(format!("the executor's plan: {cause}")))?;
        let response = self.upstream.send(request).await;
        let response = response.map_err(|error| failed(error.to_string()))?;
        let status = response.head.status;
        let body = read_body(response).await?;
        // Gateways send error pages that are not JSON: the status then says what failed.
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if !status.is_success() {
            return Err(endpoint_error(status.as_u16(), &body));
        }
        let patch = capture_tokens(&captures, &body, self.clock.now());
        // Some endpoints, such as GitHub's, report an error with status 200.
        patch.ok_or_else(|| endpoint_error(status.as_u16(), &body))
    }
}

/// The executor that plans refreshes for this provider.
fn planner<'a>(
    snapshot: &'a Snapshot,
    provider: &ProviderName,
) -> Result<Planner<'a>, RefreshError> {
    Planner::find(snapshot, provider, "refresh").map_err(|error| unplanned(error.to_string()))
}

async fn read_body(response: UpstreamResponse) -> Result<Bytes, RefreshError> {
    let (mut body, mut buffer) = (response.body, BytesMut::new());
    while let Some(chunk) = body.next().await {
        buffer.extend_from_slice(&chunk.map_err(|error| failed(error.to_string()))?);
        if buffer.len() > REFRESH_RESPONSE_BYTES_MAX {
            let limit_kib = REFRESH_RESPONSE_BYTES_MAX >> 10;
            return Err(failed(format!(
                "the response has more than {limit_kib} KiB"
            )));
        }
    }
    Ok(buffer.freeze())
}

fn failed(reason: String) -> RefreshError {
    RefreshError::Failed(reason.into())
}

/// The error of a refresh for which no request could be planned.
fn unplanned(reason: String) -> RefreshError {
    RefreshError::Failed(RefreshFailure {
        planned: false,
        ..RefreshFailure::from(reason)
    })
}

/// Removes the credential's secrets from an error. Some endpoints repeat the token that they reject.
fn scrub_secrets(mut error: RefreshError, job: &RefreshJob) -> RefreshError {
    if let RefreshError::Rejected(failure) | RefreshError::Failed(failure) = &mut error {
        replace_secrets(&mut failure.message, job.secrets.values());
    }
    error
}
