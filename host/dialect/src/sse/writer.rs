//! Writes events.

use memchr::{memchr2, memchr2_iter};

/// Appends one event to `out`, its blank line included. Each line of `data` becomes a `data` line,
/// whether it ends in a line feed, a carriage return or both; readers join them by line feeds. A name
/// ends at its first line end: the rest of it could pass for fields.
pub fn write_event(name: &str, data: &[u8], out: &mut Vec<u8>) {
    let name = name.as_bytes();
    let name = &name[..memchr2(b'\n', b'\r', name).unwrap_or(name.len())];
    out.reserve(EVENT_FRAME_BYTES + name.len() + data.len());
    if !name.is_empty() {
        write_line(b"event: ", name, out);
    }
    let mut start = 0;
    for end in memchr2_iter(b'\n', b'\r', data) {
        // The line feed of a pair was taken together with its carriage return.
        if end < start {
            continue;
        }
        write_line(b"data: ", &data[start..end], out);
        start = end
            + if data[end..].starts_with(b"\r\n") {
                2
            } else {
                1
            };
    }
    write_line(b"data: ", &data[start..], out);
    out.push(b'\n');
}

fn write_line(field: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(field);
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// What surrounds the name and a single line of data, in bytes.
const EVENT_FRAME_BYTES: usize = "event: \ndata: \n\n".len();

/// A comment, which every client ignores: it shows that the connection is alive.
pub const KEEP_ALIVE_COMMENT: &[u8] = b": keep-alive\n\n";
