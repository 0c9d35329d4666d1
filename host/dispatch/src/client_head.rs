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
use jackfield_dialect::Dialect;
use tokio::time::{Instant, timeout, timeout_at};

use crate::call::{
    BodyError, Call, ClientResponse, FailedStream, Operation, ResponseBody, ResponseStream,
    StreamFraming,
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
        let framing = call
            .stream
            .filter(|_| call.operation == Operation::Generate);
        let Some(framing) = framing else {
            return self.call_to_commit(call).await;
        };
        let format = StreamFormat {
            dialect: call.dialect,
            framing,
        };
        let client_head = self.snapshot().timeouts.client_head;
        let dispatcher = Arc::clone(self);
        let mut running: RunningCall =
            Box::pin(async move { dispatcher.call_to_commit(call).await });
        match timeout(client_head, &mut running).await {
            Ok(finished) => finished,
            Err(_) => Ok(early_response(running, format)),
        }
    }
}

/// The format of a client's stream.
#[derive(Clone, Copy)]
struct StreamFormat {
    dialect: Dialect,
    framing: StreamFraming,
}

fn early_response(running: RunningCall, format: StreamFormat) -> ClientResponse {
    let content_type = HeaderValue::from_static(stream_content_type(format.framing));
    ClientResponse {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
        body: ResponseBody::Stream(early_body(running, format)),
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

fn early_body(call: RunningCall, format: StreamFormat) -> ResponseStream {
    let running = EarlyBody::Running {
        call,
        // At once: some proxies hold a head back until there are bytes of the body.
        next_keep_alive: Instant::now(),
    };
    Box::pin(unfold(running, move |body| body.next(format)))
}

impl EarlyBody {
    async fn next(self, format: StreamFormat) -> Option<(Result<Bytes, BodyError>, Self)> {
        let (mut call, next_keep_alive) = match self {
            Self::Running {
                call,
                next_keep_alive,
            } => (call, next_keep_alive),
            Self::Committed(stream) => return next_of(stream).await,
            Self::Ended => return None,
        };
        match timeout_at(next_keep_alive, &mut call).await {
            Ok(Ok(response)) => match response.body {
                ResponseBody::Whole(bytes) => Some((Ok(bytes), Self::Ended)),
                ResponseBody::Stream(stream) => next_of(stream).await,
            },
            Ok(Err(error)) => {
                let failed = FailedStream {
                    error,
                    dialect: format.dialect,
                    framing: format.framing,
                };
                Some((Err(BodyError::Failed(Box::new(failed))), Self::Ended))
            }
            Err(_) => {
                let running = Self::Running {
                    call,
                    next_keep_alive: Instant::now() + KEEP_ALIVE_INTERVAL,
                };
                let keep_alive = keep_alive(format.dialect, format.framing);
                Some((Ok(Bytes::from_static(keep_alive)), running))
            }
        }
    }
}

async fn next_of(mut stream: ResponseStream) -> Option<(Result<Bytes, BodyError>, EarlyBody)> {
    let chunk = stream.next().await?;
    Some((chunk, EarlyBody::Committed(stream)))
}
