//! The providers and proxies as a network: each request is answered by what works at its arrival.

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use jackfield_dispatch::plan::UpstreamRequest;
use jackfield_dispatch::port::{BoxFuture, TransportError, Upstream, UpstreamResponse};
use serde_json::Value;

use super::timeline::Fault;
use super::world::World;
use crate::chat_fixtures::{COMPLETION, error_body, stream};
use crate::fake_upstream::{FakeUpstream, Piece, Script};

/// The world as a network.
pub(super) struct Network(pub(super) Arc<World>);

impl Upstream for Network {
    fn send(
        &self,
        request: UpstreamRequest,
    ) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let script = self.0.answer(&request);
        Box::pin(async move {
            let upstream = FakeUpstream::new(move |_, _| script.clone());
            upstream.send(request).await
        })
    }
}

impl World {
    fn answer(&self, request: &UpstreamRequest) -> Script {
        let now = self.now();
        let secret = request.headers[AUTHORIZATION].to_str().unwrap();
        let secret = secret.strip_prefix("Bearer sk-of-").unwrap();
        let (id, number) = secret.rsplit_once('-').unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let streamed = body["stream"].as_bool().unwrap();
        let account = &self.accounts[id];
        let (known, expires_at) = self.lock().tokens[id];
        let token_ended = expires_at <= now || number.parse() != Ok(known);
        let way = account
            .proxy
            .map_or(Fault::None, |proxy| self.proxies[proxy].at(now));
        let provider = self.providers[account.provider].at(now);
        let fault = match [way, provider, account.timeline.at(now)] {
            [Fault::None, Fault::None, _] if token_ended => Fault::Status(401),
            [Fault::None, Fault::None, of_account] => of_account,
            [Fault::None, of_provider, _] => of_provider,
            [of_way, ..] => of_way,
        };
        self.log(&format!(
            "  {} arrives with {secret}: {fault:?}",
            body["client"]
        ));
        let poison = body["poison"].as_u64().filter(|_| fault == Fault::None);
        let after = Duration::from_millis(self.random(5..400));
        let script = match poison {
            Some(poison) => {
                let poison = &self.poisons[usize::try_from(poison).unwrap()];
                respond(poison.fault, poison.words, streamed, 0)
            }
            None => {
                let left = account.timeline.ends(now).saturating_sub(now);
                respond(fault, false, streamed, left)
            }
        };
        script.after(after)
    }
}

/// Returns what a provider answers. With `words` the error says that the request is at fault.
fn respond(fault: Fault, words: bool, streamed: bool, left_ms: u64) -> Script {
    let page = "<html>an error</html>";
    let flagged = error_body("the prompt was flagged", "content_policy_violation");
    match fault {
        Fault::None if streamed => Script::events(stream()).slowly(Duration::from_millis(50)),
        Fault::None => Script::json(200, COMPLETION),
        Fault::Status(status) if words => Script::json(status, flagged),
        Fault::Status(status) => {
            Script::response(status, "text/html", vec![Piece::Chunk(page.into())])
        }
        Fault::Reset => Script::response(200, "application/json", vec![Piece::Break]),
        Fault::Empty if streamed => Script::events::<&str>([]),
        Fault::Empty => Script::json(200, ""),
        Fault::Hang if streamed => Script::hang(),
        // Keep-alive probes find out that the connection is dead.
        Fault::Hang => Script::refuse().after(Duration::from_secs(30)),
        Fault::Unreachable => Script::refuse(),
        Fault::Limited => {
            let seconds = left_ms.div_ceil(1_000).max(1).to_string();
            let body = error_body("slow down", "rate_limit_error");
            Script::json(429, body).header("retry-after", Box::leak(seconds.into_boxed_str()))
        }
    }
}
