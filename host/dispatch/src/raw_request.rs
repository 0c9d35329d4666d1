//! Raw requests: somebody else's HTTP request, decorated by an executor with a credential's secrets,
//! and sent if wanted. It is no call: nobody chooses, nothing is tried again, and no outcome counts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::{HeaderMap, Method};
use jackfield_credential::CredentialId;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::call::{BodyError, ClientResponse, ResponseBody, ResponseStream};
use crate::classify;
use crate::dispatcher::Dispatcher;
use crate::error::{CallError, UpstreamFailure};
use crate::plan::{Context, Plan, UpstreamRequest};
use crate::plugin_fault::report_invalid_output;
use crate::port::Rejection;
use crate::reply::headers::client_headers;
use crate::reply::source::{ReadError, Source};
use crate::request::{self, Bounds, Planner, Recipient};

/// A request that is to go out with a credential.
#[derive(Debug, Clone, Default)]
pub struct RawRequest {
    /// The method; blank for `GET`.
    pub method: String,
    /// An absolute URL.
    pub url: String,
    /// Its headers; those that the executor plans take the place of theirs.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// The operation that executors plan for raw requests.
const OPERATION: &str = "http-request";

impl Dispatcher {
    /// The request as it would be sent, with the credential's secrets in place. It goes only where
    /// the credential's plans may go.
    ///
    /// # Errors
    /// `auth_not_found`, `provider_not_found`, `executor_not_found`, `not_supported` where the
    /// executor plans no such operation, `invalid_request`, or what the executor says.
    pub async fn prepare_http_request(
        &self,
        id: &CredentialId,
        raw: RawRequest,
    ) -> Result<UpstreamRequest, CallError> {
        let access = self.auth().access(id);
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
        let plan = planner.executor.prepare(&context, &checked.body).await;
        let plan = plan.map_err(|rejection| match rejection {
            Rejection::Refused(refusal) => upstream_error(refusal.failure),
            Rejection::Fault(fault) => CallError::Plugin(fault),
        })?;
        let plan = checked.with_request_headers(plan);
        let bounds = Bounds {
            provider: planner.provider,
            hosts: &planner.executor.descriptor().hosts,
            body: &checked.body,
            account: &access,
            recipient: Recipient::Api,
            connect: snapshot.timeouts.connect,
        };
        request::build_request(plan, &bounds).map_err(|error| {
            CallError::Plugin(report_invalid_output(
                &**planner.executor,
                error.to_string(),
            ))
        })
    }

    /// Sends a raw request. The answer is the provider's, whatever its status.
    ///
    /// # Errors
    /// As [`Self::prepare_http_request`], or that the way to the provider failed.
    pub async fn http_request(
        &self,
        id: &CredentialId,
        raw: RawRequest,
    ) -> Result<ClientResponse, CallError> {
        let deadline = self.deadline();
        let request = self.prepare_http_request(id, raw).await?;
        let timeouts = self.snapshot().timeouts;
        let sent = Instant::now();
        let response = timeout(timeouts.first_byte, self.upstream.send(request));
        let response = match response.await {
            Ok(response) => response.map_err(|error| error.to_string()),
            Err(_) => Err(no_response_message(timeouts.first_byte)),
        };
        let response = response.map_err(|message| upstream_error(classify::transport(message)))?;
        let source = Source::new(response.body, sent, deadline, timeouts);
        Ok(ClientResponse {
            status: response.head.status,
            headers: client_headers(response.head.headers),
            body: ResponseBody::Stream(body_stream(source)),
            warnings: Vec::new(),
            estimated: false,
        })
    }
}

/// A raw request that makes sense.
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
                .map_err(|_| invalid("this is no HTTP method".to_owned()))?,
        };
        let url =
            Url::parse(raw.url.trim()).map_err(|cause| invalid(format!("the URL: {cause}")))?;
        request::check_headers(&raw.headers).map_err(|error| invalid(error.to_string()))?;
        Ok(Self {
            method,
            url,
            headers: raw.headers,
            body: raw.body,
        })
    }

    /// The plan with the request's own headers, where it has none of that name.
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

fn upstream_error(failure: jackfield_credential::Failure) -> CallError {
    let response = None;
    CallError::Upstream(Box::new(UpstreamFailure { failure, response }))
}

fn no_response_message(waited: Duration) -> String {
    let seconds = waited.as_secs_f32();
    format!("the provider did not answer within {seconds} s")
}

fn body_stream(source: Source) -> ResponseStream {
    Box::pin(unfold(Some(source), |source| async {
        let mut source = source?;
        match source.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(source))),
            Ok(None) => None,
            Err(ReadError::Transport(error)) => Some((Err(BodyError(error.to_string())), None)),
            Err(ReadError::Deadline) => {
                let message = "the answer was not over within its time".to_owned();
                Some((Err(BodyError(message)), None))
            }
        }
    }))
}
