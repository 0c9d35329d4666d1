//! Tests of the pool; `model` compares it with a naive pool after any events.

mod aggregate;
mod choice;
mod edits;
mod groups;
mod model;
mod outcomes;
mod probing;
mod shared;
mod trials;
mod turns;
mod world;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::availability::HealthReader;
use crate::*;

impl Pool {
    /// Panics unless every index, after a refresh, equals what health alone implies.
    fn audit(&mut self, now: Timestamp) {
        let now = self.advance(now);
        self.audit_index();
        let health = HealthReader {
            slots: &self.slots,
            sites: &self.sites,
            now,
        };
        self.sites.audit();
        for name_index in &mut self.name_indexes {
            name_index.audit(&health);
        }
    }

    /// Begins the first attempt of a call of an unnamed endpoint and requester.
    fn start(&mut self, slot: Slot, name: &str, now: Timestamp) -> Result<Attempt, LeaseError> {
        self.begin(slot, &CandidateQuery::first_round(name), false, now)
    }

    fn ids(
        &mut self,
        name: &str,
        tried: &[Slot],
        now: Timestamp,
    ) -> Result<Vec<String>, Unavailable> {
        let query = CandidateQuery {
            tried,
            ..CandidateQuery::first_round(name)
        };
        let candidates = self.candidates(&query, now)?;
        let credentials = self.credentials(&candidates.members);
        Ok(credentials
            .iter()
            .flatten()
            .map(|credential| credential.id.to_string())
            .collect())
    }
}

fn pool(credentials: Vec<Credential>) -> Pool {
    Pool::new(credentials, options()).expect("a pool")
}

fn options() -> PoolOptions {
    let most = NonZeroU32::new(3).expect("not zero");
    PoolOptions {
        provider_in_flight_max: BTreeMap::from([("capped".into(), most)]),
        ..PoolOptions::default()
    }
}

/// A credential that serves the model `upstream` under the name `gpt`.
fn credential(id: &str) -> Credential {
    Credential {
        secret_fields: vec!["api-key".to_owned()],
        serves: vec![served("upstream", &["gpt"])],
        ..Credential::new(id, "acme", "http://127.0.0.1:1")
    }
}

fn served(model: &str, names: &[&str]) -> Served {
    Served::new(model, names.iter().map(|&name| name.into()).collect())
}

fn failed(scope: Scope, status: u16) -> Outcome {
    Outcome::Failed(Failure {
        scope,
        kind: "".into(),
        status: Some(status),
        message: format!("status {status}"),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    })
}

/// A failure of the transport before anything was sent.
fn unsent() -> Outcome {
    let Outcome::Failed(failure) = failed(Scope::Transport, 0) else {
        unreachable!("it is a failure");
    };
    Outcome::Failed(Failure {
        kind: kind::TRANSIENT.into(),
        status: None,
        sent: false,
        ..failure
    })
}

/// Begins an attempt with the credential and settles it at once.
fn run(pool: &mut Pool, id: &str, name: &str, outcome: &Outcome, now: Timestamp) -> Effects {
    let slot = pool.slot(id).expect("it is in the pool");
    let attempt = pool.start(slot, name, now).expect("it is available");
    pool.settle(attempt, outcome, None, now)
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
