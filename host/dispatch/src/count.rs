//! Counts of tokens that no provider gave: the host's own estimate takes their place.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use jackfield_credential::Scope;
use jackfield_dialect::interlingua::{Notes, Refusal};
use jackfield_dialect::{Asked, estimate_tokens};
use tokio::sync::OwnedSemaphorePermit;

use crate::call::{Answer, AnswerBody, Call, Operation};
use crate::course::Course;
use crate::error::CallError;

/// The answer to a call for which [`is_replaced`] holds. The turn is over when the work is, even if the
/// client has left before.
pub(crate) async fn in_place_of(
    error: CallError,
    course: &Arc<Course>,
    turn: OwnedSemaphorePermit,
) -> Result<Answer, CallError> {
    let course = Arc::clone(course);
    // Some hundred milliseconds of work for long bodies: not on the threads that serve everybody.
    let counted = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        estimate(&course.call)
    });
    match counted.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(refusal)) => Err(CallError::Untranslatable(refusal)),
        // It was cancelled or it panicked, and what failed before says more.
        Err(_) => Err(error),
    }
}

/// Whether an estimate is better than this failure, which says nothing of the request itself.
pub(crate) fn is_replaced(error: &CallError, course: &Course) -> bool {
    if course.call.operation != Operation::CountTokens {
        return false;
    }
    match error {
        // What one provider's dialect has no words for can be counted all the same; a request that is
        // wrong in its own is refused by the estimate.
        CallError::Untranslatable(_)
        | CallError::NotSupported { .. }
        | CallError::Plugin(_)
        | CallError::SelectorRefused { .. }
        | CallError::Unfit { .. } => true,
        CallError::Upstream(failure) => failure.failure.scope != Scope::Request,
        CallError::AuthNotFound(_)
        | CallError::Deadline(_)
        | CallError::ExecutorNotFound { .. }
        | CallError::InvalidRequest(_)
        | CallError::Misconfigured(_)
        | CallError::ProviderNotFound(_)
        | CallError::UnknownModel(_) => false,
    }
}

fn estimate(call: &Call) -> Result<Answer, Refusal> {
    let asked = Asked {
        model: call.model.as_ref().into(),
        stream: false,
    };
    let mut notes = Notes::default();
    let request = call
        .dialect
        .decode_request(&call.body, &asked, &mut notes)?;
    let body = call.dialect.encode_count(estimate_tokens(&request));
    let json = HeaderValue::from_static("application/json");
    Ok(Answer {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
        body: AnswerBody::Whole(body.into()),
        warnings: Vec::new(),
        estimated: true,
    })
}
