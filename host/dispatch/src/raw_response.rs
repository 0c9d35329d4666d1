//! The complete response to a raw request, without the credential's secrets.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};
use jackfield_auth::Access;
use jackfield_credential::CredentialId;
use memchr::memmem;
use secrecy::ExposeSecret;

use crate::call::ResponseBody;
use crate::classify;
use crate::dispatcher::Dispatcher;
use crate::error::{CallError, UpstreamFailure};
use crate::limits::RAW_RESPONSE_BYTES_MAX;
use crate::raw_request::RawRequest;
use crate::scrub::remove_headers_with;

/// A complete response of a provider.
#[derive(Debug, Clone)]
pub struct RawResponse {
    /// The status, whatever it is.
    pub status: StatusCode,
    /// The headers, without those of the connection.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Dispatcher {
    /// Sends a raw request as [`Dispatcher::http_request`] does, and reads the whole response. Secrets of
    /// the credential in it are replaced: some providers repeat the key that they reject.
    ///
    /// # Errors
    /// As [`Dispatcher::http_request`], or if the response is interrupted or larger than
    /// [`RAW_RESPONSE_BYTES_MAX`].
    pub async fn whole_http_request(
        &self,
        id: &CredentialId,
        raw: RawRequest,
    ) -> Result<RawResponse, CallError> {
        let deadline = self.deadline();
        // The request may cause a refresh: the old tokens and the new ones are secrets.
        let before = self.auth().access(id);
        let built = self.build_http_request(id, raw).await?;
        let after = self.auth().access(id);
        let response = self.send_http_request(built.request, deadline).await?;
        let mut body = whole_body(response.body).await?;
        let mut headers = response.headers;
        let own = before.iter().chain(&after).flat_map(secrets);
        let derived = built.derived.iter();
        let derived = derived.map(|secret| secret.expose_secret().as_bytes());
        for secret in own.chain(derived) {
            body = without(&body, secret);
            remove_headers_with(&mut headers, secret);
        }
        Ok(RawResponse {
            status: response.status,
            headers,
            body,
        })
    }
}

/// Reads a body to its end.
pub(crate) async fn whole_body(body: ResponseBody) -> Result<Bytes, CallError> {
    let mut chunks = match body {
        ResponseBody::Whole(body) => return Ok(body),
        ResponseBody::Stream(chunks) => chunks,
    };
    let mut whole = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| transport_error(error.to_string()))?;
        if whole.len() + chunk.len() > RAW_RESPONSE_BYTES_MAX {
            let message = format!("the response is larger than {RAW_RESPONSE_BYTES_MAX} bytes");
            return Err(transport_error(message));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

fn transport_error(message: String) -> CallError {
    let failure = UpstreamFailure::new(classify::transport(message));
    CallError::Upstream(Box::new(failure))
}

fn secrets(access: &Access) -> impl Iterator<Item = &[u8]> {
    let fields = access.credential().secret_fields.iter();
    let secrets = fields.filter_map(|field| access.secret(field));
    let bytes = secrets.map(|secret| secret.expose_secret().as_bytes());
    bytes.filter(|secret| !secret.is_empty())
}

/// Replaces a secret in a body.
fn without(body: &Bytes, secret: &[u8]) -> Bytes {
    let mut found = memmem::find_iter(body, secret).peekable();
    if found.peek().is_none() {
        return body.clone();
    }
    let (mut replaced, mut end) = (BytesMut::new(), 0);
    for at in found {
        replaced.extend_from_slice(&body[end..at]);
        replaced.extend_from_slice(b"[secret]");
        end = at + secret.len();
    }
    replaced.extend_from_slice(&body[end..]);
    replaced.freeze()
}
