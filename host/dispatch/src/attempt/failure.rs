//! How an attempt ends without a response for the client: its lease is settled by what failed.

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use jackfield_auth::Lease;
use jackfield_credential::{Failure, Outcome, Scope, kind};
use jackfield_dialect::ProviderError;

use super::{Attempt, AttemptError, StaleAttempt};
use crate::classify;
use crate::error::{CallError, ErrorResponse, ReportedError, UpstreamFailure};
use crate::limits::{ERROR_BODY_BYTES_MAX, ERROR_BODY_TIMEOUT, SLOW_AFTER};
use crate::plugin_fault::report_invalid_output;
use crate::port::{Rejection, ResponseHead};
use crate::quota_headers;
use crate::reply::source::Source;
use crate::reply::{ReportedFailure, StreamError};
use crate::response_headers::client_headers;
use crate::scrub::{remove_headers_with_secrets, scrub, scrub_reported, shows_secret};

impl Attempt<'_> {
    /// Ends with an error response, classified by the executor if it does that. The response is kept for
    /// the client, unless it is encoded: nothing could find a secret in it. The upstream has decoded the common
    /// encodings.
    pub(super) async fn end_with_error_response(
        &self,
        lease: Lease,
        head: ResponseHead,
        mut source: Source,
    ) -> AttemptError {
        source.end_within(ERROR_BODY_TIMEOUT);
        let body = read_up_to(&mut source, ERROR_BODY_BYTES_MAX).await;
        // A provider that speaks no dialect has no words for a client: the host writes the error.
        let is_common = self.negotiated.is_common();
        let is_encoded = head.headers.contains_key(CONTENT_ENCODING);
        let is_readable = is_error(head.status) && !is_encoded && !is_common;
        let mut response = ErrorResponse {
            dialect: self.negotiated.upstream_dialect(),
            status: head.status,
            headers: client_headers(head.headers.clone()),
            body: body.clone(),
        };
        if !self.executor.descriptor().judges_errors {
            let now = self.context.clock.now();
            let failure = classify::response(head.status, &head.headers, &body, now);
            let failure = self.until_declared_reset(failure, &head.headers);
            let response = Some(response).filter(|_| is_readable);
            return self.end_with_failure(lease, failure, response);
        }
        let judged = self
            .executor
            .judge(&self.plan_context, self.body(), &head, &body);
        match judged.await {
            Ok(refusal) => {
                let mut is_readable = is_readable;
                if let Some(body) = refusal.response.filter(|_| !is_common) {
                    // The encoding was that of the provider's body, which this one replaces.
                    response.headers.remove(CONTENT_ENCODING);
                    response.body = body;
                    is_readable = is_error(head.status);
                } else if !refusal.failure.message.is_empty() && is_of_own_format(&body) {
                    // The executor's message says more to any client than members that no client knows.
                    is_readable = false;
                }
                let response = Some(response).filter(|_| is_readable);
                let failure = self.until_declared_reset(refusal.failure, &head.headers);
                self.end_with_failure(lease, failure, response)
            }
            Err(fault) => self.end_with_rejection(lease, Rejection::Fault(fault)),
        }
    }

    /// A limit without a time waits until the allowances are new that the executor declares and that are used up.
    fn until_declared_reset(&self, failure: Failure, headers: &HeaderMap) -> Failure {
        let is_limit = matches!(&*failure.kind, kind::RATE_LIMIT | kind::QUOTA);
        if !is_limit || failure.retry_after.is_some() {
            return failure;
        }
        let (declared, now) = (
            &self.executor.descriptor().quota_headers,
            self.context.clock.now(),
        );
        let resets_at = quota_headers::resets_at(declared, headers, now);
        Failure {
            retry_after: resets_at.map(|at| at.saturating_since(now)),
            ..failure
        }
    }

    /// Ends with the error of a stream of which the client got nothing.
    pub(super) fn end_with_stream_error(&self, lease: Lease, error: StreamError) -> AttemptError {
        match error {
            StreamError::Upstream(failure) | StreamError::WithEvent(failure, _) => {
                self.end_with_failure(lease, failure, None)
            }
            StreamError::Reported(reported) => {
                let ReportedFailure { failure, error } = *reported;
                let dialect = self.negotiated.upstream_dialect();
                let failure = UpstreamFailure {
                    reported: Some(ReportedError { dialect, error }),
                    ..UpstreamFailure::new(failure)
                };
                self.end_with(lease, failure)
            }
            // A second request for a whole response could take as long, and cost as much, as the first.
            StreamError::Timeout(failure) if self.is_whole() => {
                let failed = match self.end_with_failure(lease, failure, None) {
                    AttemptError::Upstream(failure) => CallError::Upstream(failure),
                    other => return other,
                };
                AttemptError::Fatal(Box::new(failed))
            }
            StreamError::Timeout(failure) => self.end_with_failure(lease, failure, None),
            StreamError::DeadlineExceeded => self.end_with_deadline(lease),
            StreamError::MemoryFull(full) => {
                self.context.end_attempt(lease, Outcome::Cancelled, None);
                AttemptError::Fatal(Box::new(full.into()))
            }
            StreamError::Plugin(fault) => self.end_with_rejection(lease, Rejection::Fault(fault)),
            StreamError::InvalidOutput { fault, returned } => {
                self.context.record_plugin_fault(&lease, &fault, returned);
                self.end_with_rejection(lease, Rejection::Fault(fault))
            }
        }
    }

    /// Ends at the call's deadline. A credential that had a whole response to send for longer than
    /// [`SLOW_AFTER`] has failed; for less, other attempts may have used the time.
    pub(super) fn end_with_deadline(&self, lease: Lease) -> AttemptError {
        let waited = self.context.clock.now().saturating_since(lease.began());
        let outcome = if self.is_whole() && waited >= SLOW_AFTER {
            let message = format!("no whole response within {} s", waited.as_secs());
            Outcome::Failed(classify::transport(message))
        } else {
            Outcome::Cancelled
        };
        self.context.end_attempt(lease, outcome, None);
        let total = self.context.snapshot.timeouts.total;
        AttemptError::Fatal(Box::new(CallError::Deadline(total)))
    }

    /// Ends with a failure of the provider or the connection.
    pub(super) fn end_with_failure(
        &self,
        lease: Lease,
        failure: Failure,
        response: Option<ErrorResponse>,
    ) -> AttemptError {
        let failure = UpstreamFailure {
            response,
            ..UpstreamFailure::new(failure)
        };
        self.end_with(lease, failure)
    }

    /// Ends with a failure and the provider's words. If new tokens may help, or to remove signatures, the lease is
    /// not settled.
    fn end_with(&self, lease: Lease, mut upstream: UpstreamFailure) -> AttemptError {
        let refuses_signatures = self.has_refused_signatures(&upstream);
        let failure = &mut upstream.failure;
        scrub(&lease, failure);
        if let Some(reported) = &mut upstream.reported {
            scrub_reported(&lease, &mut reported.error, &failure.message);
        }
        // Dropped as a whole: an edit could break the body's format. The host writes the error then.
        upstream.response = upstream
            .response
            .filter(|response| !shows_secret(&lease, &response.body));
        if let Some(response) = &mut upstream.response {
            remove_headers_with_secrets(&lease, &mut response.headers);
        }
        tracing::debug!(
            call = %self.context.call.id,
            credential = %self.plan_context.credential.id,
            kind = %failure.kind,
            scope = ?failure.scope,
            message = failure.message,
            "attempt failed"
        );
        let needs_refresh = self.may_refresh && failure.refresh_suggested && lease.refreshable();
        let failure = upstream;
        let stale = StaleAttempt { lease, failure };
        if needs_refresh {
            return AttemptError::NeedsRefresh(Box::new(stale));
        }
        if refuses_signatures {
            return AttemptError::SignaturesRefused(Box::new(stale));
        }
        AttemptError::Upstream(stale.fail(self.context))
    }

    /// Ends where the executor returned no plan or no reply.
    pub(super) fn end_with_rejection(&self, lease: Lease, rejection: Rejection) -> AttemptError {
        match rejection {
            Rejection::Refused(refusal) => {
                let status = refusal
                    .failure
                    .status
                    .and_then(|code| StatusCode::from_u16(code).ok())
                    .filter(|status| is_error(*status));
                let is_common = self.negotiated.is_common();
                let response = refusal.response.filter(|_| !is_common);
                let response = response.map(|body| ErrorResponse {
                    dialect: self.negotiated.upstream_dialect(),
                    status: status.unwrap_or(fallback_status(refusal.failure.scope)),
                    headers: HeaderMap::new(),
                    body,
                });
                self.end_with_failure(lease, refusal.failure, response)
            }
            Rejection::Fault(fault) => {
                self.context.end_attempt(lease, Outcome::Inconclusive, None);
                AttemptError::Fatal(Box::new(CallError::Plugin(fault)))
            }
        }
    }

    /// Ends where the plugin planned what the contract does not allow.
    pub(super) fn end_with_invalid_output(&self, lease: Lease, detail: String) -> AttemptError {
        let (client, call) = (self.context.client, &*self.context.call.id);
        let fault = report_invalid_output(&**self.executor, client, Some(call), detail);
        self.end_with_rejection(lease, Rejection::Fault(fault))
    }
}

/// Whether a client may get a provider's response of this status. A redirect is not for clients: SDKs would send
/// the prompt to a host that is not configured. Neither is `101 Switching Protocols`.
fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Whether a body is a JSON object without an error that clients of any dialect could read.
fn is_of_own_format(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{") && ProviderError::read(body).is_none()
}

fn fallback_status(scope: Scope) -> StatusCode {
    match scope {
        Scope::Request => StatusCode::BAD_REQUEST,
        Scope::Credential | Scope::Model | Scope::Provider | Scope::Transport => {
            StatusCode::BAD_GATEWAY
        }
    }
}

/// Returns the first bytes of a body. A read error ends them early: the status is known already.
async fn read_up_to(source: &mut Source, bytes_max: usize) -> Bytes {
    let mut buffer = BytesMut::new();
    while let Ok(Some(chunk)) = source.next().await {
        let remaining = bytes_max - buffer.len();
        buffer.extend_from_slice(&chunk[..chunk.len().min(remaining)]);
        if buffer.len() == bytes_max {
            break;
        }
    }
    buffer.freeze()
}
