//! The error of a call that no credential could serve.

use std::time::Duration;

use jackfield_credential::{CandidateQuery, CoolingClass, Scope, Timestamp, Unavailable};

use super::Dispatcher;
use crate::context::CallContext;
use crate::error::{CallError, NoCredential, UpstreamFailure, class_of};
use crate::progress::Progress;

impl Dispatcher {
    /// Returns the error of a call after its last round.
    pub(super) fn exhausted_error(
        &self,
        context: &CallContext,
        progress: &mut Progress,
        unavailable: Option<Unavailable>,
    ) -> CallError {
        let state = self.unavailable_now(context, progress);
        if let Some(failure) = progress.last.take() {
            return match is_true_for_all(&failure, state.as_ref(), self.clock().now()) {
                true => CallError::Upstream(failure),
                false => {
                    let state =
                        state.unwrap_or_else(|| Unavailable::NoneAvailable(Default::default()));
                    self.no_credential(context, state, Some(*failure))
                }
            };
        }
        // If another credential only cools or is busy, the same call may succeed later: that counts then.
        if let Some(error) = progress.incompatible_error.take()
            && unavailable.as_ref().is_none_or(Unavailable::all_tried)
        {
            return *error;
        }
        match state.or(unavailable) {
            None | Some(Unavailable::UnknownModel) => {
                CallError::UnknownModel(context.model.as_ref().to_owned().into())
            }
            Some(unavailable) => self.no_credential(context, unavailable, None),
        }
    }

    /// Returns why no credential is available for a new call; `None` if one is.
    fn unavailable_now(&self, context: &CallContext, progress: &Progress) -> Option<Unavailable> {
        let query = CandidateQuery {
            tried: &progress.incompatible,
            ..context.query()
        };
        let candidates = self.auth().candidates(&query, self.clock().now());
        candidates.err()
    }

    fn no_credential(
        &self,
        context: &CallContext,
        unavailable: Unavailable,
        failure: Option<UpstreamFailure>,
    ) -> CallError {
        let now = self.clock().now();
        let provider = self.auth().only_provider(&context.model);
        CallError::NoCredentialAvailable(Box::new(NoCredential {
            model: context.model.as_ref().to_owned(),
            retry_after: unavailable.retry_at().map(|at| at.saturating_since(now)),
            unavailable,
            failure,
            provider: provider.map(|name| name.to_string()),
        }))
    }
}

/// Whether the client may get the provider's response to the last attempt. It may not if the response is
/// about the operator's credentials, or untrue for the others that serve the model: another one may be
/// available before the rate limit ends, or serve the model that this one does not.
fn is_true_for_all(failure: &UpstreamFailure, state: Option<&Unavailable>, now: Timestamp) -> bool {
    let failure = &failure.failure;
    if failure.scope == Scope::Request {
        return true;
    }
    let reasons = state.and_then(Unavailable::reasons).unwrap_or_default();
    let first = reasons.first.as_ref().map(|first| first.class);
    match class_of(failure) {
        CoolingClass::Billing | CoolingClass::Refused => false,
        CoolingClass::Limit => {
            let retry_at = state.and_then(Unavailable::retry_at);
            let is_first = match (failure.retry_after, retry_at) {
                (Some(wait), Some(first)) => now + wait <= first + WAIT_TOLERANCE,
                (None, _) | (_, None) => true,
            };
            is_first && first.is_none_or(|first| first == CoolingClass::Limit)
        }
        CoolingClass::Missing => reasons.classes.missing == reasons.cooling,
        CoolingClass::Outage | CoolingClass::Overload => true,
    }
}

/// How much later than the first window of the pool a provider's wait may end and still be that one. The
/// provider sent it before this moment, and in whole seconds.
const WAIT_TOLERANCE: Duration = Duration::from_secs(1);
