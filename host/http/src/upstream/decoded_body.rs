//! Decodes the content encodings of providers' responses. Jackfield requests none, but some providers and
//! the proxies before them send one. Decoded bytes come in small chunks, so that a small body that expands
//! to a large one needs no memory.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use bytes::{Buf, Bytes};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures_util::Stream;
use jackfield_dispatch::port::{TransportError, UpstreamBody};
use parking_lot::Mutex;

use crate::limits::{DECODED_CHUNK_BYTES, ZSTD_WINDOW_LOG_MAX};

/// Returns the decoded body, and removes the headers that are about the encoded one. An encoding that is
/// unknown here stays as it is; the dispatcher refuses it.
pub(super) fn decode(headers: &mut HeaderMap, body: UpstreamBody) -> UpstreamBody {
    let Some(coding) = coding(headers) else {
        return body;
    };
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    let Some(coding) = coding.decoded() else {
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Brotli,
    Deflate,
    Gzip,
    Identity,
    Zstd,
}

impl Coding {
    fn decoded(self) -> Option<Self> {
        (self != Self::Identity).then_some(self)
    }
}

/// Returns the one encoding of a body that can be decoded.
fn coding(headers: &HeaderMap) -> Option<Coding> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let (value, others) = (values.next()?, values.next());
    if others.is_some() {
        return None;
    }
    // Names are case-insensitive, and `x-gzip` is `gzip` (RFC 9110, sections 8.4.1 and 8.4.1.3).
    match value
        .as_bytes()
        .trim_ascii()
        .to_ascii_lowercase()
        .as_slice()
    {
        b"br" => Some(Coding::Brotli),
        b"deflate" => Some(Coding::Deflate),
        b"gzip" | b"x-gzip" => Some(Coding::Gzip),
        b"identity" => Some(Coding::Identity),
        b"zstd" => Some(Coding::Zstd),
        _ => None,
    }
}

/// A body whose chunks are decoded as they arrive.
struct DecodedBody {
    body: UpstreamBody,
    coding: Coding,
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
                if self.input.len() < ZLIB_HEADER_BYTES && !self.input.ended() {
                    return Ok(None);
                }
                empty.insert(reader(self.coding, &self.input)?)
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

fn reader(coding: Coding, input: &Input) -> io::Result<Box<dyn Read + Send>> {
    let encoded = input.clone();
    Ok(match coding {
        Coding::Brotli => Box::new(brotli::Decompressor::new(encoded, DECODED_CHUNK_BYTES)),
        // RFC 9110 (section 8.4.1.2) wants zlib; some servers send the bare data.
        Coding::Deflate if input.begins_as_zlib() => Box::new(ZlibDecoder::new(encoded)),
        Coding::Deflate => Box::new(DeflateDecoder::new(encoded)),
        Coding::Gzip => Box::new(MultiGzDecoder::new(encoded)),
        Coding::Identity => Box::new(encoded),
        Coding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(BufReader::new(encoded))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    })
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

    /// Whether the data has the header of zlib (RFC 1950, section 2.2).
    fn begins_as_zlib(&self) -> bool {
        let input = self.0.lock();
        let mut bytes = input.chunks.iter().flatten().copied();
        let (Some(method), Some(flags)) = (bytes.next(), bytes.next()) else {
            return true;
        };
        method & 0x0F == 8 && (u16::from(method) * 256 + u16::from(flags)).is_multiple_of(31)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut input = self.0.lock();
        let Some(chunk) = input.chunks.front_mut() else {
            // Decoders keep their state over this error, and the rest of the input follows.
            return if input.ended {
                Ok(0)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
        };
        let length = chunk.len().min(buffer.len());
        chunk.copy_to_slice(&mut buffer[..length]);
        if chunk.is_empty() {
            input.chunks.pop_front();
        }
        Ok(length)
    }
}

/// The header of zlib, in bytes.
const ZLIB_HEADER_BYTES: usize = 2;

#[cfg(test)]
mod tests;
