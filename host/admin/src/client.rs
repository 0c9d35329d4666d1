//! The admin API from the other side: what the command line asks a running server with. It knows no
//! shape of an answer.

use std::error::Error;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::limits::{ADMIN_CONNECT_TIMEOUT, ADMIN_RESPONSE_BYTES_MAX, ADMIN_RESPONSE_TIMEOUT};
use jackfield_http::install_crypto_provider;

/// Asks the admin API of a running server. `Debug` shows no token.
#[derive(Debug)]
pub struct AdminClient {
    client: Client,
    base: Url,
    token: SecretString,
}

/// Why there is no answer, in words for who asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminClientError {
    /// The address cannot be one of an admin API.
    #[error("{0} is no address of an admin API; it begins with http:// or https://")]
    Address(String),
    /// Nobody is there.
    #[error(
        "no admin API answers at {base}: {cause}; is the server running, with an `admin` section?"
    )]
    Unreachable {
        /// Where it was looked for.
        base: String,
        /// What the system said.
        cause: String,
    },
    /// The token is not the server's.
    #[error("the server at {base} refuses the admin token; take the one of its `admin.token`")]
    Token {
        /// Which server.
        base: String,
    },
    /// The server said no, and why.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's own words.
        message: String,
    },
    /// Something answered that is no admin API.
    #[error("what answers at {base} is no admin API: {what}")]
    UnexpectedResponse {
        /// Where it is.
        base: String,
        /// What gave it away.
        what: String,
    },
}

impl AdminClient {
    /// A client of the admin API at an address such as `http://127.0.0.1:8318`.
    ///
    /// # Errors
    ///
    /// [`AdminClientError::Address`] for anything else.
    pub fn new(address: &str, token: SecretString) -> Result<Self, AdminClientError> {
        let invalid_address = || AdminClientError::Address(address.to_owned());
        let base = Url::parse(address).map_err(|_| invalid_address())?;
        if !matches!(base.scheme(), "http" | "https") || !base.username().is_empty() {
            return Err(invalid_address());
        }
        install_crypto_provider();
        let client = Client::builder()
            .user_agent(concat!("jackfield/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(ADMIN_CONNECT_TIMEOUT)
            .timeout(ADMIN_RESPONSE_TIMEOUT)
            // The token goes to the server that was named, and nowhere else.
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

    /// What is at a path below `/admin/v1`.
    ///
    /// # Errors
    ///
    /// Says why there is no answer.
    pub async fn get(&self, path: &[&str]) -> Result<Value, AdminClientError> {
        self.send(self.request(Method::GET, path)?).await
    }

    /// Has something done.
    ///
    /// # Errors
    ///
    /// Says why it was not.
    pub async fn post(
        &self,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Value, AdminClientError> {
        let request = self.request(Method::POST, path)?;
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        };
        self.send(request).await
    }

    /// Has something removed.
    ///
    /// # Errors
    ///
    /// Says why it was not.
    pub async fn delete(&self, path: &[&str]) -> Result<Value, AdminClientError> {
        self.send(self.request(Method::DELETE, path)?).await
    }

    /// Each part of the path is one segment, whatever it holds.
    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, AdminClientError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().extend(["admin", "v1"]).extend(path);
            }
            Err(()) => return Err(AdminClientError::Address(self.base.to_string())),
        }
        let request = self.client.request(method, url);
        Ok(request.bearer_auth(self.token.expose_secret()))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, AdminClientError> {
        let response = request.send().await;
        let response = response.map_err(|error| unreachable(&self.base, error))?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            let base = self.base.to_string();
            return Err(AdminClientError::Token { base });
        }
        let body = self.body(response).await?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let unexpected = |what: String| AdminClientError::UnexpectedResponse {
            base: self.base.to_string(),
            what,
        };
        let value: Value = serde_json::from_slice(&body)
            .map_err(|_| unexpected(format!("it answers {status} without JSON")))?;
        if status.is_success() {
            return Ok(value);
        }
        match value.pointer("/error/message").and_then(Value::as_str) {
            Some(message) => Err(AdminClientError::Refused {
                status: status.as_u16(),
                message: message.to_owned(),
            }),
            None => Err(unexpected(format!("it answers {status} without a reason"))),
        }
    }

    async fn body(&self, response: Response) -> Result<Vec<u8>, AdminClientError> {
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk: Bytes = chunk.map_err(|error| unreachable(&self.base, error))?;
            if body.len() + chunk.len() > ADMIN_RESPONSE_BYTES_MAX {
                return Err(AdminClientError::UnexpectedResponse {
                    base: self.base.to_string(),
                    what: format!("its answer is longer than {ADMIN_RESPONSE_BYTES_MAX} bytes"),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn unreachable(base: &Url, error: reqwest::Error) -> AdminClientError {
    let error = error.without_url();
    // The innermost cause says what the system said; the outer ones only that something failed.
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    AdminClientError::Unreachable {
        base: base.to_string(),
        cause: cause.to_string(),
    }
}
