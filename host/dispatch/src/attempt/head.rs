//! Waits for the head of a provider's response, as long as the call, the provider and the other
//! credentials allow.

use std::time::Duration;

use jackfield_auth::Lease;
use tokio::time::{Instant, timeout_at};

use super::Attempt;
use crate::call::Operation;
use crate::limits::{HEAD_TIME_FACTOR, SLOW_AFTER};
use crate::plan::UpstreamRequest;
use crate::port::{TransportError, UpstreamResponse};

/// Why there is no head.
pub(super) enum HeadError {
    /// The call's deadline passed.
    Deadline,
    /// The provider did not answer in time.
    Timeout(TransportError),
    /// The connection failed.
    Transport(TransportError),
}

impl Attempt<'_> {
    /// Returns whether the client waits for a whole response with content. Providers are silent until it
    /// is complete, and it is too expensive to request it twice.
    pub(super) fn is_whole(&self) -> bool {
        let call = &self.context.call;
        call.stream.is_none() && call.operation == Operation::Generate
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// A whole response has until the deadline: the upstream proves that its connection is alive. A stream
    /// has `first-byte`, and only `per-try` while another credential could serve the call.
    pub(super) async fn receive_head(
        &self,
        lease: &Lease,
        request: UpstreamRequest,
        sent: Instant,
    ) -> Result<UpstreamResponse, HeadError> {
        let deadline = self.context.call.deadline;
        let timeouts = self.context.snapshot.timeouts;
        let end = match self.is_whole() {
            true => deadline,
            false => deadline.min(sent + timeouts.first_byte),
        };
        let is_stream = self.context.call.stream.is_some();
        let usual = self.usual_head_time(lease);
        let per_try = timeouts.per_try.max(usual * HEAD_TIME_FACTOR);
        let mut try_end = is_stream.then(|| sent + per_try);
        let mut slow_at = Some(sent + SLOW_AFTER);
        let mut sending = self.context.upstream.send(request);
        loop {
            let wake = [try_end, slow_at].into_iter().flatten();
            let wake = wake.fold(end, Instant::min);
            if let Ok(response) = timeout_at(wake, &mut sending).await {
                let response = response.map_err(HeadError::Transport)?;
                if is_stream && response.head.status.is_success() {
                    self.record_head_time(lease, sent.elapsed());
                }
                return Ok(response);
            }
            let now = Instant::now();
            if deadline <= now {
                return Err(HeadError::Deadline);
            }
            if end <= now {
                return Err(no_head(timeouts.first_byte));
            }
            if try_end.is_some_and(|try_end| try_end <= now) {
                if (self.others)() {
                    return Err(no_head(now - sent));
                }
                // Another credential may become available later.
                try_end = Some(now + per_try);
            }
            if slow_at.is_some_and(|slow_at| slow_at <= now) {
                lease.note_slow(self.context.clock.now());
                slow_at = None;
            }
        }
    }

    fn usual_head_time(&self, lease: &Lease) -> Duration {
        let provider = &lease.credential().provider;
        self.context
            .head_times
            .usual(provider, self.negotiated.model())
    }

    fn record_head_time(&self, lease: &Lease, time: Duration) {
        let provider = &lease.credential().provider;
        self.context
            .head_times
            .record(provider, self.negotiated.model(), time);
    }
}

fn no_head(waited: Duration) -> HeadError {
    HeadError::Timeout(TransportError {
        doing: "waiting for the provider's response",
        cause: format!("none within {} s", waited.as_secs_f32()),
        sent: true,
    })
}
