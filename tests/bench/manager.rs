//! How the cost of the auth manager grows: the same operations with 100, 1,000 and 10,000 credentials, in
//! turn within one run, and the real binary with the same numbers in its configuration.

mod credentials;
mod process;
mod report;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use jackfield_auth::{AuthManager, Lease};
use jackfield_credential::{
    CandidateQuery, DueQueue, Endpoint, Failure, Outcome, Requester, Scope, Timestamp, kind,
};
use tokio::time::Instant;

use crate::credentials::{MODEL, NOW, credential, pool};
use crate::process::{Memory, Server};
use crate::report::{aim, print_line, table};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Sizes of the pool.
const POOLS: [usize; 3] = [100, 1_000, 10_000];

/// Rounds. The report has the median.
const ROUNDS: usize = 15;

/// Attempts at the same time: fewer than the smallest pool, so that a credential is always available.
const LEASES: usize = 50;

/// How often these attempts begin and end in a round.
const TURNS: usize = 20;

/// Starts of the real binary for each size.
const STARTS: usize = 5;

/// The aim for 100 times as many credentials, if the cost is logarithmic: log 10,000 / log 100.
const LOGARITHMIC: f64 = 2.0;

/// The measurements of a pool, in the order of the table.
const PICK: &str = "pick: candidates and lease, us";
const SUCCESS: &str = "result: success, us";
const FAILURE: &str = "result: failure that cools, us";
const PICK_CHANGED: &str = "pick after each failure, us";
const PICK_ENDED: &str = "pick after 50 cooldowns ended, us each";
const PICK_GATED: &str = "pick while all wait for a turn after an outage, us";
const QUEUE: &str = "refresh queue: take the next, put it back, us";
const EDIT: &str = "one credential disabled or enabled, us";
const CREATE: &str = "create the manager, us for each credential";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !is_selected(&arguments) {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    operations()?;
    runtime.block_on(processes())
}

/// Cargo passes a filter to every benchmark.
fn is_selected(arguments: &[String]) -> bool {
    let mut filters = arguments.iter().filter(|word| !word.starts_with('-'));
    filters.clone().next().is_none() || filters.any(|filter| "manager".contains(filter.as_str()))
}

/// Values of each measurement, by the size of the pool.
type Samples = BTreeMap<(&'static str, usize), Vec<f64>>;

fn operations() -> Result<()> {
    let mut pools = Vec::new();
    for size in POOLS {
        pools.push(Subject::new(size)?);
    }
    let mut samples = Samples::new();
    for _ in 0..ROUNDS {
        for pool in &mut pools {
            pool.measure(&mut samples)?;
        }
    }
    print_line(&format!(
        "\nThe manager, by the number of its credentials: medians of {ROUNDS} rounds.\n"
    ));
    let row = |&(name, bound): &(&'static str, Option<f64>)| {
        let middle = |size| median(samples.get(&(name, size)).cloned().unwrap_or_default());
        let ratio = middle(POOLS[2]) / middle(POOLS[0]);
        let mut cells = vec![name.to_owned()];
        cells.extend(POOLS.map(|size| format!("{:.2}", middle(size))));
        cells.push(format!("{ratio:.2}"));
        cells.push(bound.map_or_else(String::new, |bound| {
            aim(&format!("<= {bound}"), ratio <= bound)
        }));
        cells
    };
    let rows = [
        (PICK, Some(LOGARITHMIC)),
        (SUCCESS, Some(LOGARITHMIC)),
        (FAILURE, Some(LOGARITHMIC)),
        (PICK_CHANGED, Some(LOGARITHMIC)),
        (PICK_ENDED, Some(LOGARITHMIC)),
        (PICK_GATED, Some(LOGARITHMIC)),
        (QUEUE, Some(LOGARITHMIC)),
        (CREATE, Some(LOGARITHMIC)),
        (EDIT, None),
    ];
    let sizes = POOLS.map(|size| size.to_string());
    let mut heads = vec![""];
    heads.extend(sizes.iter().map(String::as_str));
    heads.extend(["10,000/100", "aim"]);
    table(&heads, &rows.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// A measured pool, and its time.
struct Subject {
    size: usize,
    manager: AuthManager,
    queue: DueQueue,
    now: Timestamp,
}

impl Subject {
    fn new(size: usize) -> Result<Self> {
        let mut queue = DueQueue::default();
        for number in 0..size {
            let due = NOW + Duration::from_secs(number as u64);
            queue.set(&credential(number).id, Some(due));
        }
        Ok(Self {
            size,
            manager: pool(size).map_err(|error| error.to_string())?,
            queue,
            now: NOW,
        })
    }

    fn measure(&mut self, samples: &mut Samples) -> Result<()> {
        let size = self.size;
        let mut note = |name, time: Duration, times: usize| {
            let value = time.as_secs_f64() * 1e6 / times as f64;
            samples.entry((name, size)).or_default().push(value);
        };
        let mut took: BTreeMap<&'static str, Duration> = BTreeMap::new();
        for turn in 0..TURNS {
            self.measure_turn(turn, &mut took)?;
        }
        for (name, time) in took {
            note(name, time, TURNS * LEASES);
        }
        note(QUEUE, self.take_refreshes()?, TURNS * LEASES);
        note(EDIT, self.edits()?, 2);
        note(PICK_GATED, picks_in_turn(size)?, LEASES);
        let began = Instant::now();
        black_box(pool(size).map_err(|error| error.to_string())?);
        note(CREATE, began.elapsed(), size);
        Ok(())
    }

    /// Attempts that succeed, then some that fail, one after the other, then the end of their cooldowns.
    fn measure_turn(
        &mut self,
        turn: usize,
        took: &mut BTreeMap<&'static str, Duration>,
    ) -> Result<()> {
        let mut time = |name, began: Instant| *took.entry(name).or_default() += began.elapsed();
        let began = Instant::now();
        let leases: Result<Vec<Lease>> = (0..LEASES)
            .map(|index| self.lease(turn * LEASES + index))
            .collect();
        let leases = leases?;
        time(PICK, began);
        let began = Instant::now();
        for lease in leases {
            let first_byte = Some(Duration::from_millis(300));
            lease.settle(Outcome::Success, self.now, first_byte);
        }
        time(SUCCESS, began);
        for index in 0..LEASES {
            let lease = self.lease(index * 7)?;
            let began = Instant::now();
            lease.settle(Outcome::Failed(rate_limited()), self.now, None);
            time(FAILURE, began);
            let began = Instant::now();
            drop(black_box(self.lease(turn * LEASES + index)?));
            time(PICK_CHANGED, began);
        }
        self.now = self.now + COOLDOWN * 2;
        let began = Instant::now();
        drop(black_box(self.lease(turn)?));
        time(PICK_ENDED, began);
        Ok(())
    }

    fn lease(&self, sequence: usize) -> Result<Lease> {
        let candidates = self
            .manager
            .candidates(&CandidateQuery::first_round(MODEL), self.now);
        let candidates = candidates.map_err(|_| "no credential is available")?;
        let index = sequence % candidates.len();
        let lease = self.manager.lease(&candidates, index, self.now);
        lease.map_err(|_| "no lease for an available credential".into())
    }

    fn take_refreshes(&mut self) -> Result<Duration> {
        let began = Instant::now();
        for _ in 0..TURNS * LEASES {
            let due = self.queue.next_at().ok_or("the queue is empty")?;
            let id = self.queue.take_due(due).ok_or("no refresh is due")?;
            // A token of one hour, of the last credential.
            let again = due + Duration::from_secs(self.size as u64);
            self.queue.set(&id, Some(again));
        }
        Ok(began.elapsed())
    }

    fn edits(&self) -> Result<Duration> {
        let id = credential(self.size / 2).id;
        let began = Instant::now();
        for enabled in [false, true] {
            // Without a store there is no wait.
            let changed =
                futures_util::FutureExt::now_or_never(self.manager.set_enabled(&id, enabled));
            changed.ok_or("the edit waits")??;
        }
        Ok(began.elapsed())
    }
}

/// All credentials fail for two clients, and their windows end together: one attempt finds out whether that was
/// all, and the calls of others are to wait. Returns the time of these.
fn picks_in_turn(size: usize) -> Result<Duration> {
    let manager = pool(size).map_err(|error| error.to_string())?;
    let query = |client: usize| CandidateQuery {
        endpoint: Endpoint::new("chat"),
        requester: Requester {
            client: client as u64 + 1,
            digest: 1,
        },
        ..CandidateQuery::first_round(MODEL)
    };
    let mut open = Vec::new();
    for client in [0, 1] {
        let candidates = manager.candidates(&query(client), NOW);
        let candidates = candidates.map_err(|_| "no credential is available")?;
        for index in 0..size {
            let lease = manager.lease(&candidates, index, NOW);
            open.push(lease.map_err(|_| "no lease for an available credential")?);
        }
    }
    for lease in open {
        lease.settle(Outcome::Failed(outage()), NOW, None);
    }
    // The first window of a guess takes a second.
    let ended = NOW + Duration::from_secs(1);
    let candidates = manager.candidates(&query(2), ended);
    let candidates = candidates.map_err(|_| "no call has the first turn")?;
    let finds_out = manager.lease(&candidates, 0, ended);
    let finds_out = finds_out.map_err(|_| "no lease for the first turn")?;
    let later = ended + Duration::from_millis(10);
    let began = Instant::now();
    for client in 0..LEASES {
        if black_box(manager.candidates(&query(3 + client), later)).is_ok() {
            return Err("it is the turn of another".into());
        }
    }
    let took = began.elapsed();
    drop(finds_out);
    Ok(took)
}

/// The cooldown of a failure: too short for a probe.
const COOLDOWN: Duration = Duration::from_secs(60);

fn rate_limited() -> Failure {
    Failure {
        scope: Scope::Model,
        kind: kind::RATE_LIMIT.into(),
        status: Some(429),
        message: "too many requests".to_owned(),
        retry_after: Some(COOLDOWN),
        refresh_suggested: false,
        sent: true,
    }
}

fn outage() -> Failure {
    Failure {
        scope: Scope::Provider,
        kind: kind::TRANSIENT.into(),
        status: Some(500),
        message: "an error occurred".to_owned(),
        retry_after: None,
        ..rate_limited()
    }
}

/// The real binary: the time from start to ready, and its memory then.
async fn processes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut values: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for round in 0..=STARTS {
        for size in POOLS {
            let config = folder.path().join(format!("{size}.yaml"));
            if round == 0 {
                fs::write(&config, configuration(size))?;
            }
            let (took, held) = start(&config).await?;
            // The first start compiles the plugins.
            if round == 0 {
                continue;
            }
            let held = [held.resident_kib, held.anonymous_kib, held.peak_kib];
            let held = held.map(|kib| kib as f64 / 1024.0);
            let found = [took, held[0], held[1], held[2]];
            for (row, value) in found.into_iter().enumerate() {
                values.entry((row, size)).or_default().push(value);
            }
        }
        note(&format!("start {round} of {STARTS}"));
    }
    let row = |(row, (name, unit, of_each)): (usize, (&str, f64, &str))| {
        let middle = |size| median(values.get(&(row, size)).cloned().unwrap_or_default());
        let mut cells = vec![name.to_owned()];
        cells.extend(POOLS.map(|size| format!("{:.1}", middle(size))));
        let each = (middle(POOLS[2]) - middle(POOLS[0])) / (POOLS[2] - POOLS[0]) as f64;
        cells.push(format!("{:.2} {of_each}", each * unit));
        cells
    };
    print_line("\nThe binary, by the number of credentials in its configuration.\n");
    let sizes = POOLS.map(|size| size.to_string());
    let mut heads = vec![""];
    heads.extend(sizes.iter().map(String::as_str));
    heads.push("each");
    let rows = [
        ("start to ready, ms", 1e3, "us"),
        ("resident when ready, MiB", 1024.0, "KiB"),
        ("of it no file's, MiB", 1024.0, "KiB"),
        ("resident at most, MiB", 1024.0, "KiB"),
    ];
    let rows: Vec<_> = rows.into_iter().enumerate().map(row).collect();
    table(&heads, &rows);
    print_line("");
    Ok(())
}

/// Returns the milliseconds from start to ready, and the memory once its plugins are compiled.
async fn start(config: &Path) -> Result<(f64, Memory)> {
    let began = Instant::now();
    let server = Server::jackfield(config).await?;
    server.ready().await?;
    let took = began.elapsed();
    server.compiled().await?;
    let held = server.memory()?;
    server.end().await?;
    Ok((took.as_secs_f64() * 1e3, held))
}

fn configuration(size: usize) -> String {
    let mut text = format!(
        "listen: 127.0.0.1:0\n\
         client-keys: [ {{ name: benchmark, key: {CLIENT_KEY} }} ]\n\
         providers:\n\
         \x20 - name: acme\n\
         \x20   executor: openai-compatible\n\
         \x20   base-url: http://127.0.0.1:9100/v1\n\
         \x20   models: [ {{ name: {MODEL}, alias: fast }}, {{ name: gpt-other }} ]\n\
         \x20   credentials:\n"
    );
    for number in 0..size {
        let _ = writeln!(
            text,
            "      - {{ id: acme-{number:05}, api-key: sk-{number:045} }}"
        );
    }
    text.push_str("routing: { selector: round-robin }\n");
    text
}

const CLIENT_KEY: &str = "benchmark-client-key";

/// Prints the progress.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Returns the median; of an even number of values the upper of the middle two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
