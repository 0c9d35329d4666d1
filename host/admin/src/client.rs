//! A client of the admin API. The command line uses it to reach a running server.

mod request;

use std::error::Error;

use bytes::Bytes;
use futures_util::StreamExt;
use jackfield_http::install_crypto_provider;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::request::AdminRequest;
use crate::limits::{CONNECT_TIMEOUT, RESPONSE_BYTES_MAX, RESPONSE_TIMEOUT};
use crate::types::ErrorResponse;

/// Sends requests to the admin API of a running server. `Debug` shows no token.
#[derive(Debug)]
pub struct AdminClient {
    client: Client,
    base: Url,
    token: SecretString,
}

/// Why a request has no response. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum AdminClientError {
    /// The address is not a URL of an admin API.
    #[error(
        "invalid admin API address: {0}; it must begin with http://, https:// or unix: and contain no user name"
    )]
    Address(String),
    /// The connection failed.
    #[error(
        "the admin API at {base} is unreachable: {cause}; is the server running, with an `admin` section?"
    )]
    Unreachable {
        /// The address.
        base: String,
        /// The innermost cause.
        cause: String,
    },
    /// The server does not accept the token.
    #[error("the server at {base} refuses the admin token; use the token of its `admin.token`")]
    Token {
        /// The address.
        base: String,
    },
    /// The server answered with an error.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's code; `host/docs/errors.md` lists them.
        code: String,
        /// The server's message.
        message: String,
    },
    /// The response is not one of an admin API.
    #[error("the server at {base} has no admin API of this version: {problem}")]
    UnexpectedResponse {
        /// The address.
        base: String,
        /// What is wrong with the response.
        problem: String,
    },
}

impl AdminClient {
    /// Creates a client for the admin API at an address such as `http://127.0.0.1:8318` or
    /// `unix:/run/jackfield-admin.sock`.
    ///
    /// # Errors
    ///
    /// [`AdminClientError::Address`] if the address is neither a Unix socket nor an HTTP URL, or contains a user name.
    pub fn new(address: &str, token: SecretString) -> Result<Self, AdminClientError> {
        let invalid_address = || AdminClientError::Address(address.to_owned());
        let socket = address.strip_prefix("unix:");
        // The server accepts this name on a Unix socket, too.
        let url = socket.map_or(address, |_| "http://localhost");
        let base = Url::parse(url).map_err(|_| invalid_address())?;
        if !matches!(base.scheme(), "http" | "https") || !base.username().is_empty() {
            return Err(invalid_address());
        }
        install_crypto_provider();
        let mut builder = Client::builder();
        if let Some(path) = socket {
            builder = builder.unix_socket(path);
        }
        let client = builder
            .user_agent(concat!("jackfield/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(RESPONSE_TIMEOUT)
            // A redirect or a proxy of the environment would send the token to another server.
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unreachable(&base, error))?;
        Ok(Self {
            client,
            base,
            token,
        })
    }

    /// Sends a request and returns its response.
    ///
    /// # Errors
    ///
    /// If the connection fails, the server refuses the request, or the response cannot be read.
    pub async fn send<R: DeserializeOwned>(
        &self,
        request: &AdminRequest<R>,
    ) -> Result<R, AdminClientError> {
        let body = self.exchange(self.build(request)?).await?;
        serde_json::from_slice(&body)
            .map_err(|error| self.unexpected(format!("its response cannot be read: {error}")))
    }

    /// Sends a request and returns its response as the server wrote it, with members that this
    /// version does not know.
    ///
    /// # Errors
    ///
    /// As [`AdminClient::send`].
    pub async fn send_raw<R>(&self, request: &AdminRequest<R>) -> Result<Value, AdminClientError> {
        let body = self.exchange(self.build(request)?).await?;
        serde_json::from_slice(&body)
            .map_err(|error| self.unexpected(format!("its response is not JSON: {error}")))
    }

    fn build<R>(&self, request: &AdminRequest<R>) -> Result<RequestBuilder, AdminClientError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                // Each part becomes one segment: a slash in an id is percent-encoded.
                segments
                    .pop_if_empty()
                    .extend(["admin", "v1"])
                    .extend(&request.path);
            }
            Err(()) => return Err(AdminClientError::Address(self.base.to_string())),
        }
        let built = self
            .client
            .request(request.method.clone(), url)
            .bearer_auth(self.token.expose_secret());
        Ok(match &request.body {
            Some(body) => built
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => built,
        })
    }

    /// Returns the body of a successful response.
    async fn exchange(&self, request: RequestBuilder) -> Result<Vec<u8>, AdminClientError> {
        let response = request.send().await;
        let response = response.map_err(|error| unreachable(&self.base, error))?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            let base = self.base.to_string();
            return Err(AdminClientError::Token { base });
        }
        let body = self.read_body(response).await?;
        if status.is_success() {
            return Ok(body);
        }
        match serde_json::from_slice::<ErrorResponse>(&body) {
            Ok(ErrorResponse { error }) => Err(AdminClientError::Refused {
                status: status.as_u16(),
                code: error.code.into_owned(),
                message: error.message,
            }),
            Err(_) => Err(self.unexpected(format!(
                "it responds with {status} and no error message in JSON"
            ))),
        }
    }

    async fn read_body(&self, response: Response) -> Result<Vec<u8>, AdminClientError> {
        let mut body = Vec::new();
        // Not `Response::bytes`, which has no limit: the address may be that of any server.
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk: Bytes = chunk.map_err(|error| unreachable(&self.base, error))?;
            if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
                return Err(self.unexpected(format!(
                    "its response is longer than {RESPONSE_BYTES_MAX} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unexpected(&self, problem: String) -> AdminClientError {
        AdminClientError::UnexpectedResponse {
            base: self.base.to_string(),
            problem,
        }
    }
}

fn unreachable(base: &Url, error: reqwest::Error) -> AdminClientError {
    let error = error.without_url();
    // The innermost cause is the system's message; the outer ones only say that something failed.
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    AdminClientError::Unreachable {
        base: base.to_string(),
        cause: cause.to_string(),
    }
}
