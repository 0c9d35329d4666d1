//! The client's commit: after some time without content, the client of a stream gets the head of its
//! response and keep-alives, while the call goes on. Failover stays possible: the provider is committed by
//! its first content only.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};

use crate::call::{
    BodyError, Call, ClientResponse, Operation, ResponseBody, ResponseStream, StreamFraming,
};
use crate::dispatcher::Dispatcher;
use crate::error::CallError;
use crate::limits::KEEP_ALIVE_INTERVAL;
use crate::reply::headers::stream_content_type;
use crate::reply::keep_alive;

/// A call that runs to its commit.
type RunningCall = Pin<Box<dyn Future<Output = Result<ClientResponse, CallError>> + Send>>;

impl Dispatcher {
    /// Carries out a call up to its commit; the caller then pulls the response. Dropping the future or
    /// the response cancels the call.
    ///
    /// The client of a stream waits at most `timeouts.client-head` for the head of its response. The call
    /// goes on in the response's body then, which may end with [`BodyError::Failed`].
    ///
    /// # Errors
    /// The last error, if no attempt succeeded before the deadline.
    pub async fn call(self: &Arc<Self>, call: Call) -> Result<ClientResponse, CallError> {
        let framing = call.stream.filter(|_| call.operation == Operation::Generate);
        let Some(framing) = framing else {
            return self.call_to_commit(call).await;
        };
        let client_head = self.snapshot().timeouts.client_head;
        let dispatcher = Arc::clone(self);
        let mut running: RunningCall =
            Box::pin(async move { dispatcher.call_to_commit(call).await });
        match timeout(client_head, &mut running).await {
            Ok(finished) => finished,
            Err(_) => Ok(early_response(running, framing)),
        }
    }
}

fn early_response(running: RunningCall, framing: StreamFraming) -> ClientResponse {
    let content_type = HeaderValue::from_static(stream_content_type(framing));
    ClientResponse {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
        body: ResponseBody::Stream(early_body(running, framing)),
        warnings: Vec::new(),
        estimated: false,
    }
}

/// The body of a response whose head was sent before the call's commit.
enum EarlyBody {
    Running {
        call: RunningCall,
        next_keep_alive: Instant,
    },
    Committed(ResponseStream),
    Ended,
}

fn early_body(call: RunningCall, framing: StreamFraming) -> ResponseStream {
    let running = EarlyBody::Running {
        call,
        // At once: some proxies hold a head back until there are bytes of the body.
        next_keep_alive: Instant::now(),
    };
    Box::pin(unfold(running, move |body| body.next(framing)))
}

impl EarlyBody {
    async fn next(self, framing: StreamFraming) -> Option<(Result<Bytes, BodyError>, Self)> {
        match self {
            Self::Running {
                mut call,
                next_keep_alive,
            } => match timeout_at(next_keep_alive, &mut call).await {
                Ok(Ok(response)) => match response.body {
                    ResponseBody::Whole(bytes) => Some((Ok(bytes), Self::Ended)),
                    ResponseBody::Stream(stream) => next_of(stream).await,
                },
                Ok(Err(error)) => Some((Err(BodyError::Failed(Box::new(error))), Self::Ended)),
                Err(_) => {
                    let next_keep_alive = Instant::now() + KEEP_ALIVE_INTERVAL;
                    let running = Self::Running {
                        call,
                        next_keep_alive,
                    };
                    Some((Ok(Bytes::from_static(keep_alive(framing))), running))
                }
            },
            Self::Committed(stream) => next_of(stream).await,
            Self::Ended => None,
        }
    }
}

async fn next_of(mut stream: ResponseStream) -> Option<(Result<Bytes, BodyError>, EarlyBody)> {
    let chunk = stream.next().await?;
    Some((chunk, EarlyBody::Committed(stream)))
}
