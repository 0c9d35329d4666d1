//! A provider that does what the model in the request says: streams and lines without end, responses that are cut off,
//! garbage, silence.

use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Result;

/// How long the provider is silent.
const SILENCE: Duration = Duration::from_secs(20);

/// The longest response, in bytes.
const RESPONSE_BYTES: usize = 96 << 20;

/// The longest line, in bytes: less than the limit of an event, so that the memory of all calls decides.
const LINE_BYTES: usize = 24 << 20;

/// Serves until the listener fails.
pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                connections.spawn(async move { respond(stream).await.is_ok() });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers one request, and closes the connection.
async fn respond(mut stream: TcpStream) -> Result<()> {
    let mut request = Vec::new();
    // The attackers' requests are short, so that the model arrives with the first read that has a body.
    while memmem::find(&request, b"\r\n\r\n{").is_none() {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let is_for = |model: &str| memmem::find(&request, format!("\"{model}\"").as_bytes()).is_some();
    if is_for("silent") {
        sleep(SILENCE).await;
        return Ok(());
    }
    if is_for("garbage") {
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\0\x01\xff{{{data",
            )
            .await?;
        return Ok(());
    }
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        .await?;
    let text = "x".repeat(4 << 10);
    let event = format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":\
         [{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    );
    stream.write_all(event.as_bytes()).await?;
    if is_for("cut") {
        return Ok(());
    }
    let (piece, bytes) = if is_for("endless-line") {
        stream.write_all(b"data: ").await?;
        (text, LINE_BYTES)
    } else {
        (event, RESPONSE_BYTES)
    };
    for _ in 0..bytes / piece.len() {
        stream.write_all(piece.as_bytes()).await?;
    }
    Ok(())
}
