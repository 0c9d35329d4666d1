//! What the server listens on: an address, or a Unix socket.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use jackfield_files::{SocketError, SocketPath, SocketState};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixSocket, UnixStream};
use tokio::time::{sleep, timeout};

use crate::limits::{ACCEPT_RETRY_DELAY, LISTEN_BACKLOG, SOCKET_PROBE_TIMEOUT};
use crate::proxies::Peer;

/// A listener. Dropping it removes its Unix socket.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        path: SocketPath,
    },
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be used.
    #[error(
        "cannot listen on {address}: {error}; use another address, or stop the process that listens there"
    )]
    Address {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        error: io::Error,
    },
    /// Another process accepts connections at the path.
    #[error(
        "cannot listen on unix:{path}: another process accepts connections there; stop it, or use another path"
    )]
    Accepting {
        /// The path.
        path: String,
    },
    /// The path cannot be used.
    #[error("cannot listen on a Unix socket: {0}")]
    Socket(#[from] SocketError),
    /// The socket cannot be created.
    #[error("cannot listen on unix:{path}: {error}")]
    Unix {
        /// The path.
        path: String,
        /// The system's error.
        error: io::Error,
    },
}

impl Listener {
    /// Listens on an address.
    ///
    /// # Errors
    /// The system's.
    pub async fn tcp(address: SocketAddr) -> Result<Self, ListenError> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| ListenError::Address { address, error })?;
        Ok(listener.into())
    }

    /// Listens on a Unix socket with these permission bits. A socket of this user at which no process accepts is what an
    /// earlier process left behind; it is replaced, and nothing else is.
    ///
    /// # Errors
    /// When another process has the path, something else stands there, or the socket cannot be created.
    pub async fn unix(path: &Path, mode: u32) -> Result<Self, ListenError> {
        let failed = |error| ListenError::Unix {
            path: path.display().to_string(),
            error,
        };
        let mut taken = SocketPath::take(path)?;
        if taken.state()? == SocketState::Own && is_accepting(path).await {
            let path = path.display().to_string();
            return Err(ListenError::Accepting { path });
        }
        taken.remove_stale()?;
        let socket = UnixSocket::new_stream().map_err(failed)?;
        socket.bind(path).map_err(failed)?;
        taken.note_created()?;
        // Before it listens: until then every attempt to connect fails.
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
        let listener = socket.listen(LISTEN_BACKLOG).map_err(failed)?;
        let path = taken;
        Ok(Self(Kind::Unix { listener, path }))
    }

    /// Returns the address as the configuration writes it. The system has replaced port 0.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<String> {
        match &self.0 {
            Kind::Tcp(listener) => Ok(listener.local_addr()?.to_string()),
            Kind::Unix { path, .. } => Ok(format!("unix:{}", path.path().display())),
        }
    }

    /// Returns the next connection. An error of one connection must not stop the server.
    pub(super) async fn accept(&self) -> (ClientStream, Peer) {
        loop {
            match self.try_accept().await {
                Ok(accepted) => return accepted,
                // Only this connection failed. The next one may wait already, so there is no delay.
                Err(error) if is_connection_error(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "connections cannot be accepted");
                    sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }

    async fn try_accept(&self) -> io::Result<(ClientStream, Peer)> {
        match &self.0 {
            Kind::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Nagle's algorithm would delay a small event until the next one.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "connection without TCP_NODELAY");
                }
                let peer: IpAddr = peer.ip();
                Ok((ClientStream::Tcp(stream), Peer::Address(peer)))
            }
            Kind::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((ClientStream::Unix(stream), Peer::UnixSocket))
            }
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(Kind::Tcp(listener))
    }
}

/// Whether a process accepts connections at a path, or may do so: with a full queue the attempt waits.
async fn is_accepting(path: &Path) -> bool {
    let connected = timeout(SOCKET_PROBE_TIMEOUT, UnixStream::connect(path)).await;
    match connected {
        Ok(Err(error)) => error.kind() != io::ErrorKind::ConnectionRefused,
        Ok(Ok(_)) | Err(_) => true,
    }
}

fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// A connection of a client.
#[derive(Debug)]
pub(super) enum ClientStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn replaces_what_a_dead_process_left_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        // What a process that was killed leaves behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = Listener::unix(&path, 0o660).await.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o660);
        assert_eq!(
            listener.address().unwrap(),
            format!("unix:{}", path.display())
        );
        let refused = Listener::unix(&path, 0o660).await.unwrap_err().to_string();
        assert!(refused.contains("is in use by process"), "{refused}");
        drop(listener);
        assert!(!path.exists());
        // A process without our lock.
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let refused = Listener::unix(&path, 0o660).await.unwrap_err().to_string();
        assert!(refused.contains("accepts connections"), "{refused}");
        drop(other);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "notes").unwrap();
        let refused = Listener::unix(&path, 0o660).await.unwrap_err().to_string();
        assert!(
            refused.contains("no socket of this process's user"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
    }
}
