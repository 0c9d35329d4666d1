//! Reads the body of a request, decoded and bounded, and discards the body of a refused one.

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use jackfield_dispatch::HeldMemory;
use tokio::time::timeout;

use super::content_encoding::{DecodeError, decode};
use crate::content_coding::ContentCoding;
use crate::errors::IngressError;
use crate::limits::{DISCARD_TIMEOUT, DISCARDED_BYTES_MAX, REQUEST_BODY_TIMEOUT};

/// Reads a body and decodes it. The limit holds for the bytes that arrive, and for the decoded ones. Both count against
/// the memory of all calls; the decoded ones until the last reference to the body is gone. While a body grows,
/// it takes up to three times its length.
///
/// # Errors
/// When the body is too large, ends early, takes too long, or cannot be decoded; and when there is no memory for it.
pub(super) async fn read(
    body: &mut Body,
    codings: Vec<ContentCoding>,
    bytes_max: usize,
    mut held: HeldMemory,
) -> Result<Bytes, IngressError> {
    let encoded = collect(body, bytes_max, &mut held).await?;
    if codings.is_empty() || encoded.is_empty() {
        return Ok(held.attach(encoded));
    }
    // On the blocking pool: a small body can expand to the limit, which takes too long for a thread that
    // serves other calls.
    let decoded = tokio::task::spawn_blocking(move || {
        let decoded = decode(&encoded, &codings, bytes_max, &mut held)?;
        Ok(held.attach(decoded))
    });
    match decoded.await {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(DecodeError::MemoryFull(full))) => Err(full.into()),
        Ok(Err(DecodeError::TooLarge)) => Err(IngressError::TooLarge(bytes_max)),
        Ok(Err(DecodeError::Invalid(cause))) => Err(IngressError::Undecodable(cause)),
        // A decoder panicked, or the runtime is shutting down.
        Err(error) => Err(IngressError::Undecodable(error.to_string())),
    }
}

async fn collect(
    body: &mut Body,
    bytes_max: usize,
    held: &mut HeldMemory,
) -> Result<Bytes, IngressError> {
    let read = async {
        // Not a list of chunks: one of a single byte would take 32 bytes of it, which the budget does not count.
        let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| IngressError::Incomplete(error.to_string()))?;
            // Trailers have no data.
            let chunk = frame.into_data().unwrap_or_default();
            let bytes = held.bytes() + chunk.len();
            if bytes > bytes_max {
                return Err(IngressError::TooLarge(bytes_max));
            }
            // What was declared and did not arrive holds nothing.
            held.resize(bytes)?;
            if first.is_empty() && whole.is_empty() {
                first = chunk;
                continue;
            }
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&chunk);
        }
        // A single chunk is not copied.
        Ok(if whole.is_empty() {
            first
        } else {
            whole.freeze()
        })
    };
    // One limit for the whole body: with a limit for each chunk, single bytes could arrive for hours.
    timeout(REQUEST_BODY_TIMEOUT, read)
        .await
        .unwrap_or(Err(IngressError::Timeout))
}

/// Returns whether a body is known to be larger than the limit before any of it has arrived.
pub(super) fn is_declared_larger(body: &Body, bytes_max: usize) -> bool {
    let declared = body.size_hint().lower();
    usize::try_from(declared).map_or(true, |declared| declared > bytes_max)
}

/// Reads a body to its end and discards it, up to a limit. Many clients, such as Python's `http.client`,
/// send the whole body before they read the response: if the connection closed under it, they would report a
/// broken pipe instead of the error.
pub(super) async fn discard(mut body: Body) {
    if is_declared_larger(&body, DISCARDED_BYTES_MAX) {
        return;
    }
    let mut left = DISCARDED_BYTES_MAX;
    let read_to_end = async {
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // After the timeout the client gets its response anyway.
    let _ = timeout(DISCARD_TIMEOUT, read_to_end).await;
}
