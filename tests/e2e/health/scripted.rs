//! A provider whose every byte a test chooses: heads, pauses, resets and silence. It speaks HTTP/1.1 over
//! plain sockets, since an HTTP library would refuse to write most of these faults.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// The longest head and body that a provider accepts, in bytes.
const MAX_REQUEST: usize = 16 << 20;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    pub(crate) at: Instant,
    pub(crate) path: String,
    /// What follows the question mark.
    pub(crate) query: String,
    /// The names are in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The number of the connection, from 0.
    pub(crate) connection: usize,
    /// The number of the request on its connection, from 0.
    pub(crate) on_connection: usize,
}

impl ReceivedRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }

    /// Returns the body, or null if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns the key from the place where one of the APIs has it.
    pub(crate) fn key(&self) -> &str {
        let bearer = self.header("authorization");
        bearer
            .and_then(|value| value.strip_prefix("Bearer "))
            .or_else(|| self.header("x-api-key"))
            .or_else(|| self.header("x-goog-api-key"))
            .unwrap_or_default()
    }

    /// Returns whether the body contains a text.
    pub(crate) fn contains(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text)
    }

    /// Returns whether the request wants a stream.
    pub(crate) fn wants_stream(&self) -> bool {
        self.path.contains("streamGenerateContent") || self.json()["stream"] == true
    }
}

/// What the provider does after the last byte of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyEnd {
    /// Waits for the next request on the connection.
    KeepAlive,
    /// Closes the connection.
    Close,
    /// Resets the connection: `SO_LINGER` 0.
    Reset,
    /// Sends nothing more, and keeps the connection open.
    Silence,
}

/// How the length of a body is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// `content-length`, the length of the body plus this excess.
    Length(usize),
    Chunked,
}

#[derive(Debug, Clone)]
enum BodyPart {
    Data(Vec<u8>),
    Pause(Duration),
}

/// A reply to one request.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    delay: Duration,
    /// Without a status no head is sent.
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Vec<BodyPart>,
    framing: Framing,
    end: ReplyEnd,
}

impl Reply {
    /// A whole body of JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, "application/json", body.to_string().into_bytes())
    }

    /// The page of a proxy in front of the provider: it does not say who is at fault.
    pub(crate) fn html(status: u16) -> Self {
        let page = format!("<html><body><h1>{status}</h1></body></html>");
        Self::bytes(status, "text/html", page.into_bytes())
    }

    /// A whole body. An empty content type sends none.
    pub(crate) fn bytes(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let mut headers = Vec::new();
        if !content_type.is_empty() {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        Self {
            delay: Duration::ZERO,
            status: Some(status),
            headers,
            body: vec![BodyPart::Data(body)],
            framing: Framing::Length(0),
            end: ReplyEnd::KeepAlive,
        }
    }

    /// A stream with status 200, in chunks.
    pub(crate) fn stream(content_type: &str, events: &[String]) -> Self {
        Self {
            body: Vec::new(),
            framing: Framing::Chunked,
            ..Self::bytes(200, content_type, Vec::new())
        }
        .then(events)
    }

    /// No byte at all, then this end.
    pub(crate) fn nothing(end: ReplyEnd) -> Self {
        Self {
            status: None,
            body: Vec::new(),
            ..Self::bytes(200, "", Vec::new())
        }
        .ending(end)
    }

    pub(crate) fn with_header(mut self, name: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Pauses before the head.
    pub(crate) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Pauses at this point of the body.
    pub(crate) fn pause(mut self, pause: Duration) -> Self {
        self.body.push(BodyPart::Pause(pause));
        self
    }

    /// Adds events, each in a chunk of its own.
    pub(crate) fn then(mut self, events: &[String]) -> Self {
        let data = |event: &String| BodyPart::Data(event.clone().into_bytes());
        self.body.extend(events.iter().map(data));
        self
    }

    /// Announces more bytes than the body has.
    pub(crate) fn announcing_more(self) -> Self {
        Self {
            framing: Framing::Length(100),
            ..self
        }
    }

    /// Ends so, in the middle of a chunked body.
    pub(crate) fn ending(self, end: ReplyEnd) -> Self {
        Self { end, ..self }
    }

    fn head(&self, status: u16) -> String {
        let mut head = format!("HTTP/1.1 {status} Status\r\n");
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.framing {
            Framing::Chunked => head.push_str("transfer-encoding: chunked\r\n\r\n"),
            Framing::Length(more) => {
                let length = |part: &BodyPart| match part {
                    BodyPart::Data(data) => data.len(),
                    BodyPart::Pause(_) => 0,
                };
                let total = self.body.iter().map(length).sum::<usize>() + more;
                head.push_str(&format!("content-length: {total}\r\n\r\n"));
            }
        }
        head
    }

    async fn write(&self, socket: &mut TcpStream) -> std::io::Result<()> {
        sleep(self.delay).await;
        let Some(status) = self.status else {
            return Ok(());
        };
        socket.write_all(self.head(status).as_bytes()).await?;
        for part in &self.body {
            match part {
                BodyPart::Pause(pause) => sleep(*pause).await,
                BodyPart::Data(data) if data.is_empty() => {}
                BodyPart::Data(data) if self.framing == Framing::Chunked => {
                    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
                    chunk.extend_from_slice(data);
                    chunk.extend_from_slice(b"\r\n");
                    socket.write_all(&chunk).await?;
                }
                BodyPart::Data(data) => socket.write_all(data).await?,
            }
        }
        if self.framing == Framing::Chunked && self.end == ReplyEnd::KeepAlive {
            socket.write_all(b"0\r\n\r\n").await?;
        }
        Ok(())
    }
}

type Script = Arc<dyn Fn(&ReceivedRequest) -> Reply + Send + Sync>;

/// A running provider on a loopback port of its own.
pub(crate) struct ScriptedProvider {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    _server: JoinSet<()>,
}

impl ScriptedProvider {
    /// Starts a provider whose replies the script returns.
    pub(crate) async fn start(
        script: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::serve(TcpListener::bind(address).await.unwrap(), script)
    }

    fn serve(
        listener: TcpListener,
        script: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<ReceivedRequest>>> = Arc::default();
        let script: Script = Arc::new(script);
        let connections = AtomicUsize::new(0);
        let mut server = JoinSet::new();
        let log = Arc::clone(&requests);
        server.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::Relaxed);
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                open.spawn(async move {
                    // The other side may close the connection at any time.
                    serve(socket, number, &script, &log)
                        .await
                        .unwrap_or_default();
                });
                while open.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            requests,
            _server: server,
        }
    }

    /// Returns the base URL for `path`, such as `/v1`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns all requests so far, oldest first.
    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests.lock().clone()
    }

    /// Returns the number of requests so far.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().len()
    }

    /// Returns the number of requests with this key.
    pub(crate) fn count_of(&self, key: &str) -> usize {
        let requests = self.requests.lock();
        requests.iter().filter(|seen| seen.key() == key).count()
    }
}

async fn serve(
    socket: TcpStream,
    connection: usize,
    script: &Script,
    log: &Mutex<Vec<ReceivedRequest>>,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut socket = BufReader::new(socket);
    for on_connection in 0.. {
        let Some(request) = read_request(&mut socket, connection, on_connection).await? else {
            return Ok(());
        };
        log.lock().push(request.clone());
        let reply = script(&request);
        reply.write(socket.get_mut()).await?;
        match reply.end {
            ReplyEnd::KeepAlive => {}
            ReplyEnd::Close => return socket.get_mut().shutdown().await,
            ReplyEnd::Reset => return socket.get_mut().set_zero_linger(),
            ReplyEnd::Silence => {
                // Until the other side closes the connection.
                while socket.read_u8().await.is_ok() {}
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads a request; `None` at the end of the connection.
async fn read_request(
    socket: &mut BufReader<TcpStream>,
    connection: usize,
    on_connection: usize,
) -> std::io::Result<Option<ReceivedRequest>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
        assert!(head.len() < MAX_REQUEST, "the head does not end");
    }
    let at = Instant::now();
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let target = lines.next().and_then(|line| line.split(' ').nth(1));
    let target = target.unwrap_or_default().to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = ReceivedRequest {
        at,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        connection,
        on_connection,
    };
    let length = request.header("content-length").map(str::parse::<usize>);
    let length = length.and_then(Result::ok).unwrap_or(0);
    assert!(length <= MAX_REQUEST, "the body is too large");
    request.body.resize(length, 0);
    socket.read_exact(&mut request.body).await?;
    Ok(Some(request))
}

/// A port that refuses connections until a provider listens on it. The socket is bound all the time, so that no
/// other test gets the port.
pub(crate) struct RefusingPort {
    pub(crate) address: SocketAddr,
    socket: TcpSocket,
}

impl RefusingPort {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        Self {
            address: socket.local_addr().unwrap(),
            socket,
        }
    }

    /// Starts a provider on the port.
    pub(crate) fn listen(
        self,
        script: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
    ) -> ScriptedProvider {
        ScriptedProvider::serve(self.socket.listen(1024).unwrap(), script)
    }
}
