//! Hostile clients: each attack is repeated until the end, by as many tasks as the table says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::chat::{self, ALIAS, ResponseKind};
use crate::configuration::HOSTILE_KEY;

/// How long one attack lasts at most: longer than a server lets a connection be unused.
const ATTACK_MAX: Duration = Duration::from_secs(30);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0deadbeef";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// What a hostile client does.
#[derive(Debug, Clone, Copy)]
enum Attack {
    /// Sends these bytes, and reads until the server closes the connection.
    Send(&'static [u8]),
    /// Sends the begin of a connection of HTTP/2, and then a frame again and again.
    Flood(&'static [u8]),
    /// Calls this model, and reads to the end.
    Call(&'static str),
    /// Calls this model for a stream, and reads none of it.
    SlowReader(&'static str),
    /// Calls the good provider for a stream, and leaves after the first bytes.
    Abort,
    /// Declares a body of 100 MiB.
    LargeBody,
    /// Sends a body without end in chunks.
    EndlessBody,
    /// Leaves the last byte of a body out.
    UnfinishedBody,
    /// Calls with a wrong key.
    WrongKey,
    /// Calls from a web page that has a key.
    Browser,
}

/// The attacks: how many clients make each at a time, and the pause of a client after it, in milliseconds.
const ATTACKS: [(&str, Attack, usize, u64); 23] = [
    ("connection without a request", Attack::Send(b""), 20, 100),
    (
        "half a head",
        Attack::Send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"),
        20,
        100,
    ),
    (
        "half a preface",
        Attack::Send(b"PRI * HTTP/2.0\r\n\r\n"),
        10,
        100,
    ),
    ("idle HTTP/2", Attack::Send(PREFACE), 10, 100),
    (
        "garbage",
        Attack::Send(b"\x16\x03\x01\0\xa5\x01\0\0\xff\r\n\r\n"),
        2,
        50,
    ),
    ("pings", Attack::Flood(PING), 2, 100),
    ("settings", Attack::Flood(SETTINGS), 2, 100),
    (
        "slow reader",
        Attack::SlowReader("hostile-endless"),
        20,
        100,
    ),
    ("abort", Attack::Abort, 8, 5),
    ("large body", Attack::LargeBody, 2, 100),
    ("body without end", Attack::EndlessBody, 2, 200),
    (
        "body without its last byte",
        Attack::UnfinishedBody,
        10,
        100,
    ),
    ("wrong key", Attack::WrongKey, 8, 10),
    ("web page", Attack::Browser, 2, 50),
    (
        "provider: line without end",
        Attack::Call("hostile-endless-line"),
        2,
        500,
    ),
    (
        "provider: response cut off",
        Attack::Call("hostile-cut"),
        2,
        20,
    ),
    ("provider: garbage", Attack::Call("hostile-garbage"), 2, 20),
    ("provider: silence", Attack::Call("hostile-silent"), 4, 20),
    ("plugin that loops", Attack::Call("spins-always"), 1, 300),
    (
        "plugin that loops in one of 20 calls",
        Attack::Call("spins-one-of-20"),
        1,
        50,
    ),
    ("plugin that panics", Attack::Call("traps-always"), 2, 20),
    (
        "plugin that takes memory",
        Attack::Call("hoards-always"),
        1,
        500,
    ),
    (
        "plugin that returns too much",
        Attack::Call("floods-always"),
        1,
        500,
    ),
];

/// The hostile clients.
pub(crate) struct Attackers {
    tasks: JoinSet<()>,
    counts: Vec<(&'static str, Arc<AtomicU64>)>,
}

impl Attackers {
    /// Starts all attacks on a server.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let mut attackers = Self {
            tasks: JoinSet::new(),
            counts: Vec::new(),
        };
        for (name, attack, clients, pause) in ATTACKS {
            let count = Arc::new(AtomicU64::new(0));
            for _ in 0..clients {
                let count = Arc::clone(&count);
                attackers.tasks.spawn(async move {
                    loop {
                        // The server may refuse the attack in any way.
                        let _ = timeout(ATTACK_MAX, attack.make(address)).await;
                        count.fetch_add(1, Ordering::Relaxed);
                        sleep(Duration::from_millis(pause)).await;
                    }
                });
            }
            attackers.counts.push((name, count));
        }
        attackers
    }

    /// Ends all attacks; returns how many there were.
    pub(crate) async fn end(mut self) -> Vec<(&'static str, u64)> {
        self.tasks.shutdown().await;
        let counts = self.counts.iter();
        counts
            .map(|(name, count)| (*name, count.load(Ordering::Relaxed)))
            .collect()
    }
}

impl Attack {
    async fn make(self, address: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        match self {
            Self::Send(bytes) => stream.write_all(bytes).await?,
            Self::Flood(frame) => return flood(stream, frame).await,
            Self::Call(model) => stream.write_all(&hostile_request(model)).await?,
            Self::SlowReader(model) => {
                stream.write_all(&hostile_request(model)).await?;
                sleep(ATTACK_MAX).await;
                return Ok(());
            }
            Self::Abort => {
                stream
                    .write_all(&chat::request(ALIAS, ResponseKind::Paced))
                    .await?;
                stream.read_buf(&mut Vec::new()).await?;
                return Ok(());
            }
            Self::LargeBody => {
                stream
                    .write_all(&head("content-length: 104857600\r\n"))
                    .await?
            }
            Self::EndlessBody => {
                stream
                    .write_all(&head("transfer-encoding: chunked\r\n"))
                    .await?;
                let chunk = [b"10000\r\n", &[b'a'; 1 << 16][..], b"\r\n"].concat();
                for _ in 0..1_000 {
                    stream.write_all(&chunk).await?;
                    // The whole machine has two cores.
                    sleep(Duration::from_millis(2)).await;
                }
            }
            Self::UnfinishedBody => {
                stream
                    .write_all(&head("content-length: 1048576\r\n"))
                    .await?;
                stream.write_all(&vec![b' '; (1 << 20) - 1]).await?;
                sleep(Duration::from_secs(2)).await;
                return Ok(());
            }
            Self::WrongKey => stream.write_all(&request(ALIAS, "a-wrong-key", "")).await?,
            Self::Browser => {
                let page = "origin: https://evil.example\r\nsec-fetch-site: cross-site\r\n";
                stream
                    .write_all(&request(ALIAS, "a-wrong-key", page))
                    .await?;
            }
        }
        read_to_end(&mut stream).await
    }
}

async fn flood(mut stream: TcpStream, frame: &[u8]) -> io::Result<()> {
    stream.write_all(PREFACE).await?;
    let (mut reader, mut writer) = stream.split();
    let frames = frame.repeat(50);
    let write = async {
        loop {
            writer.write_all(&frames).await?;
            // 1,000 frames a second: the whole machine has two cores.
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        read = read_to_end(&mut reader) => read,
        written = write => written,
    }
}

async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

fn head(more: &str) -> Vec<u8> {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {HOSTILE_KEY}\r\n\
         content-type: application/json\r\nconnection: close\r\n{more}\r\n"
    )
    .into_bytes()
}

/// Returns a request of an attacker for a stream of a model.
pub(crate) fn hostile_request(model: &str) -> Vec<u8> {
    request(model, HOSTILE_KEY, "")
}

/// Returns a request for a stream of a model.
fn request(model: &str, key: &str, more: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"hello"}}]}}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
