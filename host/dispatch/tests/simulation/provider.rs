//! The providers: each request is answered as its account's phase has it, and checked as it arrives.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http::header::AUTHORIZATION;
use jackfield_dispatch::plan::UpstreamRequest;
use jackfield_dispatch::port::{BoxFuture, TransportError, Upstream, UpstreamResponse};
use rand::RngExt;
use serde_json::Value;

use super::world::{Mode, State, World};
use crate::upstream::{FakeUpstream, Piece, Script};
use crate::wire::{COMPLETION, ROLE, content, error_body, stream};

/// The world as a network.
pub(super) struct Network(pub(super) Arc<World>);

/// A request as the provider reads it.
struct Arrival {
    id: String,
    secret: u64,
    number: u64,
    model: usize,
    stream: bool,
    wrong: bool,
}

/// A request under way: over when this is dropped.
struct UnderWay {
    world: Arc<World>,
    id: String,
    /// Which of those that had this name.
    life: u64,
    model: usize,
    began: u64,
}

impl Upstream for Network {
    fn send(
        &self,
        request: UpstreamRequest,
    ) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let arrival = Arrival::of(&request);
        let under_way = self.0.admit(&arrival);
        let script = self.0.script(&arrival);
        Box::pin(async move {
            let upstream = FakeUpstream::new(move |_, _| script.clone());
            let mut answer = upstream.send(request).await?;
            let mut under_way = Some(under_way);
            let body = answer.body.chain(futures_util::stream::poll_fn(move |_| {
                drop(under_way.take());
                std::task::Poll::Ready(None)
            }));
            answer.body = Box::pin(body);
            Ok(answer)
        })
    }
}

impl Arrival {
    fn of(request: &UpstreamRequest) -> Self {
        let secret = request
            .headers
            .get(AUTHORIZATION)
            .unwrap()
            .to_str()
            .unwrap();
        let secret = secret.strip_prefix("Bearer sk-of-").unwrap();
        let (id, number) = secret.rsplit_once('-').unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let model = body["model"].as_str().unwrap();
        Self {
            id: id.to_owned(),
            secret: number.parse().unwrap(),
            number: body["number"].as_u64().unwrap(),
            model: model.strip_prefix("up-").unwrap().parse().unwrap(),
            stream: body["stream"].as_bool().unwrap(),
            wrong: body["wrong"].as_bool().unwrap(),
        }
    }
}

impl World {
    /// Checks a request as it arrives, and has it under way.
    fn admit(self: &Arc<Self>, arrival: &Arrival) -> UnderWay {
        let now = self.now();
        let Arrival {
            id, model, number, ..
        } = arrival;
        self.tell(&format!("request {number} arrives with {id} for {model}"));
        let problems = self.lock().problems(arrival, now);
        for problem in problems {
            self.wrong(format!("request {number} with {id} for {model}: {problem}"));
        }
        let mut state = self.lock();
        state
            .requests
            .entry(*number)
            .or_default()
            .sent
            .push(id.clone());
        let mut life = 0;
        if let Some(account) = state.accounts.get_mut(id) {
            life = account.life;
            account.in_flight += 1;
            account.began.entry(*model).or_default().push(now);
            let provider = account.provider;
            state.in_flight[provider] += 1;
        }
        UnderWay {
            world: Arc::clone(self),
            id: id.clone(),
            life,
            model: *model,
            began: now,
        }
    }

    /// What is answered.
    fn script(&self, arrival: &Arrival) -> Script {
        let now = self.now();
        let mut state = self.lock();
        let pause = Duration::from_millis(state.rng.random_range(0..900));
        let step = Duration::from_millis(state.rng.random_range(0..300));
        let Some(account) = state.accounts.get(&arrival.id) else {
            return Script::json(401, error_body("no such account", "authentication_error"));
        };
        if account.secret != arrival.secret || account.ends <= now {
            let renewable = account.oauth;
            let request = state.requests.entry(arrival.number).or_default();
            request.stale += usize::from(renewable);
            return Script::json(401, error_body("expired", "authentication_error")).after(pause);
        }
        let (mode, ends) = account.mode(arrival.model, now);
        if arrival.wrong && mode.reads() {
            state.requests.entry(arrival.number).or_default().refused = true;
            let body = error_body("messages: wrong", "invalid_request_error");
            return Script::json(400, body).after(pause);
        }
        if arrival.stream && mode == Mode::Broken {
            state.requests.entry(arrival.number).or_default().broken = true;
        }
        answer(mode, arrival.stream, ends.saturating_sub(now), step).after(match mode {
            Mode::Silent => Duration::from_hours(1),
            _ => pause,
        })
    }
}

impl State {
    /// The promises that a request breaks by being here.
    fn problems(&self, arrival: &Arrival, now: u64) -> Vec<String> {
        let Arrival {
            id, model, number, ..
        } = arrival;
        let Some(account) = self.accounts.get(id) else {
            return vec!["it was removed".to_owned()];
        };
        let mut problems = Vec::new();
        if !account.models.contains(model) {
            problems.push("it does not serve that".to_owned());
        }
        if self
            .requests
            .get(number)
            .is_some_and(|request| request.refused)
        {
            problems.push("the request was refused for good".to_owned());
        }
        // Of what the operator changes at this very moment either way will do.
        if account.changed < now {
            if !account.usable {
                problems.push("it is out of use".to_owned());
            }
            if account.most.is_some_and(|most| account.in_flight >= most) {
                problems.push(format!("it has {} under way already", account.in_flight));
            }
        }
        if account.provider == 0 && self.in_flight[0] >= self.provider_most {
            problems.push("its provider is full".to_owned());
        }
        problems.extend(account.trespass(*model, now));
        problems
    }
}

impl Mode {
    /// Whether it gets as far as to read the request.
    fn reads(self) -> bool {
        matches!(
            self,
            Self::Well | Self::Silent | Self::Stillborn | Self::Broken | Self::Empty
        )
    }
}

fn answer(mode: Mode, streamed: bool, left_ms: u64, step: Duration) -> Script {
    let limited = error_body("slow down", "rate_limit_error");
    match mode {
        Mode::Well | Mode::Silent if streamed => Script::events(stream()).slowly(step),
        Mode::Well | Mode::Silent => Script::json(200, COMPLETION),
        Mode::Limited { told: true } => {
            let seconds = left_ms.div_ceil(1000).max(1).to_string();
            Script::json(429, limited).header("retry-after", Box::leak(seconds.into_boxed_str()))
        }
        Mode::Limited { told: false } => Script::json(429, limited),
        Mode::Down => Script::json(500, error_body("oops", "server_error")),
        Mode::Locked => Script::json(401, error_body("locked", "authentication_error")),
        Mode::Unpaid => Script::json(402, error_body("pay", "billing_error")),
        Mode::Unsupported => Script::json(404, error_body("no such model", "not_found_error")),
        Mode::Unreachable => Script::refuse(),
        Mode::Stillborn if streamed => Script::events([ROLE]).then(Piece::Break),
        Mode::Stillborn => Script::answer(200, "application/json", vec![Piece::Break]),
        Mode::Broken if streamed => {
            let events = [ROLE.to_owned(), content("half")];
            Script::events(events).slowly(step).then(Piece::Break)
        }
        Mode::Broken => Script::answer(200, "application/json", vec![Piece::Break]),
        Mode::Empty if streamed => Script::events::<&str>([]),
        Mode::Empty => Script::json(200, ""),
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = self.world.now();
        let mut state = self.world.lock();
        let account = state.accounts.get_mut(&self.id);
        let Some(account) = account.filter(|account| account.life == self.life) else {
            return;
        };
        account.in_flight -= 1;
        if let Some(began) = account.began.get_mut(&self.model)
            && let Some(index) = began.iter().position(|&began| began == self.began)
        {
            began.swap_remove(index);
        }
        let ended = account.ended.entry(self.model).or_default();
        ended.retain(|(ended, _)| *ended == now);
        ended.push((now, self.began));
        let provider = account.provider;
        state.in_flight[provider] -= 1;
    }
}
