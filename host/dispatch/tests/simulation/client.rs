//! The clients: what each requests, and which result is correct.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use jackfield_dialect::Dialect;
use jackfield_dispatch::{Call, CallError, Dispatcher, Operation, StreamFraming};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::world::{MODELS, World};
use super::world_setup::{ROUNDS, TOTAL};
use crate::stage::read_body;

/// One request of a client, and the check of its result.
pub(super) async fn run_client(world: Arc<World>, dispatcher: Arc<Dispatcher>, number: u64) {
    let model = usize::try_from(world.random(0..MODELS as u64)).unwrap();
    let (stream, invalid) = (world.chance(60), world.chance(4));
    let disconnects_after = world
        .chance(8)
        .then(|| Duration::from_millis(world.random(1..4000)));
    let body = json!({
        "model": format!("m{model}"), "number": number, "stream": stream, "wrong": invalid,
        "messages": [],
    });
    let call = Call {
        id: Arc::from(format!("call-{number}")),
        dialect: Dialect::OpenaiChat,
        operation: Operation::Generate,
        model: Arc::from(format!("m{model}")),
        stream: stream.then_some(StreamFraming::Events),
        body: Bytes::from(body.to_string()),
        headers: Arc::new(HeaderMap::new()),
        beta: false,
        principal: Arc::from("simulation"),
        network: None,
        affinity: None,
        pinned: None,
        deadline: dispatcher.deadline(),
    };
    world.log(&format!("request {number} begins"));
    let response_future = async {
        let response = dispatcher.call(call).await?;
        let status = response.status.as_u16();
        let (bytes, body_error) = read_body(response).await;
        Ok::<_, CallError>((status, bytes, body_error))
    };
    let began = Instant::now();
    let result = timeout(disconnects_after.unwrap_or(TOTAL * 2), response_future).await;
    let took = began.elapsed();
    let outcome = match &result {
        Err(_) => "left".to_owned(),
        Ok(Ok((status, bytes, _))) => format!("{status} with {} bytes", bytes.len()),
        Ok(Err(error)) => format!("{}: {error}", error.label()),
    };
    world.log(&format!("request {number} ends: {outcome}"));
    if took > TOTAL + Duration::from_secs(1) {
        world.report_violation(format!("request {number} took {took:?}"));
    }
    world.check_attempt_count(number);
    let Ok(result) = result else {
        if disconnects_after.is_none() {
            world.report_violation(format!("request {number} hangs"));
        }
        return;
    };
    if result.is_err() && !invalid && world.may_all_cool(model) {
        world.log(&format!(
            "request {number} failed, and the site of all may cool"
        ));
        return;
    }
    world.check_response(
        &dispatcher,
        number,
        invalid,
        result.map(|(status, bytes, body_error)| (status, bytes, body_error.is_some())),
    );
}

impl World {
    /// No more attempts than rounds over the pool, plus one after a refresh of expired tokens,
    /// plus one if there is a single credential.
    fn check_attempt_count(&self, number: u64) {
        let state = self.lock();
        let Some(request) = state.requests.get(&number) else {
            return;
        };
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for id in &request.sent {
            *times.entry(id).or_default() += 1;
        }
        let most = times.values().copied().max().unwrap_or(0);
        let allowed = ROUNDS as usize + request.stale + 1;
        let (sent, over) = (request.sent.clone(), most > allowed);
        drop(state);
        if over {
            self.report_violation(format!("request {number} was sent too often: {sent:?}"));
        }
    }

    /// One credential always works, so every valid request succeeds.
    fn check_response(
        &self,
        dispatcher: &Dispatcher,
        number: u64,
        invalid: bool,
        result: Result<(u16, Bytes, bool), CallError>,
    ) {
        let (refused, stream_failed) = {
            let state = self.lock();
            let request = state.requests.get(&number);
            request.map_or((false, false), |request| {
                (request.refused, request.stream_failed)
            })
        };
        match result {
            Ok((200, bytes, false)) => {
                if invalid {
                    self.report_violation(format!("request {number} is invalid and succeeded"));
                }
                let text = String::from_utf8_lossy(&bytes);
                let whole = text.contains("\"hi\"") || text.contains("[DONE]");
                let failed = text.contains("\"error\"");
                if !(whole || failed && stream_failed) {
                    self.report_violation(format!(
                        "request {number} got an incomplete response: {text}"
                    ));
                }
            }
            Ok((status, _, body_failed)) => {
                self.report_violation(format!(
                    "request {number} got {status}, broken: {body_failed}"
                ));
            }
            Err(CallError::Upstream(failure)) if invalid && refused => {
                if failure.failure.status != Some(400) {
                    self.report_violation(format!(
                        "request {number} was rejected with {failure:?}"
                    ));
                }
            }
            Err(error) => {
                let record = dispatcher.call_log().get(&format!("call-{number}"));
                let record = serde_json::to_string(&record).unwrap();
                self.report_violation(format!("request {number} failed: {error}: {record}"));
            }
        }
    }
}
