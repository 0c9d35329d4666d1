//! Messages, whole, in pieces and damaged.

use bytes::BufMut as _;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Writes a message with text headers.
fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.put_u8(u8::try_from(name.len()).unwrap());
        encoded.put_slice(name.as_bytes());
        encoded.put_u8(7);
        encoded.put_u16(u16::try_from(value.len()).unwrap());
        encoded.put_slice(value.as_bytes());
    }
    with_headers(&encoded, payload)
}

fn with_headers(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = FRAME_BYTES + headers.len() + payload.len();
    let mut message = Vec::new();
    message.put_u32(u32::try_from(length).unwrap());
    message.put_u32(u32::try_from(headers.len()).unwrap());
    message.put_u32(crc32fast::hash(&message));
    message.put_slice(headers);
    message.put_slice(payload);
    message.put_u32(crc32fast::hash(&message));
    message
}

fn event(name: &str, payload: &[u8]) -> Vec<u8> {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    message(&headers, payload)
}

/// The frames of a stream that arrives in these pieces, or the message of its error.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Frame>, String> {
    let (mut reader, mut frames) = (EventStreamReader::default(), Vec::new());
    let run = || {
        for piece in pieces {
            reader.push(piece, &mut frames)?;
        }
        reader.finish()
    };
    match run() {
        Ok(()) => Ok(frames),
        Err(StreamError::Upstream(failure)) => {
            assert_eq!(failure.scope, jackfield_credential::Scope::Provider);
            Err(failure.message)
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn frame_of(name: &str, data: &[u8]) -> Frame {
    Frame {
        name: name.to_owned(),
        data: Bytes::copy_from_slice(data),
    }
}

/// The messages of AWS's own test suite for this encoding (awslabs/aws-c-event-stream, `tests`; Smithy
/// specification, "Amazon Event Stream", examples): no headers and no payload, and a payload without headers.
#[test]
fn reads_the_messages_of_the_specification() {
    let empty: &[u8] = &[
        0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8,
        0xff,
    ];
    let payload: &[u8] = &[
        0x00, 0x00, 0x00, 0x1d, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x52, 0x8c, 0x5a, 0x7b, 0x27, 0x66,
        0x6f, 0x6f, 0x27, 0x3a, 0x27, 0x62, 0x61, 0x72, 0x27, 0x7d, 0xc3, 0x65, 0x39, 0x36,
    ];
    assert_eq!(read([empty]).unwrap(), [frame_of("", b"")]);
    assert_eq!(read([payload]).unwrap(), [frame_of("", b"{'foo':'bar'}")]);
}

#[test]
fn frames_are_named_by_what_they_are() {
    let exception = message(
        &[
            (":exception-type", "throttlingException"),
            (":message-type", "exception"),
        ],
        b"{\"message\":\"slow\"}",
    );
    let error = message(
        &[
            (":message-type", "error"),
            (":error-code", "InternalFailure"),
            (":error-message", "broken"),
        ],
        b"",
    );
    let stream = [event("chunk", b"{}"), exception, error].concat();
    let expected = [
        frame_of("chunk", b"{}"),
        frame_of("exception:throttlingException", b"{\"message\":\"slow\"}"),
        frame_of("error:InternalFailure", b"broken"),
    ];
    assert_eq!(read([stream.as_slice()]).unwrap(), expected);
}

#[test]
fn other_types_of_headers_are_skipped() {
    let mut headers = Vec::new();
    let values: [(u8, &[u8]); 9] = [
        (0, b""),
        (1, b""),
        (2, b"1"),
        (3, b"12"),
        (4, b"1234"),
        (5, b"12345678"),
        (6, b"\0\x03abc"),
        (8, b"12345678"),
        (9, b"1234567890123456"),
    ];
    for (kind, value) in values {
        headers.put_slice(b"\x01x");
        headers.put_u8(kind);
        headers.put_slice(value);
    }
    let stream = with_headers(&headers, b"p");
    assert_eq!(read([stream.as_slice()]).unwrap(), [frame_of("", b"p")]);
    for (headers, part) in [
        (&b"\x01x\x0a"[..], "malformed"),
        (b"\x05x", "malformed"),
        (b"\x01x\x07\0\x09abc", "malformed"),
        (b"\x0b:event-type\x00", "malformed"),
    ] {
        let error = read([with_headers(headers, b"").as_slice()]).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn lengths_have_limits() {
    for (message, headers, part) in [
        (MESSAGE_BYTES_MAX + 1, 0, "longer than"),
        (MESSAGE_BYTES_MAX, HEADERS_BYTES_MAX + 1, "longer than"),
        (FRAME_BYTES - 1, 0, "contradict"),
        (FRAME_BYTES, 1, "contradict"),
    ] {
        let mut prelude = Vec::new();
        prelude.put_u32(u32::try_from(message).unwrap());
        prelude.put_u32(headers.try_into().unwrap());
        prelude.put_u32(crc32fast::hash(&prelude));
        let error = read([prelude.as_slice()]).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let stream = event("chunk", b"{}");
    let cut = &stream[..stream.len() - 1];
    assert!(read([cut]).unwrap_err().contains("cut off"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chunks_give_the_same_frames(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5),
        places in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| event("chunk", payload)).collect();
        let mut places: Vec<usize> = places.iter().map(|at| at.index(stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        let pieces = places.windows(2).map(|ends| &stream[ends[0]..ends[1]]);
        let expected: Vec<Frame> = payloads.iter().map(|payload| frame_of("chunk", payload)).collect();
        prop_assert_eq!(read(pieces).unwrap(), expected);
    }

    /// A CRC of 32 bits finds each change of one byte.
    #[test]
    fn each_changed_byte_is_found(payload in prop::collection::vec(any::<u8>(), 0..60), at in any::<Index>(), by in 1_u8..) {
        let mut stream = event("chunk", &payload);
        let at = at.index(stream.len());
        stream[at] ^= by;
        prop_assert!(read([stream.as_slice()]).is_err());
    }

    #[test]
    fn no_bytes_panic(headers in prop::collection::vec(any::<u8>(), 0..40), raw in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = read([raw.as_slice()]);
        let _ = read([with_headers(&headers, &raw).as_slice()]);
    }
}
