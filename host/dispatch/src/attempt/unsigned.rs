//! The second try of an attempt whose signatures the provider refused.

use std::sync::Arc;

use jackfield_dialect::refuses_signatures;

use super::{Attempt, AttemptError, Prepared, StaleAttempt};
use crate::call::ClientResponse;
use crate::call_log::Step;
use crate::error::UpstreamFailure;

impl Attempt<'_> {
    /// Whether a failure is a refusal of signatures that are still in the request.
    pub(super) fn has_refused_signatures(&self, failure: &UpstreamFailure) -> bool {
        // An executor without a dialect has its own places for signatures.
        if self.is_unsigned || self.negotiated.is_common() {
            return false;
        }
        let response = failure.response.as_ref().map(|response| &response.body[..]);
        let reported = failure.reported.as_ref().map(|reported| &reported.error);
        let codes = reported.into_iter().flat_map(|error| {
            let texts = [&error.code, &error.kind, &error.passed_on];
            texts.into_iter().flatten().map(String::as_bytes)
        });
        let mut texts = codes.chain(response);
        refuses_signatures(failure.failure.message.as_bytes()) || texts.any(refuses_signatures)
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
        context
            .trace
            .translation(negotiated.warnings(), negotiated.trait_rows());
        self.negotiated = negotiated.clone();
        self.is_unsigned = true;
        let attempt = self;
        let response = Prepared { attempt, lease }.run_once().await?;
        negotiated.note_refused(&dropped);
        Ok(response)
    }
}
