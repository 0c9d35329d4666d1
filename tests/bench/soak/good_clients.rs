//! Clients that do nothing wrong: every call of theirs has to succeed. They ask for whole responses and for streams, and
//! open a new connection now and then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::chat::{self, ALIAS, MODEL, ResponseKind};
use crate::load::{Connection, TIMEOUT};

/// Clients at a time.
const CLIENTS: usize = 16;

/// Calls over one connection.
const CALLS_PER_CONNECTION: u64 = 200;

/// Reasons of lost calls that are shown.
const REASONS_MAX: usize = 10;

/// What became of the calls.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) served: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) reasons: Mutex<Vec<String>>,
    /// The longest call, in microseconds.
    longest_us: AtomicU64,
}

impl Tally {
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest_us.load(Ordering::Relaxed))
    }

    fn note_lost(&self, reason: String) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        let mut reasons = self.reasons.lock();
        if reasons.len() < REASONS_MAX {
            reasons.push(reason);
        }
    }
}

/// Makes so many calls.
pub(crate) async fn call(address: SocketAddr, calls: u64, tally: &Arc<Tally>) {
    let left = Arc::new(AtomicU64::new(calls));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(run(address, client, Arc::clone(&left), Arc::clone(tally)));
    }
    while clients.join_next().await.is_some() {}
}

async fn run(address: SocketAddr, client: usize, left: Arc<AtomicU64>, tally: Arc<Tally>) {
    let mut round = client;
    while left.load(Ordering::Relaxed) > 0 {
        let kind = match round % 8 {
            0 => ResponseKind::Paced,
            1 | 2 => ResponseKind::Burst,
            _ => ResponseKind::Whole,
        };
        let model = if round.is_multiple_of(2) {
            MODEL
        } else {
            ALIAS
        };
        round += 1;
        if let Err(error) = calls(address, model, kind, &left, &tally).await {
            tally.note_lost(format!("{kind:?} {model}: {error}"));
        }
    }
}

/// Makes calls over one connection until one fails.
async fn calls(
    address: SocketAddr,
    model: &str,
    kind: ResponseKind,
    left: &AtomicU64,
    tally: &Tally,
) -> crate::Result<()> {
    let count = match kind {
        // They take long and cost little.
        ResponseKind::Paced => CALLS_PER_CONNECTION / 20,
        ResponseKind::Burst | ResponseKind::Whole => CALLS_PER_CONNECTION,
    };
    let opened = Connection::open(address, chat::request(model, kind), kind);
    let mut connection = timeout(TIMEOUT, opened).await??;
    for _ in 0..count {
        let take = |left: u64| left.checked_sub(1);
        if left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_err()
        {
            return Ok(());
        }
        let timing = timeout(TIMEOUT, connection.exchange()).await??;
        tally.served.fetch_add(1, Ordering::Relaxed);
        let took = u64::try_from(timing.total.as_micros()).unwrap_or(u64::MAX);
        tally.longest_us.fetch_max(took, Ordering::Relaxed);
    }
    Ok(())
}
