//! The clients: what each asks for, and what it must come to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use jackfield_dialect::Dialect;
use jackfield_dispatch::{Call, CallError, Dispatcher, StreamFraming, Operation};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::birth::{ROUNDS, TOTAL};
use super::world::{MODELS, World};
use crate::stage::gathered;

/// One request of one client, and what it must come to.
pub(super) async fn client(world: Arc<World>, dispatcher: Arc<Dispatcher>, number: u64) {
    let model = world.draw(0..MODELS as u64);
    let (stream, wrong) = (world.chance(60), world.chance(4));
    let leaves = world
        .chance(8)
        .then(|| Duration::from_millis(world.draw(1..4000)));
    let body = json!({
        "model": format!("m{model}"), "number": number, "stream": stream, "wrong": wrong,
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
        principal: Arc::from("simulation"),
        affinity: None,
        deadline: dispatcher.deadline(),
    };
    world.tell(&format!("request {number} begins"));
    let answered = async {
        let answer = dispatcher.call(call).await?;
        let status = answer.status.as_u16();
        let (bytes, broken) = gathered(answer).await;
        Ok::<_, CallError>((status, bytes, broken))
    };
    let began = Instant::now();
    let result = timeout(leaves.unwrap_or(TOTAL * 2), answered).await;
    let took = began.elapsed();
    let told = match &result {
        Err(_) => "left".to_owned(),
        Ok(Ok((status, bytes, _))) => format!("{status} with {} bytes", bytes.len()),
        Ok(Err(error)) => format!("{}: {error}", error.label()),
    };
    world.tell(&format!("request {number} ends: {told}"));
    if took > TOTAL + Duration::from_secs(1) {
        world.wrong(format!("request {number} took {took:?}"));
    }
    world.within_bounds(number);
    let Ok(result) = result else {
        if leaves.is_none() {
            world.wrong(format!("request {number} hangs"));
        }
        return;
    };
    world.judge_answer(
        number,
        wrong,
        result.map(|(status, bytes, broken)| (status, bytes, broken.is_some())),
    );
}

impl World {
    /// No more attempts than rounds over the pool, one more with new tokens where some had ended, and
    /// one more where there is a single credential.
    fn within_bounds(&self, number: u64) {
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
            self.wrong(format!("request {number} was sent too often: {sent:?}"));
        }
    }

    /// There is always one that serves: so whatever is not wrong itself is answered.
    fn judge_answer(
        &self,
        number: u64,
        wrong: bool,
        result: Result<(u16, Bytes, bool), CallError>,
    ) {
        let (refused, broken) = {
            let state = self.lock();
            let request = state.requests.get(&number);
            request.map_or((false, false), |request| (request.refused, request.broken))
        };
        match result {
            Ok((200, bytes, false)) => {
                if wrong {
                    self.wrong(format!("request {number} is wrong and was answered"));
                }
                let text = String::from_utf8_lossy(&bytes);
                let whole = text.contains("\"hi\"") || text.contains("[DONE]");
                let failed = text.contains("\"error\"");
                if !(whole || failed && broken) {
                    self.wrong(format!("request {number} got no whole answer: {text}"));
                }
            }
            Ok((status, _, broke)) => {
                self.wrong(format!("request {number} got {status}, broken: {broke}"));
            }
            Err(CallError::Upstream(failure)) if wrong && refused => {
                if failure.failure.status != Some(400) {
                    self.wrong(format!("request {number} was refused with {failure:?}"));
                }
            }
            Err(error) => self.wrong(format!("request {number} failed: {error}")),
        }
    }
}
