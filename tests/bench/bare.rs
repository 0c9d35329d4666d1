//! The baseline: a reverse proxy with axum and reqwest that only forwards. It streams bodies both ways, and
//! has the same settings of sockets and pools as Jackfield.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HOST};
use axum::http::{Response, StatusCode};
use axum::serve::ListenerExt;
use jackfield_http::limits::{UPSTREAM_IDLE_CONNECTIONS_MAX, UPSTREAM_IDLE_TIMEOUT};
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::net::TcpListener;

use crate::Result;

struct Bare {
    client: Client,
    upstream: SocketAddr,
}

/// Forwards to the upstream until the listener fails.
pub(crate) async fn serve(listener: TcpListener, upstream: SocketAddr) -> Result<()> {
    jackfield_http::install_crypto_provider();
    let client = Client::builder()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(UPSTREAM_IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(UPSTREAM_IDLE_TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .build()?;
    let router = Router::new()
        .fallback(forward)
        .with_state(Arc::new(Bare { client, upstream }));
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

async fn forward(
    State(bare): State<Arc<Bare>>,
    request: Request,
) -> std::result::Result<Response<Body>, StatusCode> {
    let (mut head, body) = request.into_parts();
    let url = format!("http://{}{}", bare.upstream, head.uri);
    head.headers.remove(HOST);
    head.headers.remove(CONNECTION);
    let response = bare
        .client
        .request(head.method, url)
        .headers(head.headers)
        .body(reqwest::Body::wrap_stream(body.into_data_stream()))
        .send()
        .await
        .map_err(|_| StatusCode::BAD_GATEWAY)?;
    let mut response = Response::from(response).map(Body::new);
    response.headers_mut().remove(CONNECTION);
    Ok(response)
}
