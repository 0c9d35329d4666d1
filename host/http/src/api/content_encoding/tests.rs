//! Encoders of other crates write, the decoder reads.

use std::io::Write;
use std::sync::Arc;

use axum::http::HeaderValue;
use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use jackfield_dispatch::MemoryBudget;
use proptest::prelude::*;

use super::*;

const ALL: [ContentCoding; 4] = [
    ContentCoding::Brotli,
    ContentCoding::Deflate,
    ContentCoding::Gzip,
    ContentCoding::Zstd,
];

fn encoded(coding: ContentCoding, body: &[u8]) -> Vec<u8> {
    match coding {
        ContentCoding::Brotli => {
            let mut writer = CompressorWriter::new(Vec::new(), 4096, 5, 22);
            writer.write_all(body).unwrap();
            writer.into_inner()
        }
        ContentCoding::Deflate => {
            let mut writer = ZlibEncoder::new(Vec::new(), Compression::fast());
            writer.write_all(body).unwrap();
            writer.finish().unwrap()
        }
        ContentCoding::Gzip => {
            let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
            writer.write_all(body).unwrap();
            writer.finish().unwrap()
        }
        ContentCoding::Zstd => zstd::encode_all(body, 3).unwrap(),
    }
}

fn stacked(codings: &[ContentCoding], body: &[u8]) -> Vec<u8> {
    codings
        .iter()
        .fold(body.to_vec(), |body, coding| encoded(*coding, &body))
}

fn codings_of(values: &[&'static str]) -> Result<Vec<ContentCoding>, String> {
    let header = |value| (CONTENT_ENCODING, HeaderValue::from_static(value));
    codings(&values.iter().copied().map(header).collect())
}

fn decode(
    encoded: &[u8],
    codings: &[ContentCoding],
    bytes_max: usize,
) -> Result<Bytes, DecodeError> {
    let mut held = HeldMemory::none(&Arc::new(MemoryBudget::new(usize::MAX)), "a");
    let decoded = super::decode(encoded, codings, bytes_max, &mut held)?;
    assert_eq!(held.bytes(), decoded.len());
    Ok(decoded)
}

#[test]
fn reads_encodings_of_all_headers_in_order() {
    use ContentCoding::{Brotli, Gzip, Zstd};
    for (values, expected) in [
        (&[][..], vec![]),
        (&["identity"], vec![]),
        (&["GZip"], vec![Gzip]),
        (&["x-gzip, identity , ,br"], vec![Gzip, Brotli]),
        (&["gzip", "zstd"], vec![Gzip, Zstd]),
    ] {
        assert_eq!(codings_of(values), Ok(expected), "{values:?}");
    }
}

#[test]
fn refuses_unknown_encodings_by_name() {
    for (value, message) in [
        ("compress", "`compress`"),
        ("gzip, aws-chunked", "`aws-chunked`"),
        ("gzip;q=1", "`gzip;q=1`"),
        ("br,br,br,br,br", "a stack of more than 4"),
    ] {
        assert_eq!(codings_of(&[value]), Err(message.to_owned()));
    }
}

#[test]
fn reads_deflate_without_zlib_header() {
    let mut writer = DeflateEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(b"{\"model\":\"m\"}").unwrap();
    let bare = writer.finish().unwrap();
    let decoded = decode(&bare, &[ContentCoding::Deflate], 100);
    assert_eq!(decoded.as_deref(), Ok(&b"{\"model\":\"m\"}"[..]));
}

#[test]
fn reads_gzip_of_several_members() {
    let mut members = encoded(ContentCoding::Gzip, b"{\"model\":");
    members.extend(encoded(ContentCoding::Gzip, b"\"m\"}"));
    let decoded = decode(&members, &[ContentCoding::Gzip], 100);
    assert_eq!(decoded.as_deref(), Ok(&b"{\"model\":\"m\"}"[..]));
}

#[test]
fn bounds_each_step_of_a_stack() {
    // 20 MB of empty members in a few KiB: each decodes to nothing.
    let members = encoded(ContentCoding::Gzip, b"").repeat(1_000_000);
    let body = encoded(ContentCoding::Zstd, &members);
    assert!(body.len() < 64 << 10, "{}", body.len());
    let decoded = decode(&body, &[ContentCoding::Gzip, ContentCoding::Zstd], 1 << 20);
    assert_eq!(decoded, Err(DecodeError::TooLarge));
}

#[test]
fn refuses_zstd_window_beyond_8_mib() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&[7; 100]).unwrap();
    let body = encoder.finish().unwrap();
    let decoded = decode(&body, &[ContentCoding::Zstd], 1 << 20);
    assert!(
        matches!(&decoded, Err(DecodeError::Invalid(_))),
        "{decoded:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn decodes_what_was_encoded_and_never_more_than_the_limit(
        body in proptest::collection::vec(0_u8..4, 0..5_000),
        codings in proptest::collection::vec(proptest::sample::select(&ALL[..]), 1..=3),
        limit in 0_usize..10_000,
    ) {
        let encoded = stacked(&codings, &body);
        match decode(&encoded, &codings, limit) {
            Ok(decoded) => {
                prop_assert_eq!(&decoded, &body);
                prop_assert!(body.len() <= limit);
            }
            Err(DecodeError::TooLarge) => {
                let steps = (0..codings.len()).map(|count| stacked(&codings[..count], &body).len());
                prop_assert!(steps.max() > Some(limit));
            }
            Err(error) => prop_assert!(false, "{:?}", error),
        }
    }

    #[test]
    fn decodes_any_bytes_without_panic(
        body in proptest::collection::vec(any::<u8>(), 0..500),
        codings in proptest::collection::vec(proptest::sample::select(&ALL[..]), 1..=3),
        flip in any::<proptest::sample::Index>(),
        valid in any::<bool>(),
    ) {
        let mut encoded = if valid { stacked(&codings, &body) } else { body };
        if !encoded.is_empty() {
            let index = flip.index(encoded.len());
            encoded[index] ^= 0x40;
        }
        if let Ok(decoded) = decode(&encoded, &codings, 1_000) {
            prop_assert!(decoded.len() <= 1_000);
        }
    }

    #[test]
    fn truncated_bodies_are_no_success_with_more_bytes(
        body in proptest::collection::vec(any::<u8>(), 1..500),
        coding in proptest::sample::select(&ALL[..]),
        length in any::<proptest::sample::Index>(),
    ) {
        let encoded = encoded(coding, &body);
        let start = &encoded[..length.index(encoded.len())];
        if let Ok(decoded) = decode(start, &[coding], 1_000) {
            prop_assert!(body.starts_with(&decoded));
        }
    }
}
