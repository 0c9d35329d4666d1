//! The fault matrix: every fault, every client API and every provider API, 468 cells. Each cell has three columns:
//! the request that meets the fault, the next request of another client, and the time until service is back
//! after the provider is.

#[path = "matrix/faults.rs"]
mod faults;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use self::faults::{FAULTS, Fault, FaultResult, RecoveryClass};
use super::client::{ClientApi, ClientRequest};
use super::replies::well;
use super::scripted::{Reply, ScriptedProvider};
use super::{ONE, THREE, TWO, start};
use crate::harness::Jackfield;

/// The executors of the three provider APIs, with the path below the cell.
const PROVIDERS: [(&str, &str); 3] = [
    ("openai-compatible", "/v1"),
    ("anthropic", ""),
    ("gemini", ""),
];

/// The cells at work at the same time.
const CONCURRENT: usize = 100;

/// How long the provider of the third column fails after its first request. The bound for refusals is that of a
/// single one.
const fn blip(class: RecoveryClass) -> Duration {
    match class {
        RecoveryClass::Request | RecoveryClass::Outage => Duration::from_millis(300),
        RecoveryClass::Refusal | RecoveryClass::Reported => Duration::ZERO,
    }
}

/// The interval between two requests while service is out.
const POLL: Duration = Duration::from_millis(150);

/// Marks a request that is at fault itself.
const ODD: &str = "odd-request";

/// A fault, with the APIs of its client and its provider.
#[derive(Clone, Copy)]
struct Cell {
    number: usize,
    fault: &'static Fault,
    client: ClientApi,
    executor: &'static str,
    path: &'static str,
}

impl Cell {
    fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for fault in &FAULTS {
            for client in ClientApi::CONVERSATIONS {
                for (executor, path) in PROVIDERS {
                    cells.push(Self {
                        number: cells.len(),
                        fault,
                        client,
                        executor,
                        path,
                    });
                }
            }
        }
        cells
    }

    fn model(&self, part: &str) -> String {
        format!("{part}-{}", self.number)
    }

    /// Two providers: a pool whose second key is well, and one with a single key.
    fn config(&self, origin: &str) -> String {
        let mut config = String::new();
        for (part, keys) in [("pool", &["key-a", "key-b"][..]), ("alone", &["key-a"])] {
            let model = self.model(part);
            let credential = |key: &&str| format!("{{ id: {model}-{key}, api-key: {key} }}");
            let credentials: Vec<String> = keys.iter().map(credential).collect();
            writeln!(
                config,
                "  - name: {model}\n    executor: {}\n    base-url: {origin}/{model}{}\n    \
                 credentials: [ {} ]\n    models: [ {{ name: m1, alias: {model} }} ]",
                self.executor,
                self.path,
                credentials.join(", ")
            )
            .unwrap();
        }
        config
    }

    fn request(&self, part: &str, client: &str, text: &str) -> ClientRequest {
        let model = self.model(part);
        let request = if self.fault.is_stream {
            ClientRequest::streamed(self.client, &model, text)
        } else {
            ClientRequest::new(self.client, &model, text)
        };
        request.by(client)
    }

    fn label(&self) -> String {
        format!("{} {:?} -> {}", self.fault.name, self.client, self.executor)
    }

    /// The first two columns: the request that meets the fault, and the next one of another client.
    async fn check_pool(&self, jackfield: &Jackfield) -> Result<(), String> {
        let response = self.request("pool", ONE, ODD).send(jackfield).await;
        let is_right = match self.fault.result {
            FaultResult::FailedOver => {
                response.is_served(self.client) && response.text(self.client).contains("key-b")
            }
            FaultResult::Reported => (400..500).contains(&response.status),
            FaultResult::ErrorEvent => {
                response.error_events() == 1 && !response.is_complete(self.client)
            }
        };
        if !is_right {
            return Err(format!(
                "{}: 1st column: {}",
                self.label(),
                response.summary()
            ));
        }
        let next = self.request("pool", TWO, "hi").send(jackfield).await;
        // A stream with content cannot fail over, so the next one may meet the same fault.
        let is_cut = self.fault.result == FaultResult::ErrorEvent && next.error_events() == 1;
        if next.is_served(self.client) || is_cut {
            return Ok(());
        }
        Err(format!("{}: 2nd column: {}", self.label(), next.summary()))
    }

    /// The third column: the time from the end of the blip to the first request that is served.
    async fn recovery(
        &self,
        jackfield: &Arc<Jackfield>,
        blips: &Mutex<HashMap<String, Instant>>,
    ) -> Result<Duration, String> {
        let first = self.request("alone", ONE, ODD);
        let (_, recovery) = tokio::join!(first.send(jackfield), self.poll(jackfield, blips));
        recovery
    }

    async fn poll(
        &self,
        jackfield: &Jackfield,
        blips: &Mutex<HashMap<String, Instant>>,
    ) -> Result<Duration, String> {
        let model = self.model("alone");
        let began = Instant::now();
        let mut number = 0;
        loop {
            sleep(POLL).await;
            let started = blips.lock().get(&model).copied();
            let Some(well_at) = started.map(|started| started + blip(self.fault.recovery)) else {
                if began.elapsed() > RECOVERY_LIMIT {
                    return Err(format!("{}: the fault was never sent", self.label()));
                }
                continue;
            };
            number += 1;
            let client = [TWO, THREE][number % 2];
            let request = self.request("alone", client, &format!("hi {number}"));
            let response = request.send(jackfield).await;
            // A request from before the end of the blip shows nothing.
            if Instant::now() >= well_at && response.is_served(self.client) {
                return Ok(Instant::now() - well_at);
            }
            if well_at.elapsed() > RECOVERY_LIMIT {
                return Err(format!(
                    "{}: 3rd column: {}",
                    self.label(),
                    response.summary()
                ));
            }
        }
    }
}

/// The longest wait for a recovery.
const RECOVERY_LIMIT: Duration = Duration::from_secs(15);

/// Starts the provider of all cells. Its paths begin with the model of the cell. The first key of a pool is
/// faulty for good, the only key of the other provider until the blip ends.
async fn faulty_provider(
    cells: &[Cell],
    blips: &Arc<Mutex<HashMap<String, Instant>>>,
) -> ScriptedProvider {
    let by_model: HashMap<String, Cell> = cells
        .iter()
        .flat_map(|cell| ["pool", "alone"].map(|part| (cell.model(part), *cell)))
        .collect();
    let blips = Arc::clone(blips);
    ScriptedProvider::start(move |request| {
        let model = request.path.split('/').nth(1).unwrap_or_default();
        let Some(cell) = by_model.get(model) else {
            return Reply::html(404);
        };
        let is_faulty = if model.starts_with("alone") {
            let mut blips = blips.lock();
            let earlier = blips.get(model).copied();
            let started = *blips.entry(model.to_owned()).or_insert_with(Instant::now);
            earlier.is_none() || started.elapsed() < blip(cell.fault.recovery)
        } else {
            let needs_odd = cell.fault.result == FaultResult::Reported;
            request.key() == "key-a" && (!needs_odd || request.contains(ODD))
        };
        if is_faulty {
            (cell.fault.reply)(request)
        } else {
            well(request)
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_with_every_pair_of_apis() {
    let cells = Cell::all();
    assert_eq!(cells.len(), 468);
    let blips = Arc::default();
    let provider = faulty_provider(&cells, &blips).await;
    let config: String = cells
        .iter()
        .map(|cell| cell.config(&provider.url("")))
        .collect();
    // Without further rounds each column shows one attempt for each key.
    let more = "retry: { rounds: 1 }\ntimeouts: { first-byte: 2s, idle: 2s }\n";
    let jackfield = Arc::new(start(&config, more).await);
    let results: Vec<_> = futures_util::stream::iter(cells)
        .map(|cell| {
            let (jackfield, blips) = (Arc::clone(&jackfield), Arc::clone(&blips));
            async move {
                let pool = cell.check_pool(&jackfield).await;
                (cell, pool, cell.recovery(&jackfield, &blips).await)
            }
        })
        .buffer_unordered(CONCURRENT)
        .collect()
        .await;
    report(results);
}

/// A cell, what is wrong with its first two columns, and its third one.
type CellResult = (Cell, Result<(), String>, Result<Duration, String>);

/// Prints the third column, and fails the test if a cell is wrong. Real times depend on the machine, so the
/// bounds here are thrice those of the virtual clock in `host/dispatch/tests`.
fn report(results: Vec<CellResult>) {
    let mut wrong = Vec::new();
    let mut times: BTreeMap<&str, (RecoveryClass, Vec<Duration>)> = BTreeMap::new();
    for (cell, pool, recovery) in results {
        let Fault {
            name,
            recovery: class,
            ..
        } = cell.fault;
        wrong.extend(pool.err());
        match recovery {
            Ok(time) => times
                .entry(name)
                .or_insert((*class, Vec::new()))
                .1
                .push(time),
            Err(error) => wrong.push(error),
        }
    }
    eprintln!("fault              median    worst   cells");
    for (name, (class, mut times)) in times {
        times.sort_unstable();
        let [median, worst] = [times[times.len() / 2], times[times.len() - 1]];
        let (median, worst) = (median.as_secs_f64(), worst.as_secs_f64());
        eprintln!(
            "{name:<18} {median:>6.2} s {worst:>6.2} s {:>5}",
            times.len()
        );
        let bound = match class {
            RecoveryClass::Request | RecoveryClass::Outage => 6.0,
            RecoveryClass::Refusal => 12.0,
            RecoveryClass::Reported => continue,
        };
        if worst > bound {
            wrong.push(format!("{name}: service was back after {worst} s"));
        }
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count} wrong:\n{}", wrong.join("\n"));
}
