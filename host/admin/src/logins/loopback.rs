//! The listener on this machine to which a browser returns (RFC 8252, section 7.3). It exists only while its login
//! waits, and serves one page.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jackfield_http::serve;
use jackfield_login::{CallbackError, Redirect, RedirectHost};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::session::Session;
use crate::limits::LOGIN_PAGE_DRAIN;

/// Binds the listeners of a redirect, and returns their port.
pub(super) async fn bind(redirect: &Redirect) -> io::Result<(Vec<TcpListener>, u16)> {
    let (v4, v6): (IpAddr, IpAddr) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let (first, second) = match redirect.host {
        RedirectHost::V4 => (v4, None),
        RedirectHost::V6 => (v6, None),
        RedirectHost::Localhost => (v4, Some(v6)),
    };
    let listener = TcpListener::bind(SocketAddr::new(first, redirect.port)).await?;
    let port = listener.local_addr()?.port();
    let mut listeners = vec![listener];
    if let Some(second) = second {
        match TcpListener::bind(SocketAddr::new(second, port)).await {
            Ok(listener) => listeners.push(listener),
            // Another process would get the callback there.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => tracing::debug!(%error, "no login listener on ::1"),
        }
    }
    Ok((listeners, port))
}

/// Serves a listener until `stop` becomes true.
pub(super) async fn listen(
    listener: TcpListener,
    session: Arc<Session>,
    mut stop: watch::Receiver<bool>,
) {
    let router = Router::new().fallback(receive).with_state(session);
    // An error means that the login has ended, too.
    let stopped = async { drop(stop.wait_for(|stop| *stop).await) };
    serve(listener, router, stopped, LOGIN_PAGE_DRAIN).await;
}

/// Reads a callback. The `state` proves that it belongs to the login, so neither the header `host` nor the origin
/// of the request matter.
async fn receive(State(session): State<Arc<Session>>, method: Method, uri: Uri) -> Response {
    if uri.path() != session.settings.redirect.path {
        return page(StatusCode::NOT_FOUND, "Nothing is here.");
    }
    // A HEAD request, such as one of a link preview, must not use up the code.
    if method != Method::GET {
        return page(StatusCode::METHOD_NOT_ALLOWED, "Nothing is here.");
    }
    let query = uri.query().unwrap_or_default();
    match session.receive(|code, settings| code.receive(settings, query)) {
        Ok(()) | Err(CallbackError::Ended(_)) => page(
            StatusCode::OK,
            "You can close this page. The program that began the login shows how it ended.",
        ),
        Err(CallbackError::Foreign(_)) => page(
            StatusCode::BAD_REQUEST,
            "This address belongs to no login that waits. Begin the login again.",
        ),
    }
}

/// A page with a fixed text: nothing of the request is on it, and it loads and sends nothing.
fn page(status: StatusCode, text: &'static str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Jackfield</title><p>{text}</p></html>\n"
    );
    (status, HEADERS, html).into_response()
}

const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    // The address of the page contains the code.
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];
