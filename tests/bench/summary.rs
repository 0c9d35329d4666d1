//! The tables of the end-to-end benchmark.

use crate::measure::{Contestant, Metric, ROUNDS, Samples, median};
use crate::process::Memory;
use crate::report::{aim, print_line, table};

/// The times of starts, in milliseconds.
#[derive(Default)]
pub(crate) struct Starts {
    pub(crate) cold: Vec<f64>,
    pub(crate) warm: Vec<f64>,
}

/// An aim, and the condition for a ratio to meet it.
type Bound = (&'static str, fn(f64) -> bool);

/// A line of the table of requests.
struct Row {
    metric: Metric,
    name: &'static str,
    /// Whether the upstream alone has this value.
    direct: bool,
    aim: Option<Bound>,
}

const ROWS: [Row; 8] = [
    row(Metric::Median, "1 KiB, 1 connection: p50, us", true, None),
    row(Metric::Slowest, "1 KiB, 1 connection: p99, us", true, None),
    row(
        Metric::FirstByte,
        "stream, 1 connection: first byte, p50, us",
        true,
        None,
    ),
    row(
        Metric::Throughput,
        "1 KiB, 32 connections: responses per second",
        true,
        Some((">= 0.85", |ratio| ratio >= 0.85)),
    ),
    row(
        Metric::Cpu,
        "1 KiB, 32 connections: CPU for each request, us",
        false,
        Some(("<= 1.2", |ratio| ratio <= 1.2)),
    ),
    row(
        Metric::CpuAlone,
        "1 KiB, 1 connection: CPU for each request, us",
        false,
        None,
    ),
    row(
        Metric::CpuPaced,
        "24 events, 1 ms apart, 32 connections: CPU for each stream, us",
        false,
        Some(("<= 1.2", |ratio| ratio <= 1.2)),
    ),
    row(
        Metric::CpuBurst,
        "24 events at once, 1 connection: CPU for each stream, us",
        false,
        None,
    ),
];

const fn row(metric: Metric, name: &'static str, direct: bool, aim: Option<Bound>) -> Row {
    Row {
        metric,
        name,
        direct,
        aim,
    }
}

/// Times, throughput and CPU, compared with the upstream and the bare proxy.
pub(crate) fn exchanges(samples: &Samples) {
    use Contestant::{Bare, Direct, Jackfield};
    print_line(&format!(
        "\nMedians of {ROUNDS} rounds. `patched` is jackfield where the model's name is replaced. Ratios \
         are of one round each;\nin brackets the least and the most. CPU is user and system time of the \
         proxy's process.\n"
    ));
    let mut heads = vec![""];
    heads.extend(Contestant::ALL.map(Contestant::name));
    heads.extend(["+direct", "+bare", "/direct", "/bare", "", "aim for /bare"]);
    let cells = |row: &Row| {
        let metric = row.metric;
        let values = Contestant::ALL.map(|contestant| {
            if contestant == Direct && !row.direct {
                return "-".to_owned();
            }
            short(samples.median(contestant, metric))
        });
        let (ratio, least, most) = samples.ratio(Jackfield, Bare, metric);
        let of_direct = |text: String| if row.direct { text } else { "-".to_owned() };
        let mut cells = vec![row.name.to_owned()];
        cells.extend(values);
        cells.extend([
            of_direct(short(samples.added(Jackfield, Direct, metric))),
            short(samples.added(Jackfield, Bare, metric)),
            of_direct(format!("{:.2}", samples.ratio(Jackfield, Direct, metric).0)),
            format!("{ratio:.2}"),
            format!("({least:.2}-{most:.2})"),
            row.aim
                .map_or_else(String::new, |(text, met)| aim(text, met(ratio))),
        ]);
        cells
    };
    table(&heads, &ROWS.iter().map(cells).collect::<Vec<_>>());
}

/// Memory of the bare proxy and of Jackfield, before and after the loads.
pub(crate) fn memory(idle: (Memory, Memory), after: (Memory, Memory)) {
    let small = aim("< 30", mib(idle.1.resident_kib) < 30.0);
    let line = |name: &str, bare: u64, jackfield: u64, aim: &str| {
        let mib = |kib| format!("{:.1}", mib(kib));
        vec![name.to_owned(), mib(bare), mib(jackfield), aim.to_owned()]
    };
    let rows = [
        line("idle", idle.0.resident_kib, idle.1.resident_kib, &small),
        line(
            "idle, no file's",
            idle.0.anonymous_kib,
            idle.1.anonymous_kib,
            "",
        ),
        line(
            "under load, at most",
            after.0.peak_kib,
            after.1.peak_kib,
            "",
        ),
        line("after", after.0.resident_kib, after.1.resident_kib, ""),
        line(
            "after, no file's",
            after.0.anonymous_kib,
            after.1.anonymous_kib,
            "",
        ),
    ];
    print_line("");
    table(&["resident memory, MiB", "bare", "jackfield", "aim"], &rows);
}

/// Times from start to ready.
pub(crate) fn starts(starts: &Starts) {
    let line = |name: &str, times: &[f64], aim: String| {
        let middle = median(times.to_vec());
        let most = times.iter().copied().fold(0.0, f64::max);
        vec![name.to_owned(), short(middle), short(most), aim]
    };
    let soon = aim("< 150", median(starts.warm.clone()) < 150.0);
    let rows = [
        line("with compiled code at hand", &starts.warm, soon),
        line("with plugins to compile", &starts.cold, String::new()),
    ];
    print_line("");
    table(&["start to ready, ms", "median", "most", "aim"], &rows);
    print_line("");
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Formats a value with three digits. More would not be significant.
fn short(value: f64) -> String {
    if value.abs() < 10.0 {
        format!("{value:.2}")
    } else if value.abs() < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}
