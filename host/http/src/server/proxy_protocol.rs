//! The header of the PROXY protocol, versions 1 and 2, with which a trusted proxy names its client
//! (haproxy.org, proxy-protocol.txt). It reads no byte beyond the header.

use std::io;
use std::net::IpAddr;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits::PROXY_HEADER_BYTES_MAX;

/// Reads the header at the begin of a connection. `None`: the proxy speaks for itself, for example to check the
/// server's health, or its client has no address.
///
/// # Errors
/// When the header is missing, invalid or too long, or the connection ends.
pub(super) async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<IpAddr>> {
    // No header of either version is shorter.
    let mut header = vec![0; SIGNATURE_BYTES];
    stream.read_exact(&mut header).await?;
    match header.first() {
        Some(b'P') => read_text(stream, &mut header).await?,
        Some(b'\r') => read_binary(stream, &mut header).await?,
        _ => return Err(invalid()),
    }
    let config = ParseConfig {
        include_tlvs: false,
        allow_v1: true,
        allow_v2: true,
    };
    let (parsed, length) = ProxyHeader::parse(&header, config).map_err(|_| invalid())?;
    match parsed.proxied_address() {
        _ if length != header.len() => Err(invalid()),
        None => Ok(None),
        Some(address) if address.protocol == Protocol::Stream => {
            Ok(Some(address.source.ip().to_canonical()))
        }
        Some(_) => Err(invalid()),
    }
}

/// Reads to the end of the line. Single bytes, since what follows belongs to the request.
async fn read_text(stream: &mut (impl AsyncRead + Unpin), header: &mut Vec<u8>) -> io::Result<()> {
    while !header.ends_with(b"\r\n") {
        if header.len() == TEXT_BYTES_MAX {
            return Err(invalid());
        }
        header.push(stream.read_u8().await?);
    }
    Ok(())
}

/// Reads version, family and length, and as much as the length says.
async fn read_binary(
    stream: &mut (impl AsyncRead + Unpin),
    header: &mut Vec<u8>,
) -> io::Result<()> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    header.extend_from_slice(&fixed);
    let [_, _, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let begin = header.len();
    if begin + length > PROXY_HEADER_BYTES_MAX {
        return Err(invalid());
    }
    header.resize(begin + length, 0);
    if let Some(rest) = header.get_mut(begin..) {
        stream.read_exact(rest).await?;
    }
    Ok(())
}

fn invalid() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "not a header of the PROXY protocol",
    )
}

/// The signature of version 2, and less than the shortest header of version 1 (`PROXY UNKNOWN`).
const SIGNATURE_BYTES: usize = 12;

/// The longest header of version 1, with its line end (section 2.1).
const TEXT_BYTES_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    /// Reads a header; also returns what is left.
    fn read(mut bytes: &[u8]) -> (Option<Option<String>>, &[u8]) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let read = runtime.block_on(read_header(&mut bytes));
        let client = read.ok().map(|it| it.map(|address| address.to_string()));
        (client, bytes)
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, rest].concat()
    }

    #[test]
    fn reads_both_versions_and_nothing_more() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80];
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        let with_more = [&v4[..], &[4, 0, 3, 1, 2, 3]].concat();
        for (expected, header) in [
            (
                Some("192.0.2.7"),
                b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n".to_vec(),
            ),
            (
                Some("2001:db8::9"),
                b"PROXY TCP6 2001:db8::9 ::1 5000 80\r\n".to_vec(),
            ),
            (None, b"PROXY UNKNOWN\r\n".to_vec()),
            (None, b"PROXY UNKNOWN ff ff 1 2\r\n".to_vec()),
            (Some("192.0.2.7"), binary(0x21, 0x11, &v4)),
            (Some("192.0.2.7"), binary(0x21, 0x11, &with_more)),
            (Some("2001:db8::"), binary(0x21, 0x21, &v6)),
            (None, binary(0x20, 0x11, &v4)),
            (None, binary(0x20, 0, &[])),
            (None, binary(0x21, 0x31, &[0; 216])),
        ] {
            let request = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            let (client, rest) = read(&request);
            assert_eq!(client, Some(expected.map(str::to_owned)), "{header:?}");
            assert_eq!(rest, b"GET / HTTP/1.1\r\n");
        }
    }

    #[test]
    fn refuses_what_is_no_header() {
        for header in [
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 5000\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::9 ::1 5000 80\r\n".to_vec(),
            [b"PROXY UNKNOWN ", &[b'a'; 200][..]].concat(),
            binary(0x11, 0x11, &[0; 12]),
            // Datagrams, and an address that is cut off.
            binary(0x21, 0x12, &[0; 12]),
            binary(0x21, 0x11, &[0; 11]),
            binary(0x21, 0x11, &[0; PROXY_HEADER_BYTES_MAX]),
            b"PROXY TCP4 192.0.2.7".to_vec(),
        ] {
            assert_eq!(read(&header).0, None, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(kind in 0..3_u8, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let begin = match kind {
                0 => &b""[..],
                1 => b"PROXY TCP4 ",
                _ => SIGNATURE,
            };
            read(&[begin, &bytes].concat());
        }
    }
}
