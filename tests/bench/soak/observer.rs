//! What the server uses: memory over time, descriptors, open leases.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::configuration::ADMIN_TOKEN;
use crate::process::Server;

/// Resident memory at a time, in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) resident_kib: u64,
}

/// Takes samples of the memory into `samples`. Does not end.
pub(crate) async fn watch(
    server: &Server,
    every: Duration,
    samples: &mut Vec<Sample>,
) -> Result<()> {
    let began = Instant::now();
    loop {
        samples.push(Sample {
            at: began.elapsed(),
            resident_kib: server.memory()?.resident_kib,
        });
        sleep(every).await;
    }
}

/// Returns the open descriptors of the server.
pub(crate) fn descriptors(server: &Server) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{}/fd", server.id()?))?.count())
}

/// Returns the open leases, from the admin API.
pub(crate) async fn open_leases(admin: SocketAddr) -> Result<u64> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!(
        "GET /admin/v1/credentials HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ADMIN_TOKEN}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    let body = memmem::find(&response, b"\r\n\r\n").ok_or("no response of the admin API")?;
    let shown: serde_json::Value = serde_json::from_slice(&response[body + 4..])?;
    let open = shown["leases"]["open"].as_u64();
    Ok(open.ok_or("the admin API shows no leases")?)
}
