//! A measured server in its own process. `/proc` has its memory. It ends with the benchmark, after a panic
//! too.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::Result;

/// How long a server may take until it listens. It may have to compile plugins.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The interval of the readiness checks.
const POLL: Duration = Duration::from_millis(1);

/// The thread of a server that compiles a plugin.
const COMPILE_THREAD: &str = "plugin-compile";

/// Longer than the pause between two plugins, of which each has a thread of its own.
const COMPILE_PAUSE_MAX: Duration = Duration::from_millis(500);

/// The interval of the checks for that thread.
const COMPILE_POLL: Duration = Duration::from_millis(10);

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Reads its log to the end, so that the server never blocks on a full pipe.
    _log: JoinSet<()>,
}

/// Resident memory, in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident_kib: u64,
    /// Now, without the pages of files.
    pub(crate) anonymous_kib: u64,
    /// The maximum so far.
    pub(crate) peak_kib: u64,
}

impl Server {
    /// Starts the real binary with a configuration, or another one to compare with.
    pub(crate) async fn jackfield(config: &Path) -> Result<Self> {
        let other = std::env::var_os(BINARY);
        let mut command = Command::new(other.unwrap_or(env!("CARGO_BIN_EXE_jackfield").into()));
        command.args(["serve", "--config"]).arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
        let log = child.stderr.take().ok_or("no standard error")?;
        Self::new(child, BufReader::new(log)).await
    }

    pub(crate) async fn new(
        child: Child,
        mut log: impl AsyncBufRead + Send + Unpin + 'static,
    ) -> Result<Self> {
        let address = timeout(TIMEOUT, listening(&mut log)).await??;
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            let mut rest = Vec::new();
            while log
                .read_until(b'\n', &mut rest)
                .await
                .is_ok_and(|read| read > 0)
            {
                rest.clear();
            }
        });
        Ok(Self {
            child,
            address,
            _log: reader,
        })
    }

    /// Waits until the server is ready.
    pub(crate) async fn ready(&self) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < TIMEOUT {
            let mut stream = TcpStream::connect(self.address).await?;
            let request = b"GET /readyz HTTP/1.1\r\nhost: benchmark\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await?;
            let mut response = Vec::new();
            stream.read_to_end(&mut response).await?;
            if response.starts_with(b"HTTP/1.1 200 ") {
                return Ok(());
            }
            sleep(POLL).await;
        }
        Err("the server did not become ready".into())
    }

    /// Waits until the server compiles no plugin any more: the memory and the time for it are not those of calls.
    pub(crate) async fn compiled(&self) -> Result<()> {
        let (began, mut idle_since) = (Instant::now(), Instant::now());
        while idle_since.elapsed() < COMPILE_PAUSE_MAX {
            if began.elapsed() > TIMEOUT {
                return Err("the server still compiles plugins".into());
            }
            if self.has_thread(COMPILE_THREAD)? {
                idle_since = Instant::now();
            }
            sleep(COMPILE_POLL).await;
        }
        Ok(())
    }

    fn has_thread(&self, name: &str) -> Result<bool> {
        for thread in fs::read_dir(format!("/proc/{}/task", self.id()?))? {
            // It may have ended meanwhile.
            let found = fs::read_to_string(thread?.path().join("comm"));
            if found.is_ok_and(|found| found.trim_end() == name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Stops the server, and waits for its end.
    pub(crate) async fn end(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Returns the memory of the process.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        Ok(Memory {
            resident_kib: field("VmRSS:").ok_or("no VmRSS")?,
            anonymous_kib: field("RssAnon:").ok_or("no RssAnon")?,
            peak_kib: field("VmHWM:").ok_or("no VmHWM")?,
        })
    }

    pub(crate) fn id(&self) -> Result<u32> {
        Ok(self.child.id().ok_or("the server has ended")?)
    }
}

/// The environment variable with the path of another binary.
const BINARY: &str = "JACKFIELD_BENCH_BINARY";

/// The text before the address in the log of a server.
pub(crate) const LISTENING: &str = "listening address=";

async fn listening(log: &mut (impl AsyncBufRead + Unpin)) -> Result<SocketAddr> {
    let (mut line, mut seen) = (String::new(), String::new());
    while log.read_line(&mut line).await? > 0 {
        if let Some((_, address)) = line.split_once(LISTENING) {
            return Ok(address.trim().parse()?);
        }
        seen.push_str(&line);
        line.clear();
    }
    Err(format!("the server ended before it listened:\n{seen}").into())
}
