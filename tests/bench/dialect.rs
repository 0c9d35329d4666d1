//! The cost of translation between any two dialects: of requests for each KiB, of streams for each event.
//! The baseline is the time in which serde_json parses the same bytes into a tree and prints them, which
//! is the minimum for a translation through a tree. And the cost of the look for signatures in what is relayed.

mod report;
mod workload;

use jackfield_dialect::traits::Traits;
use std::hint::black_box;
use std::time::Duration;

use jackfield_dialect::ir::ResponseContext;
use jackfield_dialect::sse::write_event;
use jackfield_dialect::{
    Dialect, RequestHead, TranslatedRequest, TranslationInput, Translator, json, scan_signatures,
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::report::{aim, print_line, table};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The dialects for conversations.
const DIALECTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

/// Sizes of a request's body, in bytes.
const BODIES: [(&str, usize); 3] = [("2 KiB", 2 << 10), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20)];

/// Rounds. Both are measured in each round, so that other load of the machine affects both.
const ROUNDS: usize = 15;

/// The minimum time of one measurement.
const ROUND: Duration = Duration::from_millis(4);

/// The aim for a translation, as a multiple of the baseline.
const REQUEST_RATIO_MAX: f64 = 3.5;
const EVENT_RATIO_MAX: f64 = 2.5;

/// The aim for a look for signatures, as a fraction of one pass over what is relayed.
const LOOK_RATIO_MAX: f64 = 0.25;

fn main() -> Result<()> {
    requests()?;
    streams()?;
    looks()
}

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let others = |from: Dialect| DIALECTS.into_iter().filter(move |to| *to != from);
    DIALECTS
        .into_iter()
        .flat_map(move |from| others(from).map(move |to| (from, to)))
}

/// The times of a translation and of its baseline, in microseconds: the least of all rounds, because other
/// load of the machine can only add to it.
struct Comparison {
    baseline: f64,
    cost: f64,
}

impl Comparison {
    /// Measures both in turn.
    fn measure(mut baseline: impl FnMut(), mut cost: impl FnMut()) -> Self {
        let mut least = Self {
            baseline: f64::INFINITY,
            cost: f64::INFINITY,
        };
        for _ in 0..ROUNDS {
            least.baseline = least.baseline.min(micros(&mut baseline));
            least.cost = least.cost.min(micros(&mut cost));
        }
        least
    }

    fn ratio(&self) -> f64 {
        self.cost / self.baseline
    }
}

/// Returns the processor time of one call: the mean of as many calls as fill a round.
fn micros(call: &mut impl FnMut()) -> f64 {
    let (began, mut calls) = (cpu_time(), 0_u32);
    while cpu_time() - began < ROUND {
        call();
        calls += 1;
    }
    (cpu_time() - began).as_secs_f64() * 1e6 / f64::from(calls)
}

/// Returns the processor time of this thread. On a shared machine the clock would include the time of other processes.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn parse_and_print(bytes: &[u8]) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    serde_json::to_vec(&value).ok()
}

fn requests() -> Result<()> {
    print_line(&format!(
        "\nRequests with tools, calls and results: translating, as multiples of parsing and printing. \
         The least of {ROUNDS} rounds.\n"
    ));
    let mut heads = vec!["client to provider".to_owned()];
    for (size, _) in BODIES {
        heads.extend([
            format!("{size}: us a KiB"),
            "floor".to_owned(),
            "ratio".to_owned(),
        ]);
    }
    heads.push("aim".to_owned());
    let mut rows = Vec::new();
    for (client, provider) in pairs() {
        let mut row = vec![format!("{client} to {provider}")];
        let mut most = 0.0_f64;
        for (_, length) in BODIES {
            let body = workload::body(client, length)?;
            let head = RequestHead::from_path("m", true)?;
            let source = TranslationInput {
                dialect: client,
                body: &body,
                head: &head,
                model: "provider-model",
                traits: &Traits::everything(),
                thinking: None,
                id: "call-1",
                created: 1_780_000_000,
            };
            TranslatedRequest::translate_content(&source, provider)?;
            let kib = body.len() as f64 / 1024.0;
            let comparison = Comparison::measure(
                || drop(black_box(parse_and_print(black_box(&body)))),
                || {
                    drop(black_box(TranslatedRequest::translate_content(
                        black_box(&source),
                        provider,
                    )))
                },
            );
            row.push(format!("{:.2}", comparison.cost / kib));
            row.push(format!("{:.2}", comparison.baseline / kib));
            row.push(format!("{:.2}", comparison.ratio()));
            most = most.max(comparison.ratio());
        }
        row.push(aim(
            &format!("<= {REQUEST_RATIO_MAX}"),
            most <= REQUEST_RATIO_MAX,
        ));
        rows.push(row);
    }
    table(&heads.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
    Ok(())
}

fn streams() -> Result<()> {
    print_line(
        "\nStreams of thoughts, text and two calls: translating, written as server-sent events, as \
         multiples of parsing and\nprinting the data of the same events, written the same way.\n",
    );
    let mut rows = Vec::new();
    for (client, provider) in pairs() {
        let events = workload::stream(provider);
        translate_stream(client, provider, &events)
            .ok_or_else(|| format!("{provider} to {client}: the stream does not end"))?;
        let comparison = Comparison::measure(
            || {
                let mut out = Vec::new();
                for (name, data) in black_box(&events) {
                    if let Some(data) = parse_and_print(data) {
                        write_event(name, &data, &mut out);
                    }
                }
                drop(black_box(out));
            },
            || {
                drop(black_box(translate_stream(
                    client,
                    provider,
                    black_box(&events),
                )))
            },
        );
        let count = events.len() as f64;
        rows.push(vec![
            format!("{provider} to {client}"),
            events.len().to_string(),
            format!("{:.2}", comparison.cost / count),
            format!("{:.2}", comparison.baseline / count),
            format!("{:.2}", comparison.ratio()),
            aim(
                &format!("<= {EVENT_RATIO_MAX}"),
                comparison.ratio() <= EVENT_RATIO_MAX,
            ),
        ]);
    }
    let heads = [
        "provider to client",
        "events",
        "us an event",
        "floor",
        "ratio",
        "aim",
    ];
    table(&heads, &rows);
    print_line("");
    Ok(())
}

/// The look for signatures. The baseline is the pass that a relay has in any case: for a request, to find the
/// model's name; for an event, to classify it.
fn looks() -> Result<()> {
    print_line(
        "\nRelays: the look for signatures, as a fraction of the pass over the same bytes that a relay has in any \
         case.\n",
    );
    let mut rows = Vec::new();
    for dialect in DIALECTS {
        let mut row = vec![dialect.to_string()];
        let mut most = 0.0_f64;
        for (_, length) in BODIES {
            let body = workload::body(dialect, length)?;
            let comparison = Comparison::measure(
                || drop(black_box(json::find(black_box(&body), "/model"))),
                || look(dialect, black_box(&body)),
            );
            let kib = body.len() as f64 / 1024.0;
            row.push(format!("{:.3}", comparison.cost / kib));
            row.push(format!("{:.3}", comparison.ratio()));
            most = most.max(comparison.ratio());
        }
        let events = workload::stream(dialect);
        let comparison = Comparison::measure(
            || {
                let mut observer = dialect.codec().observer();
                for (name, data) in black_box(&events) {
                    drop(black_box(observer.observe(name, data)));
                }
            },
            || {
                for (_, data) in black_box(&events) {
                    look(dialect, data);
                }
            },
        );
        row.push(format!("{:.3}", comparison.cost / events.len() as f64));
        row.push(format!("{:.3}", comparison.ratio()));
        most = most.max(comparison.ratio());
        row.push(aim(&format!("<= {LOOK_RATIO_MAX}"), most <= LOOK_RATIO_MAX));
        rows.push(row);
    }
    let mut heads = vec!["dialect".to_owned()];
    for (size, _) in BODIES {
        heads.extend([format!("{size}: us a KiB"), "ratio".to_owned()]);
    }
    heads.extend(["us an event", "ratio", "aim"].map(str::to_owned));
    table(&heads.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
    print_line("");
    Ok(())
}

fn look(dialect: Dialect, bytes: &[u8]) {
    scan_signatures(dialect, bytes, &mut |signature| {
        black_box(signature);
    });
}

/// Returns the client's events of a stream; `None` if the stream does not end.
fn translate_stream(
    client: Dialect,
    provider: Dialect,
    events: &[(String, Vec<u8>)],
) -> Option<Vec<u8>> {
    let response_context = ResponseContext {
        id: "call-1".to_owned(),
        model: "m".to_owned(),
        include_usage: true,
        ..ResponseContext::default()
    };
    let mut translator = Translator::new(provider, client, response_context);
    let (mut frames, mut out) = (Vec::new(), Vec::new());
    let write = |frames: &mut Vec<jackfield_dialect::ir::Frame>, out: &mut Vec<u8>| {
        for frame in frames.drain(..) {
            write_event(&frame.name, &frame.data, out);
        }
    };
    for (name, data) in events {
        translator.translate_event(name, data, &mut frames);
        write(&mut frames, &mut out);
    }
    translator.finish(&mut frames);
    write(&mut frames, &mut out);
    translator.completed().then_some(out)
}
