//! A scripted provider. It counts what is open.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use jackfield_dispatch::plan::UpstreamRequest;
use jackfield_dispatch::port::{
    BoxFuture, ResponseHead, TransportError, Upstream, UpstreamResponse,
};
use parking_lot::Mutex;
use tokio::time::{Sleep, sleep};

type ScriptFn = Box<dyn Fn(&UpstreamRequest, usize) -> Script + Send + Sync>;

/// A provider that responds to each request as its script says.
pub(crate) struct FakeUpstream {
    script: ScriptFn,
    sent: Mutex<Vec<UpstreamRequest>>,
    open: Arc<AtomicUsize>,
    pulled: Arc<AtomicUsize>,
}

impl FakeUpstream {
    /// Responds by the credential's id and the number of earlier requests.
    pub(crate) fn new(script: impl Fn(&str, usize) -> Script + Send + Sync + 'static) -> Self {
        Self::by_request(move |request, before| script(&credential(request), before))
    }

    /// Responds by the request and the number of earlier requests.
    pub(crate) fn by_request(
        script: impl Fn(&UpstreamRequest, usize) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            sent: Mutex::default(),
            open: Arc::default(),
            pulled: Arc::default(),
        }
    }

    /// Responds to the first request with the first script, and so on; there must be no more
    /// requests than scripts.
    pub(crate) fn in_order(scripts: Vec<Script>) -> Self {
        Self::new(move |_, before| {
            let most = scripts.len();
            let script = scripts.get(before).cloned();
            script.unwrap_or_else(|| panic!("more than the {most} requests that were expected"))
        })
    }

    /// Returns the number of requests.
    pub(crate) fn calls(&self) -> usize {
        self.sent.lock().len()
    }

    /// Returns the credentials of the requests, in order.
    pub(crate) fn credentials(&self) -> Vec<String> {
        self.sent.lock().iter().map(credential).collect()
    }

    /// Returns the body of a request.
    pub(crate) fn body_of(&self, request: usize) -> Bytes {
        self.sent.lock()[request].body.clone()
    }

    /// Returns the headers of a request.
    pub(crate) fn headers_of(&self, request: usize) -> HeaderMap {
        self.sent.lock()[request].headers.clone()
    }

    /// Returns the number of requests and bodies that are neither finished nor dropped.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Returns the number of body bytes that were read.
    pub(crate) fn bytes_read(&self) -> usize {
        self.pulled.load(Ordering::Relaxed)
    }
}

/// Counts as open until it is dropped.
struct OpenGuard(Arc<AtomicUsize>);

impl OpenGuard {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Upstream for FakeUpstream {
    fn send(
        &self,
        request: UpstreamRequest,
    ) -> BoxFuture<'_, Result<UpstreamResponse, TransportError>> {
        let mut sent = self.sent.lock();
        let script = (self.script)(&request, sent.len());
        sent.push(request);
        let open = OpenGuard::new(&self.open);
        Box::pin(async move {
            sleep(script.after).await;
            let (status, headers, pieces) = match script.behavior {
                Behavior::Respond(status, headers, pieces) => (status, headers, pieces),
                Behavior::Hang => std::future::pending().await,
                Behavior::Refuse => return Err(transport_error("connecting")),
                Behavior::Reset => return Err(transport_error("sending")),
            };
            let body = FakeBody {
                pieces: pieces.into(),
                timer: None,
                _open: open,
                pulled: Arc::clone(&self.pulled),
            };
            Ok(UpstreamResponse {
                head: ResponseHead { status, headers },
                body: Box::pin(body),
            })
        })
    }
}

fn credential(request: &UpstreamRequest) -> String {
    let value = request.headers.get(AUTHORIZATION);
    let value = value.and_then(|value| value.to_str().ok());
    let id = value.and_then(|value| value.strip_prefix("Bearer sk-of-"));
    id.unwrap_or_default().to_owned()
}

fn transport_error(doing: &'static str) -> TransportError {
    TransportError {
        doing,
        sent: doing != "connecting",
        cause: "as the script says".to_owned(),
    }
}

/// What the provider does with one request.
#[derive(Clone)]
pub(crate) struct Script {
    after: Duration,
    behavior: Behavior,
}

#[derive(Clone)]
enum Behavior {
    Respond(StatusCode, HeaderMap, Vec<Piece>),
    Hang,
    Refuse,
    Reset,
}

/// What a body does next. After the last piece it ends normally.
#[derive(Clone)]
pub(crate) enum Piece {
    Break,
    Chunk(Bytes),
    Hang,
    Wait(Duration),
}

impl Script {
    /// Refuses the connection.
    pub(crate) fn refuse() -> Self {
        Self {
            after: Duration::ZERO,
            behavior: Behavior::Refuse,
        }
    }

    /// Resets the connection after the request.
    pub(crate) fn reset() -> Self {
        Self {
            after: Duration::ZERO,
            behavior: Behavior::Reset,
        }
    }

    /// Never responds.
    pub(crate) fn hang() -> Self {
        Self {
            after: Duration::ZERO,
            behavior: Behavior::Hang,
        }
    }

    /// Responds with a body of this content type.
    pub(crate) fn response(status: u16, kind: &'static str, pieces: Vec<Piece>) -> Self {
        let status = StatusCode::from_u16(status).unwrap();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Self {
            after: Duration::ZERO,
            behavior: Behavior::Respond(status, headers, pieces),
        }
    }

    /// Responds with JSON in one piece.
    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::response(status, "application/json", vec![Piece::Chunk(body.into())])
    }

    /// Responds with a stream of events, each in its own piece.
    pub(crate) fn events<E: AsRef<[u8]>>(events: impl IntoIterator<Item = E>) -> Self {
        let chunk = |event: E| Piece::Chunk(Bytes::copy_from_slice(event.as_ref()));
        let pieces = events.into_iter().map(chunk).collect();
        Self::response(200, "text/event-stream; charset=utf-8", pieces)
    }

    /// Responds with the same bytes repeatedly, with a pause before each.
    pub(crate) fn dripping(
        status: u16,
        kind: &'static str,
        pause: Duration,
        bytes: impl Into<Bytes>,
        times: usize,
    ) -> Self {
        Self::response(status, kind, vec![Piece::Chunk(bytes.into()); times]).slowly(pause)
    }

    /// The same, followed by this piece.
    pub(crate) fn then(mut self, piece: Piece) -> Self {
        if let Behavior::Respond(_, _, pieces) = &mut self.behavior {
            pieces.push(piece);
        }
        self
    }

    /// The same, with a pause before each piece.
    pub(crate) fn slowly(mut self, pause: Duration) -> Self {
        if let Behavior::Respond(_, _, pieces) = &mut self.behavior {
            *pieces = std::mem::take(pieces)
                .into_iter()
                .flat_map(|piece| [Piece::Wait(pause), piece])
                .collect();
        }
        self
    }

    /// The same, with a delay before the head.
    pub(crate) fn after(mut self, time: Duration) -> Self {
        self.after = time;
        self
    }

    /// The same, with one more header.
    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        if let Behavior::Respond(_, headers, _) = &mut self.behavior {
            let name = HeaderName::from_static(name);
            headers.insert(name, HeaderValue::from_static(value));
        }
        self
    }
}

struct FakeBody {
    pieces: VecDeque<Piece>,
    timer: Option<Pin<Box<Sleep>>>,
    _open: OpenGuard,
    pulled: Arc<AtomicUsize>,
}

impl Stream for FakeBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(context));
                self.timer = None;
            }
            match self.pieces.pop_front() {
                None => return Poll::Ready(None),
                Some(Piece::Break) => return Poll::Ready(Some(Err(transport_error("reading")))),
                Some(Piece::Hang) => {
                    self.pieces.push_front(Piece::Hang);
                    return Poll::Pending;
                }
                Some(Piece::Wait(time)) => self.timer = Some(Box::pin(sleep(time))),
                Some(Piece::Chunk(chunk)) => {
                    self.pulled.fetch_add(chunk.len(), Ordering::Relaxed);
                    return Poll::Ready(Some(Ok(chunk)));
                }
            }
        }
    }
}
