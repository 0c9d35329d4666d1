//! The clients: those whose calls must be served, and those whose requests no provider accepts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use jackfield_dialect::Dialect;
use jackfield_dispatch::{Call, Dispatcher, Operation, StreamFraming};
use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::json;
use tokio::time::sleep;

use super::timeline::Fault;
use super::world::{DURATION_MS, World};
use crate::stage::read_body;

/// A request that every provider answers with an error, however well it is.
#[derive(Debug)]
pub(super) struct Poison {
    pub(super) fault: Fault,
    /// Whether the error says that the request is at fault.
    pub(super) words: bool,
    /// Whether each request has another body.
    pub(super) varies: bool,
    /// The longest pause between two requests, in milliseconds.
    pub(super) pause_ms: u64,
}

impl Poison {
    pub(super) fn draw(rng: &mut SmallRng) -> Self {
        let fault = match rng.random_range(0..10) {
            0 => Fault::Reset,
            1 => Fault::Empty,
            2 => Fault::Hang,
            3 => Fault::Status(403),
            4 => Fault::Status(404),
            5 => Fault::Status(500),
            _ => Fault::Status(rng.random_range(400..600)),
        };
        Self {
            // 401, 402 and 429 speak of the account, whatever the request.
            fault: match fault {
                Fault::Status(401 | 402 | 429) => Fault::Status(403),
                fault => fault,
            },
            words: rng.random_ratio(3, 10),
            varies: rng.random_ratio(1, 2),
            pause_ms: rng.random_range(2_000..8_000),
        }
    }
}

/// Sends calls that must be served while a credential works.
pub(super) async fn run_good(world: Arc<World>, dispatcher: Arc<Dispatcher>, number: u64) {
    let name = format!("good-{number}");
    let longest = 2_000 + 6_000 * number;
    let mut count = 0_u64;
    while world.now() < DURATION_MS {
        sleep(Duration::from_millis(world.random(1..longest))).await;
        count += 1;
        let stream = world.random(0..2) == 0;
        let body = json!({
            "model": "m", "client": name, "number": count, "stream": stream, "poison": null,
            "messages": [],
        });
        let begin = world.now();
        let served = send(&world, &dispatcher, &name, stream, &body.to_string()).await;
        let end = world.now();
        world.lock().calls += 1;
        let Err(error) = served else { continue };
        if let Some(id) = world.working_credential(begin, end) {
            let record = dispatcher.call_log().get(&name);
            let record = serde_json::to_string(&record).unwrap();
            world.report_unserved(&format!(
                "{name} from {begin} to {end}: {error}, although {id} works: {record}"
            ));
        }
    }
}

/// Sends requests that every provider answers with an error.
pub(super) async fn run_poisoner(world: Arc<World>, dispatcher: Arc<Dispatcher>, number: usize) {
    let name = format!("poisoner-{number}");
    let mut count = 0_u64;
    while world.now() < DURATION_MS {
        let Poison {
            varies, pause_ms, ..
        } = world.poisons[number];
        sleep(Duration::from_millis(world.random(1..pause_ms))).await;
        count += u64::from(varies);
        let body = json!({
            "model": "m", "client": name, "number": count, "stream": number.is_multiple_of(2),
            "poison": number, "messages": [],
        });
        let stream = number.is_multiple_of(2);
        // The next one does not wait for this one, which may hang.
        let call = send_alone(
            Arc::clone(&world),
            Arc::clone(&dispatcher),
            name.clone(),
            stream,
            body.to_string(),
        );
        #[expect(
            clippy::disallowed_methods,
            reason = "the deadline of the call ends it, before the world does"
        )]
        tokio::spawn(call);
    }
}

async fn send_alone(
    world: Arc<World>,
    dispatcher: Arc<Dispatcher>,
    name: String,
    stream: bool,
    body: String,
) {
    let _ = send(&world, &dispatcher, &name, stream, &body).await;
}

async fn send(
    world: &World,
    dispatcher: &Arc<Dispatcher>,
    name: &str,
    stream: bool,
    body: &str,
) -> Result<(), String> {
    let call = Call {
        id: Arc::from(name),
        dialect: Dialect::OpenaiChat,
        operation: Operation::Generate,
        model: Arc::from("m"),
        stream: stream.then_some(StreamFraming::Events),
        body: Bytes::copy_from_slice(body.as_bytes()),
        headers: Arc::new(HeaderMap::new()),
        principal: Arc::from(name),
        network: None,
        affinity: None,
        pinned: None,
        beta: false,
        deadline: dispatcher.deadline(),
    };
    world.log(&format!("{name} begins"));
    let result = match dispatcher.call(call).await {
        Err(error) => Err(error.to_string()),
        Ok(response) => {
            let status = response.status;
            let (bytes, body_error) = read_body(response).await;
            let text = String::from_utf8_lossy(&bytes);
            let whole = text.contains("\"hi\"") || text.contains("[DONE]");
            match (whole, body_error) {
                (true, None) => Ok(()),
                (_, error) => Err(format!("{status}, {error:?}: {text}")),
            }
        }
    };
    world.log(&format!("{name} ends: {result:?}"));
    result
}
