//! The provider of the benchmark: it reads a request and writes fixed bytes with minimal work, so that the
//! measured time is that of the proxies.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Result;
use crate::chat::{self, ResponseKind};

/// The pause before each event of a paced stream but the first two, within the timer's precision.
const PAUSE: Duration = Duration::from_millis(1);

/// Serves until the listener fails.
pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                // The client may close its connection in any way.
                connections.spawn(async move { connection(stream).await.is_ok() });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut stream: TcpStream) -> Result<()> {
    let responses = Responses::new();
    let mut received = BytesMut::with_capacity(4 << 10);
    loop {
        let Some(length) = request_length(&received)? else {
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let kind = requested_kind(&received[..length]);
        received.advance(length);
        match kind {
            ResponseKind::Whole => stream.write_all(&responses.whole).await?,
            ResponseKind::Burst => stream.write_all(&responses.burst).await?,
            ResponseKind::Paced => responses.pace(&mut stream).await?,
        }
    }
}

/// The bytes of the responses.
struct Responses {
    whole: Vec<u8>,
    burst: Vec<u8>,
    /// The chunks of a paced stream.
    paced: Vec<Vec<u8>>,
}

impl Responses {
    fn new() -> Self {
        let body = chat::response();
        let whole = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nx-request-id: req-1\r\n\r\n",
            body.len()
        );
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\nx-request-id: req-1\r\n\r\n";
        let chunk = |event: &String| format!("{:x}\r\n{event}\r\n", event.len()).into_bytes();
        let mut paced: Vec<Vec<u8>> = chat::events().iter().map(chunk).collect();
        let second = paced.remove(1);
        if let Some(first) = paced.first_mut() {
            *first = [head.as_bytes(), first, &second].concat();
        }
        if let Some(last) = paced.last_mut() {
            last.extend_from_slice(b"0\r\n\r\n");
        }
        Self {
            whole: [whole.as_bytes(), &body].concat(),
            burst: paced.concat(),
            paced,
        }
    }

    async fn pace(&self, stream: &mut TcpStream) -> Result<()> {
        for (index, piece) in self.paced.iter().enumerate() {
            if index > 0 {
                sleep(PAUSE).await;
            }
            stream.write_all(piece).await?;
        }
        Ok(())
    }
}

fn requested_kind(request: &[u8]) -> ResponseKind {
    let contains = |flag: &str| memmem::find(request, flag.as_bytes()).is_some();
    match (contains(chat::STREAMED), contains(chat::PACED)) {
        (true, true) => ResponseKind::Paced,
        (true, false) => ResponseKind::Burst,
        (false, _) => ResponseKind::Whole,
    }
}

/// Returns the length of the received request, head and body; `None` if it is not complete.
fn request_length(received: &[u8]) -> Result<Option<usize>> {
    let Some(head) = memmem::find(received, b"\r\n\r\n") else {
        return Ok(None);
    };
    let body = chat::content_length(&received[..head])
        .ok_or("a request without content-length; the upstream reads no chunks")?;
    let length = head + 4 + body;
    Ok((received.len() >= length).then_some(length))
}
