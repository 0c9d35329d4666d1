//! Raw requests: sends a caller's HTTP request with a credential's secrets, which the executor places.
//! No selection, no retry, no effect on health.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::{HeaderMap, Method};
use jackfield_credential::{CredentialId, Failure};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::call::{BodyError, ClientResponse, ResponseBody, ResponseStream};
use crate::classify;
use crate::dispatcher::Dispatcher;
use crate::error::{CallError, UpstreamFailure};
use crate::plan::{Connection, Context, Plan, UpstreamRequest};
use crate::plugin_fault::report_invalid_output;
use crate::port::Rejection;
use crate::reply::source::{ReadError, Source};
use crate::request::{self, Bounds, BuiltRequest, Forwardable, Planner, Recipient};
use crate::response_headers::operator_headers;

/// A request to send with a credential.
#[derive(Debug, Clone, Default)]
pub struct RawRequest {
    /// The method; blank means `GET`.
    pub method: String,
    /// An absolute URL.
    pub url: String,
    /// The headers. Headers of the executor's plan replace those of the same name.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// The operation of raw requests in the plugin contract.
const OPERATION: &str = "http-request";

impl Dispatcher {
    /// Builds the request with the credential's secrets, without sending it. The same origins are allowed
    /// as for calls.
    ///
    /// # Errors
    /// By their codes: `auth_not_found`, `provider_not_found`, `executor_not_found`, `not_supported` if
    /// the executor does not plan raw requests, `misconfigured` if it declares no known dialect,
    /// `invalid_request`, or the executor's error.
    pub async fn prepare_http_request(
        &self,
        id: &CredentialId,
        raw: RawRequest,
    ) -> Result<UpstreamRequest, CallError> {
        let built = self.build_http_request(id, raw).await?;
        Ok(built.request)
    }

    /// As [`Self::prepare_http_request`], with what was derived from secrets.
    pub(crate) async fn build_http_request(
        &self,
        id: &CredentialId,
        raw: RawRequest,
    ) -> Result<BuiltRequest, CallError> {
        let access = self.auth().refreshed_access(id).await;
        let access = access.ok_or_else(|| CallError::CredentialNotFound(id.to_string()))?;
        let snapshot = self.snapshot();
        let planner = Planner::find(&snapshot, &access.credential().provider, OPERATION)?;
        let checked = CheckedRequest::new(raw)?;
        let context = Context {
            headers: Arc::new(checked.headers.clone()),
            options: vec![
                ("method", checked.method.to_string()),
                ("url", checked.url.to_string()),
            ],
            ..planner.context(access.credential(), self.clock().now())
        };
        let plan = match planner.executor.prepare(&context, &checked.body).await {
            Ok(planned) => checked.with_request_headers((*planned).clone()),
            Err(Rejection::Refused(refusal)) => return Err(upstream_error(refusal.failure)),
            Err(Rejection::Fault(fault)) => return Err(CallError::Plugin(fault)),
        };
        let bounds = Bounds {
            provider: planner.provider,
            hosts: &planner.executor.descriptor().hosts,
            body: &checked.body,
            account: &access,
            client: Forwardable::of(&context),
            recipient: Recipient::Api,
            connect: snapshot.timeouts.connect,
            now: self.clock().now(),
        };
        request::build_request(&plan, &bounds).map_err(|error| {
            CallError::Plugin(report_invalid_output(
                &**planner.executor,
                context.client,
                None,
                error.to_string(),
            ))
        })
    }

    /// Sends a raw request. The response is the provider's, whatever its status.
    ///
    /// # Errors
    /// As [`Self::prepare_http_request`], or a transport error.
    pub async fn http_request(
        &self,
        id: &CredentialId,
        raw: RawRequest,
    ) -> Result<ClientResponse, CallError> {
        let deadline = self.deadline();
        let request = self.prepare_http_request(id, raw).await?;
        self.send_http_request(request, deadline).await
    }

    /// Sends a request that was built with a credential's secrets.
    pub(crate) async fn send_http_request(
        &self,
        mut request: UpstreamRequest,
        deadline: Instant,
    ) -> Result<ClientResponse, CallError> {
        // It may be anything, also a request that must not be sent twice.
        request.connection = Connection::New;
        let timeouts = self.snapshot().timeouts;
        let sent = Instant::now();
        let transport_error = |message| upstream_error(classify::transport(message));
        let response = match timeout(timeouts.first_byte, self.upstream.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(transport_error(error.to_string())),
            Err(_) => {
                let seconds = timeouts.first_byte.as_secs_f32();
                let message = format!("the provider did not respond within {seconds} s");
                return Err(transport_error(message));
            }
        };
        let source = Source::new(response.body, sent, deadline, timeouts);
        Ok(ClientResponse {
            status: response.head.status,
            headers: operator_headers(response.head.headers),
            body: ResponseBody::Stream(body_stream(source)),
            warnings: Vec::new(),
            estimated: false,
        })
    }
}

/// A raw request with a valid method, URL and headers.
struct CheckedRequest {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl CheckedRequest {
    fn new(raw: RawRequest) -> Result<Self, CallError> {
        let invalid = CallError::InvalidRequest;
        let method = match raw.method.trim() {
            "" => Method::GET,
            method => Method::from_bytes(method.as_bytes())
                .map_err(|_| invalid("invalid HTTP method".to_owned()))?,
        };
        let url =
            Url::parse(raw.url.trim()).map_err(|cause| invalid(format!("invalid URL: {cause}")))?;
        request::check_headers(&raw.headers).map_err(|error| invalid(error.to_string()))?;
        Ok(Self {
            method,
            url,
            headers: raw.headers,
            body: raw.body,
        })
    }

    /// Adds the request's own headers to the plan, except those that the plan sets.
    fn with_request_headers(&self, mut plan: Plan) -> Plan {
        let mut headers = self.headers.clone();
        for name in plan.request.headers.keys() {
            headers.remove(name);
        }
        headers.extend(std::mem::take(&mut plan.request.headers));
        plan.request.headers = headers;
        plan
    }
}

fn upstream_error(failure: Failure) -> CallError {
    CallError::Upstream(Box::new(UpstreamFailure::new(failure)))
}

fn body_stream(source: Source) -> ResponseStream {
    Box::pin(unfold(Some(source), |source| async {
        let mut source = source?;
        match source.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(source))),
            Ok(None) => None,
            Err(ReadError::Transport(error) | ReadError::Timeout(error)) => {
                Some((Err(BodyError::Interrupted(error.to_string())), None))
            }
            Err(ReadError::Deadline) => {
                let message = "the response did not finish before the deadline".to_owned();
                Some((Err(BodyError::Interrupted(message)), None))
            }
        }
    }))
}
