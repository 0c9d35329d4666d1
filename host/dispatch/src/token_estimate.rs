//! Token counts by the host's own estimate, for calls that no provider counted.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use jackfield_credential::Scope;
use jackfield_dialect::ir::{TranslationError, TranslationReport};
use jackfield_dialect::{RequestHead, estimate_tokens};
use tokio::sync::OwnedSemaphorePermit;

use crate::call::{Call, ClientResponse, Operation, ResponseBody};
use crate::context::CallContext;
use crate::error::CallError;

/// Estimates the tokens of a call for which [`may_estimate`] holds. The permit is released when the work
/// ends, even if the client has disconnected.
pub(crate) async fn estimate(
    error: CallError,
    context: &Arc<CallContext>,
    permit: OwnedSemaphorePermit,
) -> Result<ClientResponse, CallError> {
    let context = Arc::clone(context);
    // Long bodies take some hundred milliseconds, which would block an async worker thread.
    let counted = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        estimated_response(&context.call)
    });
    match counted.await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(refusal)) => Err(CallError::Untranslatable(refusal)),
        // The task was cancelled or panicked. The original error says more.
        Err(_) => Err(error),
    }
}

/// Whether to estimate after this error: it is not the request's fault.
pub(crate) fn may_estimate(error: &CallError, context: &CallContext) -> bool {
    if context.call.operation != Operation::CountTokens {
        return false;
    }
    match error {
        // A request that a provider's dialect cannot express can still be counted. The estimate itself
        // refuses a request that is invalid in the client's dialect.
        CallError::Untranslatable(_)
        | CallError::NotSupported { .. }
        | CallError::Plugin(_)
        | CallError::PluginCompiling(_)
        | CallError::SelectorRefused { .. }
        | CallError::NoCredentialAvailable { .. } => true,
        CallError::Upstream(failure) => failure.failure.scope != Scope::Request,
        CallError::CredentialNotFound(_)
        | CallError::Deadline(_)
        | CallError::ExecutorNotFound { .. }
        | CallError::InvalidRequest(_)
        | CallError::Misconfigured(_)
        | CallError::ProviderNotFound(_)
        | CallError::MemoryFull(_)
        | CallError::UnknownModel(_) => false,
    }
}

fn estimated_response(call: &Call) -> Result<ClientResponse, TranslationError> {
    let head = RequestHead {
        model: call.model.as_ref().into(),
        stream: false,
    };
    let mut report = TranslationReport::default();
    let request = call
        .dialect
        .codec()
        .decode_request(&call.body, &head, &mut report)?;
    let body = call
        .dialect
        .codec()
        .encode_token_count(estimate_tokens(&request));
    let json = HeaderValue::from_static("application/json");
    Ok(ClientResponse {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
        body: ResponseBody::Whole(body.into()),
        warnings: Vec::new(),
        estimated: true,
    })
}
