//! Calls whose plugin cannot be called now: it is being compiled, or it is suspended.

use std::sync::Arc;

use tokio::time::{Instant, sleep, sleep_until};

use super::Dispatcher;
use crate::call::ClientResponse;
use crate::client_digest::ClientDigest;
use crate::context::CallContext;
use crate::error::CallError;
use crate::limits::{PLUGIN_COMPILING_POLL, PLUGIN_COMPILING_WAIT, SUSPENDED_RESPONSE_DELAY};

impl Dispatcher {
    /// Returns the digest by which plugins know the client of a key with this name.
    pub fn client_digest(&self, key_name: &str) -> ClientDigest {
        self.requester_hash.client_of(key_name, None)
    }

    /// Tries the models. If the executor is being compiled, waits for it, for a bounded time.
    pub(super) async fn try_loaded(
        &self,
        call: &Arc<CallContext>,
    ) -> Result<ClientResponse, CallError> {
        let until = Instant::now() + PLUGIN_COMPILING_WAIT;
        let mut context = Arc::clone(call);
        loop {
            match self.try_models(&context).await {
                Err(CallError::PluginCompiling(executor))
                    if self.wait_for_executor(&executor, until).await =>
                {
                    context = Arc::new(context.with_snapshot(self.snapshot.load_full()));
                }
                finished => return finished,
            }
        }
    }

    /// Waits until an executor is not being compiled any more. False if it still is at this time.
    async fn wait_for_executor(&self, executor: &str, until: Instant) -> bool {
        while self.snapshot.load().plugins.compiling.contains(executor) {
            if Instant::now() >= until {
                return false;
            }
            sleep_until(until.min(Instant::now() + PLUGIN_COMPILING_POLL)).await;
        }
        true
    }

    /// Waits before the answer to a call whose plugin is suspended. Clients repeat a 502, and those that make a
    /// plugin fail would otherwise repeat it thousands of times a second. The call holds no lease meanwhile.
    pub(super) async fn delay_suspended(&self, error: &CallError) {
        let CallError::Plugin(fault) = error else {
            return;
        };
        if fault.kind.retry_after().is_none() {
            return;
        }
        // Beyond that many, answers are not delayed: each holds a connection and a body.
        if let Ok(_permit) = self.suspended_responses.try_acquire() {
            sleep(SUSPENDED_RESPONSE_DELAY).await;
        }
    }
}
