//! Decodes the content encodings of providers' responses. Jackfield requests none, but some providers and
//! the proxies before them send one. Decoded bytes come in small chunks, so that a small body that expands
//! to a large one needs no memory.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use bytes::{Buf, Bytes};
use futures_util::Stream;
use jackfield_dispatch::port::{TransportError, UpstreamBody};
use parking_lot::Mutex;

use crate::content_coding::{ContentCoding, VARIANT_BYTES, is_identity};
use crate::limits::DECODED_CHUNK_BYTES;

/// Returns the decoded body, and removes the headers that are about the encoded one. An encoding that is
/// unknown here stays as it is; the dispatcher refuses it.
pub(super) fn decode(headers: &mut HeaderMap, body: UpstreamBody) -> UpstreamBody {
    let Some(name) = only_name(headers) else {
        return body;
    };
    let (coding, is_identity) = (ContentCoding::parse(name), is_identity(name));
    if coding.is_none() && !is_identity {
        return body;
    }
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    let Some(coding) = coding else {
        return body;
    };
    Box::pin(DecodedBody {
        body,
        coding,
        input: Input::default(),
        reader: None,
        ended: false,
    })
}

/// Returns the name of the one encoding of a body.
fn only_name(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let (value, others) = (values.next()?, values.next());
    others.is_none().then(|| value.as_bytes().trim_ascii())
}

/// A body whose chunks are decoded as they arrive.
struct DecodedBody {
    body: UpstreamBody,
    coding: ContentCoding,
    input: Input,
    /// `None` before the first chunk, which shows the variant of `deflate`.
    reader: Option<Box<dyn Read + Send>>,
    ended: bool,
}

impl DecodedBody {
    /// Decodes the next bytes. `None` if more input is needed.
    fn read(&mut self) -> io::Result<Option<Bytes>> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            empty => {
                if self.input.len() < VARIANT_BYTES && !self.input.ended() {
                    return Ok(None);
                }
                empty.insert(self.coding.reader(self.input.clone())?)
            }
        };
        let mut buffer = vec![0; DECODED_CHUNK_BYTES];
        match reader.read(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(Some(buffer.into()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Stream for DecodedBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if this.ended {
                return Poll::Ready(None);
            }
            match this.read() {
                Ok(None) => {}
                Ok(Some(bytes)) if bytes.is_empty() => {
                    this.ended = true;
                    return Poll::Ready(None);
                }
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(TransportError {
                        doing: "decoding the provider's response",
                        cause: error.to_string(),
                        sent: true,
                    })));
                }
            }
            match ready!(this.body.as_mut().poll_next(context)) {
                Some(Ok(chunk)) => this.input.push(chunk),
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => this.input.end(),
            }
        }
    }
}

/// The chunks that have arrived. A handle: the decoder reads from a clone.
#[derive(Clone, Default)]
struct Input(Arc<Mutex<Chunks>>);

#[derive(Default)]
struct Chunks {
    chunks: VecDeque<Bytes>,
    ended: bool,
}

impl Input {
    fn push(&self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.0.lock().chunks.push_back(chunk);
        }
    }

    fn end(&self) {
        self.0.lock().ended = true;
    }

    fn ended(&self) -> bool {
        self.0.lock().ended
    }

    fn len(&self) -> usize {
        self.0.lock().chunks.iter().map(Bytes::len).sum()
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut input = self.0.lock();
        if input.chunks.is_empty() && !input.ended {
            // Decoders keep their state over this error, and the rest of the input follows.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut filled = 0;
        // Over several chunks: the first bytes must be seen together.
        while let Some(chunk) = input.chunks.front_mut()
            && filled < buffer.len()
        {
            let length = chunk.len().min(buffer.len() - filled);
            chunk.copy_to_slice(&mut buffer[filled..filled + length]);
            filled += length;
            if chunk.is_empty() {
                input.chunks.pop_front();
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests;
