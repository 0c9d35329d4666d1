//! What goes out to a provider, what comes back, and why nothing did.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use axum::http::uri::InvalidUri;
use axum::http::{Extensions, HeaderMap, Method};
use bytes::Bytes;
use hyper_util::client::legacy::Error as PoolError;
use hyper_util::client::legacy::connect::HttpInfo;
use jackfield_dispatch::error_chain;
use jackfield_dispatch::port::{ResponseHead, TransportError, UpstreamBody};
use url::Url;

/// A request to send. A clone shares its body.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The head of a response, and its body that is still to be read.
pub(super) struct Received {
    pub(super) head: ResponseHead,
    pub(super) body: UpstreamBody,
    /// Which connection served it.
    pub(super) local_address: Option<SocketAddr>,
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum SendError {
    /// The plan's URL is none for HTTP.
    Url(InvalidUri),
    /// Without a proxy.
    Direct(PoolError),
    /// Through a proxy.
    Proxied(reqwest::Error),
}

impl SendError {
    /// Whether the connection broke before a response came, so that other requests over others may succeed.
    pub(super) fn connection_died(&self) -> bool {
        self.causes().any(|cause| {
            if let Some(error) = cause.downcast_ref::<hyper::Error>() {
                return error.is_incomplete_message()
                    || error.is_canceled()
                    || error.is_closed()
                    || error.is_timeout();
            }
            let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
            matches!(
                kind,
                Some(
                    io::ErrorKind::BrokenPipe
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::NotConnected
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::UnexpectedEof
                )
            )
        })
    }

    /// The local address of the connection that it broke on.
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        let mut causes = self.causes();
        let error = causes.find_map(|cause| cause.downcast_ref::<PoolError>())?;
        let mut extensions = Extensions::new();
        error.connect_info()?.get_extras(&mut extensions);
        Some(extensions.get::<HttpInfo>()?.local_addr())
    }

    /// The messages of all causes.
    pub(super) fn chain(self) -> String {
        match self {
            Self::Url(error) => error_chain(&error),
            Self::Direct(error) => error_chain(&error),
            // The URL may hold a secret in its query.
            Self::Proxied(error) => error_chain(&error.without_url()),
        }
    }

    /// Whether a part of the request may have been sent.
    fn may_be_sent(&self) -> bool {
        match self {
            Self::Url(_) => false,
            Self::Direct(error) => !error.is_connect(),
            Self::Proxied(error) => !error.is_connect(),
        }
    }

    fn causes(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let first: &(dyn Error + 'static) = match self {
            Self::Url(error) => error,
            Self::Direct(error) => error,
            Self::Proxied(error) => error,
        };
        std::iter::successors(Some(first), |&cause| cause.source())
    }
}

impl From<SendError> for TransportError {
    fn from(error: SendError) -> Self {
        Self {
            doing: SENDING,
            sent: error.may_be_sent(),
            cause: error.chain(),
        }
    }
}

/// What names Jackfield in requests without a `user-agent` of their own.
pub(super) const PRODUCT: &str = concat!("jackfield/", env!("CARGO_PKG_VERSION"));

pub(super) const CREATING_CLIENT: &str = "creating an HTTP client";
const SENDING: &str = "sending to the provider";
pub(super) const READING: &str = "reading the provider's response";
