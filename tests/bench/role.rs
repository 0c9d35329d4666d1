//! The servers of the comparison besides the real binary, each in its own process, and the processor time
//! of a process.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::oneshot;

use crate::Result;
use crate::process::{LISTENING, Server};

/// The running time of each thread of a process, in nanoseconds.
pub(crate) struct CpuTime(HashMap<String, u64>);

impl Server {
    /// Starts this binary in another role.
    pub(crate) async fn role(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        // The server ends when its standard input is closed, however this process ends.
        command.args(arguments).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let log = child.stdout.take().ok_or("no standard output")?;
        Self::new(child, BufReader::new(log)).await
    }

    /// Returns the processor time of each thread so far.
    pub(crate) fn cpu_time(&self) -> Result<CpuTime> {
        let mut threads = HashMap::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.id()?))? {
            let task = task?;
            // The thread may have ended since it was listed.
            let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else {
                continue;
            };
            let ran = text.split_whitespace().next().unwrap_or_default();
            threads.insert(
                task.file_name().to_string_lossy().into_owned(),
                ran.parse()?,
            );
        }
        Ok(CpuTime(threads))
    }
}

impl CpuTime {
    /// Returns the processor time since `earlier`. The time of threads that ended meanwhile is missing, but
    /// only idle threads end.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let used = self.0.iter().map(|(thread, now)| {
            let before = earlier.0.get(thread).copied().unwrap_or(0);
            now.saturating_sub(before)
        });
        Duration::from_nanos(used.sum())
    }
}

/// Serves in this process until its standard input is closed. It prints its address as Jackfield does.
pub(crate) async fn serve_until_orphaned<F: Future<Output = Result<()>>>(
    serve: impl FnOnce(TcpListener) -> F,
) -> Result<()> {
    let (orphaned, end) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = orphaned.send(());
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    crate::report::print_line(&format!("{LISTENING}{}", listener.local_addr()?));
    tokio::select! {
        served = serve(listener) => served,
        _ = end => Ok(()),
    }
}
