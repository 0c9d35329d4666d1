//! Tests of decoded bodies.

use std::io::Write;

use axum::http::HeaderValue;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use futures_util::{StreamExt, stream};

use super::*;

const TEXT: &str = "data: {\"choices\":[]}\n\ndata: [DONE]\n\n";

fn encoded(coding: &str, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "br" => {
            let mut writer = brotli::CompressorWriter::new(&mut out, 4096, 5, 20);
            writer.write_all(text).unwrap();
        }
        "gzip" | "X-GZIP" => {
            let mut writer = GzEncoder::new(&mut out, Compression::default());
            writer.write_all(text).unwrap();
            writer.finish().unwrap();
        }
        "zlib" => {
            let mut writer = ZlibEncoder::new(&mut out, Compression::default());
            writer.write_all(text).unwrap();
            writer.finish().unwrap();
        }
        "deflate" => {
            let mut writer = DeflateEncoder::new(&mut out, Compression::default());
            writer.write_all(text).unwrap();
            writer.finish().unwrap();
        }
        "zstd" => out = zstd::encode_all(text, 3).unwrap(),
        other => panic!("no encoder for {other}"),
    }
    out
}

fn chunks(bytes: &[u8], size: usize) -> UpstreamBody {
    let chunks: Vec<_> = bytes
        .chunks(size)
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    Box::pin(stream::iter(chunks))
}

fn headers(coding: &str) -> HeaderMap {
    let coding = HeaderValue::from_str(coding).unwrap();
    let length = HeaderValue::from_static("1");
    HeaderMap::from_iter([(CONTENT_ENCODING, coding), (CONTENT_LENGTH, length)])
}

async fn decoded(coding: &str, body: UpstreamBody) -> Result<Vec<u8>, TransportError> {
    let mut headers = headers(coding);
    let mut body = decode(&mut headers, body);
    assert!(headers.is_empty(), "{coding}: {headers:?}");
    let mut whole = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        assert!(chunk.len() <= DECODED_CHUNK_BYTES);
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

#[tokio::test]
async fn decodes_every_coding_however_it_is_split() {
    let large = TEXT.repeat(10_000);
    for (name, coding) in [
        ("br", "br"),
        ("gzip", "gzip"),
        ("x-gzip", "X-GZIP"),
        ("deflate", "deflate"),
        ("deflate", "zlib"),
        ("zstd", "zstd"),
    ] {
        for text in [TEXT, &large, ""] {
            for size in [1, 7, 100_000] {
                let body = chunks(&encoded(coding, text.as_bytes()), size);
                let whole = decoded(name, body).await.unwrap();
                assert!(whole == text.as_bytes(), "{coding} in chunks of {size}");
            }
        }
    }
}

#[tokio::test]
async fn passes_flushed_events_on_before_the_end() {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(TEXT.as_bytes()).unwrap();
    writer.flush().unwrap();
    let flushed = Bytes::from(writer.get_ref().clone());
    let hanging = stream::iter([Ok(flushed)]).chain(stream::pending());
    let mut body = decode(&mut headers("gzip"), Box::pin(hanging));
    assert_eq!(body.next().await.unwrap().unwrap(), TEXT);
}

#[tokio::test]
async fn rejects_invalid_and_truncated_bodies() {
    for coding in ["br", "gzip", "zstd"] {
        let invalid = decoded(coding, chunks(b"{\"not\": \"encoded\"}", 5)).await;
        assert_eq!(
            invalid.unwrap_err().doing,
            "decoding the provider's response"
        );
        let whole = encoded(coding, TEXT.repeat(100).as_bytes());
        let cut = chunks(&whole[..whole.len() / 2], 5);
        assert!(decoded(coding, cut).await.is_err(), "{coding}");
    }
}

#[tokio::test]
async fn leaves_unknown_codings_to_the_dispatcher() {
    for coding in ["compress", "gzip, br"] {
        let mut headers = headers(coding);
        let mut body = decode(&mut headers, chunks(b"x", 1));
        assert_eq!(headers[CONTENT_ENCODING], coding);
        assert_eq!(body.next().await.unwrap().unwrap(), "x");
    }
}

#[tokio::test]
async fn a_bomb_is_read_chunk_by_chunk() {
    let zeros = vec![0; 64 << 20];
    let bomb = encoded("gzip", &zeros);
    let mut body = decode(&mut headers("gzip"), chunks(&bomb, 1 << 20));
    let first = body.next().await.unwrap().unwrap();
    assert!(first.len() <= DECODED_CHUNK_BYTES, "{}", first.len());
}
