//! The cost of components and of the host around them: picks, plans, frames and instances.

mod credentials;
mod guests;
mod languages;
mod report;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion};
use jackfield_credential::{CandidateQuery, Outcome};
use jackfield_dialect::RequestHead;
use jackfield_dialect::json::{Patch, apply};
use jackfield_dispatch::plan::Context;
use jackfield_dispatch::port::Columns;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::credentials::{MODEL, NOW, pool};
use crate::guests::{Guests, body, context, frame, pick_context};
use crate::report::{aim, print_line, table};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Sizes of the pool.
const POOLS: [usize; 3] = [2, 100, 10_000];

/// Sizes of a request's body, in bytes.
const BODIES: [(&str, usize); 2] = [("1 KiB", 1 << 10), ("1 MiB", 1 << 20)];

/// An alias of the model. A body with this name needs a patch.
const ALIAS: &str = "fast";

/// The model for which the guest `remembers` reads two headers.
const TWO_HEADERS: &str = "two-headers";

/// Requests in one measurement of the last table.
const BATCH: u64 = 2_000;
const BATCHES: usize = 9;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let guests = runtime.block_on(Guests::load())?;
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_200))
        .sample_size(20)
        .without_plots()
        .configure_from_args();
    let bench = Bench { runtime, guests };
    bench.picks(&mut criterion)?;
    bench.leases(&mut criterion)?;
    bench.plans(&mut criterion);
    bench.remembered_plans(&mut criterion)?;
    bodies(&mut criterion);
    bench.frames(&mut criterion)?;
    bench.instances(&mut criterion);
    criterion.final_summary();
    if !std::env::args()
        .skip(1)
        .any(|argument| argument != "--bench")
    {
        bench.summarize()?;
        bench.runtime.block_on(languages::print_languages())?;
    }
    Ok(())
}

struct Bench {
    runtime: Runtime,
    guests: Guests,
}

impl Bench {
    /// The pick of a selector.
    fn picks(&self, criterion: &mut Criterion) -> Result<()> {
        let mut group = criterion.benchmark_group("pick");
        for size in POOLS {
            let candidates: Arc<dyn Columns> = columns(size)?;
            group.bench_function(BenchmarkId::new("round-robin", size), |bencher| {
                bencher.iter_custom(|times| self.pick(times, &candidates));
            });
        }
        group.finish();
        Ok(())
    }

    fn pick(&self, times: u64, candidates: &Arc<dyn Columns>) -> Duration {
        let selector = &self.guests.round_robin;
        self.runtime.block_on(async {
            let began = Instant::now();
            for sequence in 0..times {
                let context = pick_context(sequence);
                let _ = black_box(selector.pick(&context, Arc::clone(candidates)).await);
            }
            began.elapsed()
        })
    }

    /// The work of the host around a pick: candidates, lease, settling.
    fn leases(&self, criterion: &mut Criterion) -> Result<()> {
        let mut group = criterion.benchmark_group("candidates, lease and settle");
        for size in POOLS {
            let pool = pool(size)?;
            let mut index = 0;
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    index = (index + 1) % size;
                    let candidates = pool
                        .candidates(&CandidateQuery::first_round(MODEL), NOW)
                        .ok()?;
                    let lease = pool.lease(&candidates, index, NOW).ok()?;
                    lease.settle(Outcome::Success, NOW, Some(Duration::from_millis(1)));
                    Some(())
                });
            });
        }
        group.finish();
        Ok(())
    }

    /// The plan of an executor. Its cost must not depend on the size of the body.
    fn plans(&self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group("prepare");
        for (size, length) in BODIES {
            let body = body(length);
            for (way, model) in [("original", MODEL), ("patch", ALIAS)] {
                group.bench_function(BenchmarkId::new(way, size), |bencher| {
                    bencher.iter_custom(|times| self.prepare(times, model, &body));
                });
            }
        }
        group.finish();
    }

    fn prepare(&self, times: u64, model: &str, body: &Bytes) -> Duration {
        let executor = &self.guests.relaying;
        let context = context(model);
        self.runtime.block_on(async {
            let began = Instant::now();
            for _ in 0..times {
                let _ = black_box(executor.prepare(&context, body).await);
            }
            began.elapsed()
        })
    }

    /// The plan of an executor that was asked before. The guest is not called.
    fn remembered_plans(&self, criterion: &mut Criterion) -> Result<()> {
        let mut group = criterion.benchmark_group("remembered plan");
        let body = body(1 << 10);
        for (name, executor, model) in [
            ("nothing was read", &self.guests.remembering, MODEL),
            (
                "two headers were read",
                &self.guests.two_headers,
                TWO_HEADERS,
            ),
        ] {
            let context = Context {
                model: Arc::from(model),
                ..context(MODEL)
            };
            let again = self.runtime.block_on(async {
                executor.prepare(&context, &body).await?;
                executor.prepare(&context, &body).await
            });
            let again = again.map_err(|rejection| format!("{rejection:?}"))?;
            if !again.is_remembered() {
                return Err(format!("{name}: the plan was not remembered").into());
            }
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|times| {
                    self.runtime.block_on(async {
                        let began = Instant::now();
                        for _ in 0..times {
                            let _ = black_box(executor.prepare(&context, &body).await);
                        }
                        began.elapsed()
                    })
                });
            });
        }
        group.finish();
        Ok(())
    }

    /// Events through a guest that sees all of them.
    fn frames(&self, criterion: &mut Criterion) -> Result<()> {
        let mut group = criterion.benchmark_group("push through a guest");
        let executor = &self.guests.replying;
        let (context, body) = (context(MODEL), body(1 << 10));
        let begun = self
            .runtime
            .block_on(executor.reply(&context, &body, Bytes::new()));
        let mut reply = begun?;
        for frames in [1, 24] {
            group.bench_function(BenchmarkId::new("frames", frames), |bencher| {
                bencher.iter_custom(|times| {
                    self.runtime.block_on(async {
                        let mut took = Duration::ZERO;
                        for _ in 0..times {
                            let frames = vec![frame(); frames];
                            let began = Instant::now();
                            let _ = black_box(reply.push(frames, false).await);
                            took += began.elapsed();
                        }
                        took
                    })
                });
            });
        }
        group.finish();
        Ok(())
    }

    /// An instance for a call: created for it, reused, or replaced after it.
    fn instances(&self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group("instance");
        let body = body(1 << 10);
        let context = context(MODEL);
        for (name, executor) in [
            ("created for one plan, and dropped", &self.guests.replaced),
            ("reused for a plan", &self.guests.relaying),
        ] {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|times| {
                    self.runtime.block_on(async {
                        let began = Instant::now();
                        for _ in 0..times {
                            let _ = black_box(executor.prepare(&context, &body).await);
                        }
                        began.elapsed()
                    })
                });
            });
        }
        group.bench_function("replaced after content, on the path", |bencher| {
            bencher.iter_custom(|times| self.replace(times).0);
        });
        group.bench_function("replaced after content, in all", |bencher| {
            bencher.iter_custom(|times| self.replace(times).1);
        });
        group.finish();
    }

    /// A reply takes an instance, sees content and is dropped; another instance is created in advance.
    /// Measures the time for which the reply waits, and the time of all steps.
    fn replace(&self, times: u64) -> (Duration, Duration) {
        let executor = &self.guests.replying;
        let (context, body) = (context(MODEL), body(1 << 10));
        self.runtime.block_on(async {
            let mut on_the_path = Duration::ZERO;
            let all = Instant::now();
            for _ in 0..times {
                let began = Instant::now();
                let reply = executor.reply(&context, &body, Bytes::new()).await;
                drop(black_box(reply));
                on_the_path += began.elapsed();
                // The runtime has one thread, so the next instance is created here.
                tokio::task::yield_now().await;
            }
            (on_the_path, all.elapsed())
        })
    }

    /// The time of one request in components, compared with its aim, for all sizes.
    fn summarize(&self) -> Result<()> {
        print_line(
            "\nIn components, a request: a pick by round-robin and a plan by openai-compatible.\n",
        );
        let mut rows = Vec::new();
        for (candidates, (size, length), model) in [
            (2, BODIES[0], MODEL),
            (2, BODIES[0], ALIAS),
            (10_000, BODIES[1], MODEL),
            (10_000, BODIES[1], ALIAS),
        ] {
            let (columns, body) = (columns(candidates)?, body(length));
            let mut times: Vec<f64> = (0..BATCHES)
                .map(|_| self.pick(BATCH, &columns) + self.prepare(BATCH, model, &body))
                .map(|time| time.as_secs_f64() * 1e6 / BATCH as f64)
                .collect();
            times.sort_unstable_by(f64::total_cmp);
            let micros = times[BATCHES / 2];
            let way = if model == ALIAS { "patch" } else { "original" };
            rows.push(vec![
                format!("{candidates} candidates, body of {size}, {way}"),
                format!("{micros:.2}"),
                aim("<= 5", micros <= 5.0),
            ]);
        }
        table(&["", "us", "aim"], &rows);
        print_line("");
        Ok(())
    }
}

/// The host's work on a body, for every executor. This does grow with the body.
fn bodies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("body, in the host");
    for (size, length) in BODIES {
        let body = body(length);
        group.bench_function(BenchmarkId::new("read", size), |bencher| {
            bencher.iter(|| RequestHead::read(black_box(&body)).is_ok());
        });
        let patches = [Patch::Replace {
            path: "/model".to_owned(),
            value: format!("\"{MODEL}\""),
        }];
        group.bench_function(
            BenchmarkId::new("patch of the model's name", size),
            |bencher| {
                bencher.iter(|| apply(black_box(&body), &patches));
            },
        );
    }
    group.finish();
}

fn columns(size: usize) -> Result<Arc<dyn Columns>> {
    let candidates = pool(size)?.candidates(&CandidateQuery::first_round(MODEL), NOW)?;
    Ok(Arc::new(candidates))
}
