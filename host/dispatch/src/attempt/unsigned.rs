//! The second try of an attempt whose signatures the provider refused.

use std::sync::Arc;

use jackfield_credential::Failure;
use jackfield_dialect::refuses_signatures;

use super::{Attempt, AttemptError, Prepared, StaleAttempt};
use crate::call::ClientResponse;
use crate::call_log::Step;
use crate::error::ErrorResponse;

impl Attempt<'_> {
    /// Whether a failure is a refusal of signatures that are still in the request.
    pub(super) fn has_refused_signatures(
        &self,
        failure: &Failure,
        response: Option<&ErrorResponse>,
    ) -> bool {
        let says_so = || {
            refuses_signatures(failure.message.as_bytes())
                || response.is_some_and(|response| refuses_signatures(&response.body))
        };
        !self.is_unsigned && says_so()
    }

    /// Sends the request once more with the same lease, without any signature. The credential is not blamed for
    /// the first response. If that serves the call, the signatures are remembered as refused, so that later turns
    /// of the session are sent without them at once.
    ///
    /// # Errors
    /// The first failure, if there are no signatures; otherwise the second one.
    pub(super) async fn retry_without_signatures(
        mut self,
        refused: StaleAttempt,
    ) -> Result<ClientResponse, AttemptError> {
        let context = self.context;
        let Some((negotiated, dropped)) = self.negotiated.without_signatures().await else {
            return Err(AttemptError::Upstream(refused.fail(context)));
        };
        let StaleAttempt { lease, failure } = refused;
        context.trace.step(Step::SignaturesRefused {
            credential: Arc::from(lease.credential().id.as_str()),
            error: failure.failure.message,
        });
        context.trace.warnings(negotiated.warnings());
        self.negotiated = negotiated.clone();
        self.is_unsigned = true;
        let attempt = self;
        let response = Prepared { attempt, lease }.run_once().await?;
        negotiated.note_refused(&dropped);
        Ok(response)
    }
}
