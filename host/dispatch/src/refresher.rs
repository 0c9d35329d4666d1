//! Refreshes tokens: the executor plans the request, the host sends it and captures the new tokens from
//! the response. No token enters a plugin. Tokens of a login by settings are refreshed by the same settings.

mod token_response;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use jackfield_auth::{
    PolicyQuery, RefreshError, RefreshFailure, RefreshJob, Refresher, TokenPatch,
};
use jackfield_credential::ProviderName;
use jackfield_login::LoginSettings;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::limits::{LOGIN_REFRESH_LEAD, REFRESH_TIMEOUT};
use crate::plan::{Evaluation, UpstreamRequest};
use crate::port::{BoxFuture, Rejection, Upstream};
use crate::request::{self, Bounds, BuiltRequest, Forwardable, Planner, Recipient};
use crate::scrub::replace_secrets;
use crate::snapshot::Snapshot;
use crate::token_endpoint::{exchange, upstream_request};
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
            let mut derived = Vec::new();
            match timeout(REFRESH_TIMEOUT, self.carry_out(&job, &mut derived)).await {
                Ok(result) => result.map_err(|error| scrub_secrets(error, &job, &derived)),
                Err(_) => Err(failed(format!(
                    "no result within {} s",
                    REFRESH_TIMEOUT.as_secs()
                ))),
            }
        })
    }

    fn lead(&self, provider: &ProviderName) -> Option<Duration> {
        let snapshot = self.snapshot.load();
        let planner = planner(&snapshot, provider).ok();
        let declared = planner.and_then(|planner| planner.executor.descriptor().refresh_lead);
        declared.or_else(|| login(&snapshot, provider).map(|_| LOGIN_REFRESH_LEAD))
    }

    fn can_refresh(&self, provider: &ProviderName) -> bool {
        let snapshot = self.snapshot.load();
        login(&snapshot, provider).is_some() || planner(&snapshot, provider).is_ok()
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
    /// Builds the request, sends it, and captures the tokens. `derived` gets what was computed from secrets for it.
    async fn carry_out(
        &self,
        job: &RefreshJob,
        derived: &mut Vec<SecretString>,
    ) -> Result<TokenPatch, RefreshError> {
        let snapshot = self.snapshot.load_full();
        match login_refresh(&snapshot, job) {
            Some((login, refresh_token)) => {
                let request = login.refresh_request(refresh_token);
                let proxy = job.proxy.as_ref().map(|url| Arc::from(url.expose_secret()));
                let request = upstream_request(&request, proxy, snapshot.timeouts.connect);
                let patch = self
                    .capture(request.map_err(unplanned)?, &LOGIN_CAPTURES)
                    .await;
                patch.map_err(|error| scrub(error, login.client.secret.iter()))
            }
            None => {
                let (built, captures) = self.plan(&snapshot, job).await?;
                *derived = built.derived;
                self.capture(built.request, &captures).await
            }
        }
    }

    /// Plans the refresh. Returns the request and what to capture from its response.
    async fn plan(
        &self,
        snapshot: &Snapshot,
        job: &RefreshJob,
    ) -> Result<(BuiltRequest, Vec<(String, String)>), RefreshError> {
        let planner = planner(snapshot, &job.credential.provider)?;
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
            client: Forwardable::default(),
            recipient: Recipient::TokenEndpoint,
            connect: snapshot.timeouts.connect,
            now: self.clock.now(),
        };
        let plugin = planner.executor.plugin();
        let built = request::build_request(&plan, &bounds)
            .map_err(|cause| unplanned(format!("the plan of the plugin {plugin}: {cause}")))?;
        Ok((built, captures))
    }

    /// Sends a request and captures the tokens of its response.
    async fn capture<T: AsRef<str>>(
        &self,
        request: UpstreamRequest,
        captures: &[(T, T)],
    ) -> Result<TokenPatch, RefreshError> {
        let response = exchange(&*self.upstream, request).await.map_err(failed)?;
        let status = response.status;
        // Gateways send error pages that are not JSON: the status then says what failed.
        let body: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        if !status.is_success() {
            return Err(endpoint_error(status.as_u16(), &body));
        }
        let patch = capture_tokens(captures, &body, self.clock.now());
        // Some endpoints, such as GitHub's, report an error with status 200.
        patch.ok_or_else(|| endpoint_error(status.as_u16(), &body))
    }
}

/// How the accounts of this provider log in.
fn login<'a>(snapshot: &'a Snapshot, provider: &ProviderName) -> Option<&'a LoginSettings> {
    snapshot.providers.get(provider)?.login.as_deref()
}

/// The settings and the refresh token of a credential that the settings of its provider's login refresh: one without
/// a `client-id` of its own. A token belongs to the client that it was issued to (RFC 6749, section 6), so a
/// credential that names another client is left to the executor.
fn login_refresh<'a>(
    snapshot: &'a Snapshot,
    job: &'a RefreshJob,
) -> Option<(&'a LoginSettings, &'a SecretString)> {
    let login = login(snapshot, &job.credential.provider)?;
    let refresh_token = job.secrets.get("refresh-token")?;
    (!job.secrets.contains_key("client-id")).then_some((login, refresh_token))
}

/// The executor that plans refreshes for this provider.
fn planner<'a>(
    snapshot: &'a Snapshot,
    provider: &ProviderName,
) -> Result<Planner<'a>, RefreshError> {
    Planner::find(snapshot, provider, "refresh").map_err(|error| unplanned(error.to_string()))
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

/// Removes the credential's secrets, and what was derived from them, from an error.
fn scrub_secrets(error: RefreshError, job: &RefreshJob, derived: &[SecretString]) -> RefreshError {
    scrub(error, job.secrets.values().chain(derived))
}

/// Removes secrets from an error. Some endpoints repeat the token that they reject.
fn scrub<'a>(
    mut error: RefreshError,
    secrets: impl Iterator<Item = &'a SecretString>,
) -> RefreshError {
    if let RefreshError::Rejected(failure) | RefreshError::Failed(failure) = &mut error {
        replace_secrets(&mut failure.message, secrets);
    }
    error
}

/// What a refresh by the settings of a login captures (RFC 6749, section 5.1).
const LOGIN_CAPTURES: [(&str, &str); 3] = [
    ("/access_token", "access-token"),
    ("/refresh_token", "refresh-token"),
    ("/expires_in", "expires-in"),
];
