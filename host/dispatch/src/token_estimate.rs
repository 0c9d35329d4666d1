//! Counts of tokens that no provider gave: the host's own estimate takes their place.

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

/// The answer to a call for which [`may_estimate`] holds. The turn is over when the work is, even if the
/// client has left before.
pub(crate) async fn estimate(
    error: CallError,
    context: &Arc<CallContext>,
    permit: OwnedSemaphorePermit,
) -> Result<ClientResponse, CallError> {
    let context = Arc::clone(context);
    // Some hundred milliseconds of work for long bodies: not on the threads that serve everybody.
    let counted = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        estimated_response(&context.call)
    });
    match counted.await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(refusal)) => Err(CallError::Untranslatable(refusal)),
        // It was cancelled or it panicked, and what failed before says more.
        Err(_) => Err(error),
    }
}

/// Whether an estimate is better than this failure, which says nothing of the request itself.
pub(crate) fn may_estimate(error: &CallError, context: &CallContext) -> bool {
    if context.call.operation != Operation::CountTokens {
        return false;
    }
    match error {
        // What one provider's dialect has no words for can be counted all the same; a request that is
        // wrong in its own is refused by the estimate.
        CallError::Untranslatable(_)
        | CallError::NotSupported { .. }
        | CallError::Plugin(_)
        | CallError::SelectorRefused { .. }
        | CallError::NoCredentialAvailable { .. } => true,
        CallError::Upstream(failure) => failure.failure.scope != Scope::Request,
        CallError::CredentialNotFound(_)
        | CallError::Deadline(_)
        | CallError::ExecutorNotFound { .. }
        | CallError::InvalidRequest(_)
        | CallError::Misconfigured(_)
        | CallError::ProviderNotFound(_)
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
