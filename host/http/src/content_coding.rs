//! The content encodings that are decoded, of requests and of responses (RFC 9110, section 8.4.1). It
//! bounds nothing but memory of the decoders: callers bound what a body expands to.

use std::io::{self, BufRead, BufReader, Read};

use brotli::Decompressor;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// One content encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentCoding {
    Brotli,
    Deflate,
    Gzip,
    Zstd,
}

impl ContentCoding {
    /// Returns the encoding of a name. Names are case-insensitive, and `x-gzip` is `gzip` (RFC 9110, sections
    /// 8.4.1 and 8.4.1.3).
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        match name.to_ascii_lowercase().as_slice() {
            b"br" => Some(Self::Brotli),
            b"deflate" => Some(Self::Deflate),
            b"gzip" | b"x-gzip" => Some(Self::Gzip),
            b"zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Returns a reader of the decoded bytes. Its errors of the kind `WouldBlock` are those of the encoded
    /// bytes: it can be read again when there are more.
    ///
    /// # Errors
    /// When the first bytes cannot be read: of `deflate`, they show the variant.
    pub(crate) fn reader<'a>(
        self,
        encoded: impl Read + Send + 'a,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        let mut encoded = BufReader::with_capacity(READ_BYTES, encoded);
        Ok(match self {
            Self::Brotli => Box::new(Decompressor::new(encoded, READ_BYTES)),
            Self::Deflate => {
                if begins_as_zlib(encoded.fill_buf()?) {
                    Box::new(ZlibDecoder::new(encoded))
                } else {
                    Box::new(DeflateDecoder::new(encoded))
                }
            }
            Self::Gzip => Box::new(MultiGzDecoder::new(encoded)),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(encoded)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
        })
    }
}

/// True for the name of no encoding.
pub(crate) fn is_identity(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"identity")
}

/// Returns whether a `deflate` body has the header of zlib (RFC 1950, section 2.2), as RFC 9110 wants. Some
/// clients and servers send the bare data, and others read both (RFC 9110, section 8.4.1.2).
fn begins_as_zlib(start: &[u8]) -> bool {
    match start {
        [method, flags, ..] => {
            method & 0x0F == 8 && (u16::from(*method) * 256 + u16::from(*flags)).is_multiple_of(31)
        }
        _ => true,
    }
}

/// The bytes of a `deflate` body that show its variant.
pub(crate) const VARIANT_BYTES: usize = 2;

/// The largest window of a zstd frame, as a power of two: 8 MiB, which RFC 9659 sets for HTTP. A decoder
/// allocates what the frame asks for, by default up to 128 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Encoded bytes that are read at a time: enough for few calls of the decoder, and little for each body.
const READ_BYTES: usize = 16 << 10;
