//! The measurements: every contestant is given the same loads, round by round, so that whatever else
//! the machine does meets them all.

use std::collections::HashMap;
use std::time::Duration;

use crate::Result;
use crate::chat::{self, ALIAS, MODEL, ResponseKind};
use crate::load::{Load, Outcome};
use crate::process::Server;

/// How often everything is measured. The median of the rounds is told.
pub(crate) const ROUNDS: usize = 15;

/// Connections of the loads that saturate.
pub(crate) const CONNECTIONS: usize = 32;

/// The loads of a round: each takes a tenth of a second or two, so that all contestants meet the
/// same neighbours on a shared machine.
const LOADS: [Load; 4] = [
    Load::new(ResponseKind::Whole, 1, 600),
    Load::new(ResponseKind::Whole, CONNECTIONS, 2_400),
    Load::new(ResponseKind::Burst, 1, 200),
    Load::new(ResponseKind::Paced, CONNECTIONS, 160),
];

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Contestant {
    /// The upstream, with nothing before it.
    Direct,
    /// The bare proxy before it.
    Bare,
    /// Jackfield before it: the body goes on as it came.
    Jackfield,
    /// Jackfield before it, asked by an alias: the model's name in the body is patched.
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

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Metric {
    /// Half of the requests are answered in this time, one at a time.
    Median,
    /// All but one in a hundred are.
    Slowest,
    /// The server's own work for a request, one at a time.
    CpuAlone,
    /// Answers a second, with as many requests as it takes.
    Throughput,
    /// The server's own work for a request then.
    Cpu,
    /// From a request to the first byte of its stream.
    FirstByte,
    /// The server's own work for a stream whose events come at once.
    CpuBurst,
    /// The server's own work for a stream whose events come one by one.
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

/// A value a round.
#[derive(Default)]
pub(crate) struct Samples(HashMap<(Contestant, Metric), Vec<f64>>);

impl Samples {
    /// Measures everything.
    ///
    /// # Errors
    /// When a server fails, or answers anything but what the provider sent.
    pub(crate) async fn take(servers: &Servers) -> Result<Self> {
        let mut samples = Self::default();
        for contestant in Contestant::ALL {
            // What is paid once, connections and first pages, belongs to nobody's round.
            run(servers, contestant, LOADS[1]).await?;
        }
        for round in 0..ROUNDS {
            for load in LOADS {
                for place in 0..Contestant::ALL.len() {
                    // Nobody is always the first, or always after the same.
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

    /// The median of the rounds.
    pub(crate) fn median(&self, contestant: Contestant, metric: Metric) -> f64 {
        median(self.rounds(contestant, metric).to_vec())
    }

    /// What one contestant adds to another, round by round: the median.
    pub(crate) fn added(&self, contestant: Contestant, over: Contestant, metric: Metric) -> f64 {
        median(self.pairs(contestant, over, metric, |value, over| value - over))
    }

    /// One contestant as a multiple of another, round by round: the median, the least and the most.
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

/// Runs a load, and says what each request cost the server, in microseconds of a processor.
async fn run(servers: &Servers, contestant: Contestant, load: Load) -> Result<(Outcome, f64)> {
    let server = servers.of(contestant);
    let request = chat::request(contestant.model(), load.kind);
    let ready = load.open(server.address, request).await?;
    let before = server.cpu_time()?;
    let outcome = ready.run().await?;
    let used = server.cpu_time()?.since(&before);
    Ok((outcome, micros(used) / load.requests as f64))
}

/// How often it is told how far the measurements are, in rounds.
const ROUNDS_PER_REPORT: usize = 5;

/// The middle one; of an even number the upper of the two.
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
