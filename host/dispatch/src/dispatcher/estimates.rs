//! Token counts that the host estimates, because no provider counted.

use std::sync::Arc;

use tokio::time::timeout_at;

use super::Dispatcher;
use crate::call::ClientResponse;
use crate::context::CallContext;
use crate::error::CallError;
use crate::token_estimate;

impl Dispatcher {
    /// Estimates the tokens if no provider counted them. Returns the error if an estimate is not possible,
    /// or if no permit is free before the deadline.
    pub(super) async fn estimate_tokens(
        &self,
        error: CallError,
        context: &Arc<CallContext>,
    ) -> Result<ClientResponse, CallError> {
        if !token_estimate::may_estimate(&error, context) {
            return Err(error);
        }
        let permit = Arc::clone(&self.estimates).acquire_owned();
        let permit = timeout_at(context.call.deadline, permit);
        match permit.await {
            Ok(Ok(permit)) => token_estimate::estimate(error, context, permit).await,
            Ok(Err(_)) | Err(_) => Err(error),
        }
    }
}
