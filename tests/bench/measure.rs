//! The measurements: all contestants get the same loads in each round, so that other load of the machine
//! affects all of them.

use std::collections::HashMap;
use std::time::Duration;

use crate::Result;
use crate::chat::{self, ALIAS, MODEL, ResponseKind};
use crate::load::{Load, Outcome};
use crate::process::Server;

/// Rounds. The report has the median.
pub(crate) const ROUNDS: usize = 15;

/// Connections of the loads that saturate the server.
pub(crate) const CONNECTIONS: usize = 32;

/// The loads of a round. Each takes one or two tenths of a second, so that other load of a shared machine is
/// the same for all contestants.
const LOADS: [Load; 4] = [
    Load::new(ResponseKind::Whole, 1, 600),
    Load::new(ResponseKind::Whole, CONNECTIONS, 2_400),
    Load::new(ResponseKind::Burst, 1, 200),
    Load::new(ResponseKind::Paced, CONNECTIONS, 160),
];

/// The contestants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Contestant {
    /// The upstream alone.
    Direct,
    /// The bare proxy before the upstream.
    Bare,
    /// Jackfield before the upstream: the body passes unchanged.
    Jackfield,
    /// Jackfield before the upstream, with an alias: the model's name in the body is patched.
    Patched,
}

impl Contestant {
    pub(crate) const ALL: [Self; 4] = [Self::Direct, Self::Bare, Self::Jackfield, Self::Patched];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Bare => "bare",
            Self::Jackfield => "jackfield",
            Self::Patched => "patched",
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::Direct | Self::Bare | Self::Jackfield => MODEL,
            Self::Patched => ALIAS,
        }
    }
}

/// The measured values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Metric {
    /// The median latency of a request, one at a time.
    Median,
    /// The 99th percentile of the latency.
    Slowest,
    /// The server's processor time for a request, one at a time.
    CpuAlone,
    /// Responses per second, with enough requests to saturate the server.
    Throughput,
    /// The server's processor time for a request then.
    Cpu,
    /// Time from a request to the first byte of its stream.
    FirstByte,
    /// The server's processor time for a stream with all events at once.
    CpuBurst,
    /// The server's processor time for a stream with one event after the other.
    CpuPaced,
}

/// The servers.
pub(crate) struct Servers {
    pub(crate) upstream: Server,
    pub(crate) bare: Server,
    pub(crate) jackfield: Server,
}

impl Servers {
    fn of(&self, contestant: Contestant) -> &Server {
        match contestant {
            Contestant::Direct => &self.upstream,
            Contestant::Bare => &self.bare,
            Contestant::Jackfield | Contestant::Patched => &self.jackfield,
        }
    }
}

/// One value for each round.
#[derive(Default)]
pub(crate) struct Samples(HashMap<(Contestant, Metric), Vec<f64>>);

impl Samples {
    /// Measures everything.
    ///
    /// # Errors
    /// When a server fails, or returns another response than the provider sent.
    pub(crate) async fn take(servers: &Servers) -> Result<Self> {
        let mut samples = Self::default();
        for contestant in Contestant::ALL {
            // A first run without measurement pays for connections and first pages.
            run(servers, contestant, LOADS[1]).await?;
        }
        for round in 0..ROUNDS {
            for load in LOADS {
                for place in 0..Contestant::ALL.len() {
                    // The order changes, so that no contestant is always the first.
                    let contestant = Contestant::ALL[(place + round) % Contestant::ALL.len()];
                    let (outcome, cpu) = run(servers, contestant, load).await?;
                    samples.note(contestant, load, &outcome, cpu);
                }
            }
            if (round + 1) % ROUNDS_PER_REPORT == 0 {
                crate::note(&format!("round {} of {ROUNDS}", round + 1));
            }
        }
        Ok(samples)
    }

    fn note(&mut self, contestant: Contestant, load: Load, outcome: &Outcome, cpu: f64) {
        let noted = match (load.kind, load.connections) {
            (ResponseKind::Whole, 1) => vec![
                (Metric::Median, micros(rank(&outcome.response_times, 0.50))),
                (Metric::Slowest, micros(rank(&outcome.response_times, 0.99))),
                (Metric::CpuAlone, cpu),
            ],
            (ResponseKind::Whole, _) => vec![
                (
                    Metric::Throughput,
                    load.requests as f64 / outcome.took.as_secs_f64(),
                ),
                (Metric::Cpu, cpu),
            ],
            (ResponseKind::Burst, _) => vec![
                (Metric::FirstByte, micros(rank(&outcome.first_bytes, 0.50))),
                (Metric::CpuBurst, cpu),
            ],
            (ResponseKind::Paced, _) => vec![(Metric::CpuPaced, cpu)],
        };
        for (metric, value) in noted {
            self.0.entry((contestant, metric)).or_default().push(value);
        }
    }

    /// Returns the median of the rounds.
    pub(crate) fn median(&self, contestant: Contestant, metric: Metric) -> f64 {
        median(self.rounds(contestant, metric).to_vec())
    }

    /// Returns the median of the differences between two contestants in each round.
    pub(crate) fn added(&self, contestant: Contestant, over: Contestant, metric: Metric) -> f64 {
        median(self.pairs(contestant, over, metric, |value, over| value - over))
    }

    /// Returns the ratio of two contestants in each round: the median, the least and the greatest.
    pub(crate) fn ratio(
        &self,
        contestant: Contestant,
        over: Contestant,
        metric: Metric,
    ) -> (f64, f64, f64) {
        let ratios = self.pairs(contestant, over, metric, |value, over| value / over);
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        (median(ratios), least, most)
    }

    fn pairs(
        &self,
        contestant: Contestant,
        over: Contestant,
        metric: Metric,
        combine: impl Fn(f64, f64) -> f64,
    ) -> Vec<f64> {
        let values = self.rounds(contestant, metric).iter();
        let pairs = values.zip(self.rounds(over, metric));
        pairs.map(|(value, over)| combine(*value, *over)).collect()
    }

    fn rounds(&self, contestant: Contestant, metric: Metric) -> &[f64] {
        self.0.get(&(contestant, metric)).map_or(&[], Vec::as_slice)
    }
}

/// Runs a load, and returns the processor time of the server for each request, in microseconds.
async fn run(servers: &Servers, contestant: Contestant, load: Load) -> Result<(Outcome, f64)> {
    let server = servers.of(contestant);
    let request = chat::request(contestant.model(), load.kind);
    let ready = load.open(server.address, request).await?;
    let before = server.cpu_time()?;
    let outcome = ready.run().await?;
    let used = server.cpu_time()?.since(&before);
    Ok((outcome, micros(used) / load.requests as f64))
}

/// The progress is printed every this number of rounds.
const ROUNDS_PER_REPORT: usize = 5;

/// Returns the median; of an even number of values the upper of the middle two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn rank(ascending: &[Duration], part: f64) -> Duration {
    let index = (ascending.len() as f64 * part) as usize;
    ascending.get(index).copied().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
