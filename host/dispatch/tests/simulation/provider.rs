//! The providers: each request is checked on arrival, and gets a response by its account's phase.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http::header::AUTHORIZATION;
use jackfield_dispatch::plan::UpstreamRequest;
use jackfield_dispatch::port::{BoxFuture, TransportError, Upstream, UpstreamResponse};
use rand::RngExt;
use serde_json::Value;

use super::world::{Mode, State, World};
use crate::chat_fixtures::{COMPLETION, ROLE, content, error_body, stream};
use crate::fake_upstream::{FakeUpstream, Piece, Script};

/// The world as a network.
pub(super) struct Network(pub(super) Arc<World>);

/// A request as the provider parses it.
struct ReceivedRequest {
    id: String,
    secret: u64,
    number: u64,
    model: usize,
    stream: bool,
    invalid: bool,
}

/// A request in progress; it ends when this is dropped.
struct InFlightRequest {
    world: Arc<World>,
    id: String,
    /// The number of the account, among those with this name.
    incarnation: u64,
    model: usize,
    /// The number of the client's request.
    number: u64,
    arrived: u64,
    /// True if its failure will speak of nothing.
    unattributed: bool,
}

impl Upstream for Network {
    fn send(
        &self,
        request: UpstreamRequest,
    ) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let received = ReceivedRequest::of(&request);
        let mut under_way = self.0.receive(&received);
        let (script, unattributed) = self.0.script(&received);
        under_way.unattributed = unattributed;
        Box::pin(async move {
            let upstream = FakeUpstream::new(move |_, _| script.clone());
            let mut response = upstream.send(request).await?;
            let (world, id) = (Arc::clone(&under_way.world), under_way.id.clone());
            let (incarnation, model) = (under_way.incarnation, under_way.model);
            let arrived = under_way.arrived;
            let body = response.body.inspect(move |chunk| {
                if chunk.as_ref().is_ok_and(|chunk| has_content(chunk)) {
                    world.note_content(&id, incarnation, model);
                    world.note_site_serves(&id, model, arrived);
                }
            });
            let mut under_way = Some(under_way);
            let body = body.chain(futures_util::stream::poll_fn(move |_| {
                drop(under_way.take());
                std::task::Poll::Ready(None)
            }));
            response.body = Box::pin(body);
            Ok(response)
        })
    }
}

/// True if a piece of a response has content, so that the request is served.
fn has_content(chunk: &[u8]) -> bool {
    std::str::from_utf8(chunk).is_ok_and(|text| text.contains("\"content\""))
}

impl ReceivedRequest {
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
            invalid: body["wrong"].as_bool().unwrap(),
        }
    }
}

impl World {
    /// Checks a request on arrival, and records it as in progress.
    fn receive(self: &Arc<Self>, received: &ReceivedRequest) -> InFlightRequest {
        let now = self.now();
        let ReceivedRequest {
            id, model, number, ..
        } = received;
        self.log(&format!("request {number} arrives with {id} for {model}"));
        let problems = self.lock().problems(received, now);
        for problem in problems {
            self.report_violation(format!("request {number} with {id} for {model}: {problem}"));
        }
        let mut state = self.lock();
        state
            .requests
            .entry(*number)
            .or_default()
            .sent
            .push(id.clone());
        let mut incarnation = 0;
        if let Some(account) = state.accounts.get_mut(id) {
            incarnation = account.incarnation;
            account.in_flight += 1;
            let provider = account.provider;
            state.in_flight[provider] += 1;
        }
        InFlightRequest {
            world: Arc::clone(self),
            id: id.clone(),
            incarnation,
            model: *model,
            number: *number,
            arrived: now,
            unattributed: false,
        }
    }

    /// Returns the response, and whether it is a failure for which the provider blames nothing.
    fn script(&self, received: &ReceivedRequest) -> (Script, bool) {
        let now = self.now();
        let mut state = self.lock();
        let pause = Duration::from_millis(state.rng.random_range(0..900));
        let step = Duration::from_millis(state.rng.random_range(0..300));
        let Some(account) = state.accounts.get(&received.id) else {
            let body = error_body("no such account", "authentication_error");
            return (Script::json(401, body), false);
        };
        if account.secret != received.secret || account.expires_at <= now {
            let renewable = account.oauth;
            let request = state.requests.entry(received.number).or_default();
            request.stale += usize::from(renewable);
            let body = error_body("expired", "authentication_error");
            return (Script::json(401, body).after(pause), false);
        }
        let (mode, ends) = account.mode(received.model, now);
        if received.invalid && mode.reads_request() {
            state.requests.entry(received.number).or_default().refused = true;
            let body = error_body("messages: wrong", "invalid_request_error");
            return (Script::json(400, body).after(pause), false);
        }
        if received.stream && mode == Mode::FailsAfterContent {
            state
                .requests
                .entry(received.number)
                .or_default()
                .stream_failed = true;
        }
        let response = response(mode, received.stream, ends.saturating_sub(now), step);
        let response = response.after(match mode {
            Mode::Stalled if received.stream => Duration::from_hours(1),
            Mode::Stalled => Duration::from_secs(30),
            _ => pause,
        });
        (response, mode.fails_unattributed())
    }
}

impl State {
    /// Returns the promises that this request breaks.
    fn problems(&self, received: &ReceivedRequest, now: u64) -> Vec<String> {
        let ReceivedRequest {
            id, model, number, ..
        } = received;
        let Some(account) = self.accounts.get(id) else {
            return vec!["it was removed".to_owned()];
        };
        let mut problems = Vec::new();
        if !account.models.contains(model) {
            problems.push("it does not serve this model".to_owned());
        }
        if self
            .requests
            .get(number)
            .is_some_and(|request| request.refused)
        {
            problems.push("the request was rejected as invalid before".to_owned());
        }
        // If the operator changes something at this very moment, both the old and the new value
        // are correct.
        if account.changed_at < now {
            if !account.enabled {
                problems.push("it is disabled".to_owned());
            }
            if account
                .in_flight_max
                .is_some_and(|most| account.in_flight >= most)
            {
                problems.push(format!(
                    "it has {} requests in progress already",
                    account.in_flight
                ));
            }
        }
        if account.provider == 0 && self.in_flight[0] >= self.provider_in_flight_max {
            problems.push("its provider is at its limit".to_owned());
        }
        let trials = self.may_all_cool_or_wait(*model, now);
        problems.extend(account.window_violation(*model, now, trials));
        problems
    }
}

impl Mode {
    /// True if its failures blame nothing: neither the account nor the model nor the request, and
    /// not the way, since the request was sent.
    fn fails_unattributed(self) -> bool {
        match self {
            Self::Empty
            | Self::FailsAfterContent
            | Self::FailsBeforeContent
            | Self::ServerError
            | Self::Stalled => true,
            Self::Healthy
            | Self::ModelNotFound
            | Self::PaymentRequired
            | Self::RateLimited { .. }
            | Self::Unauthorized
            | Self::Unreachable => false,
        }
    }

    /// True if the provider reads the request at all.
    fn reads_request(self) -> bool {
        matches!(
            self,
            Self::Healthy
                | Self::Stalled
                | Self::FailsBeforeContent
                | Self::FailsAfterContent
                | Self::Empty
        )
    }
}

fn response(mode: Mode, streamed: bool, left_ms: u64, step: Duration) -> Script {
    let limited = error_body("slow down", "rate_limit_error");
    match mode {
        Mode::Healthy | Mode::Stalled if streamed => Script::events(stream()).slowly(step),
        // The upstream sees a dead connection that the client's timeouts do not.
        Mode::Stalled => Script::reset(),
        Mode::Healthy => Script::json(200, COMPLETION),
        Mode::RateLimited {
            has_retry_after: true,
        } => {
            let seconds = left_ms.div_ceil(1000).max(1).to_string();
            Script::json(429, limited).header("retry-after", Box::leak(seconds.into_boxed_str()))
        }
        Mode::RateLimited {
            has_retry_after: false,
        } => Script::json(429, limited),
        Mode::ServerError => Script::json(500, error_body("oops", "server_error")),
        Mode::Unauthorized => Script::json(401, error_body("locked", "authentication_error")),
        Mode::PaymentRequired => Script::json(402, error_body("pay", "billing_error")),
        Mode::ModelNotFound => Script::json(404, error_body("no such model", "not_found_error")),
        Mode::Unreachable => Script::refuse(),
        Mode::FailsBeforeContent if streamed => Script::events([ROLE]).then(Piece::Break),
        Mode::FailsBeforeContent => Script::response(200, "application/json", vec![Piece::Break]),
        Mode::FailsAfterContent if streamed => {
            let events = [ROLE.to_owned(), content("half")];
            Script::events(events).slowly(step).then(Piece::Break)
        }
        Mode::FailsAfterContent => Script::response(200, "application/json", vec![Piece::Break]),
        Mode::Empty if streamed => Script::events::<&str>([]),
        Mode::Empty => Script::json(200, ""),
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        if self.unattributed {
            let Self {
                number, id, model, ..
            } = self;
            self.world.note_unattributed_failure(*number, id, *model);
        }
        let mut state = self.world.lock();
        let account = state.accounts.get_mut(&self.id);
        let Some(account) = account.filter(|account| account.incarnation == self.incarnation)
        else {
            return;
        };
        account.in_flight -= 1;
        let provider = account.provider;
        state.in_flight[provider] -= 1;
    }
}
