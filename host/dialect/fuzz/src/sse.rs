//! The reader of server-sent events: chunk boundaries do not change the events, and no byte is lost.

use bytes::Bytes;
use jackfield_dialect::sse::{SseEvent, SseReader, SseError, write_event};

/// The output of a reader for one stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct ReadEvents {
    events: Vec<SseEvent>,
    rest: Bytes,
    failed: bool,
}

/// Reads the input in chunks of several sizes. Each size must give the same events.
pub fn check(data: &[u8]) {
    let whole = read(data, data.len().max(1), false);
    let chosen = usize::from(data.last().copied().unwrap_or(0) % CHUNK_BYTES_MAX) + 2;
    for size in [1, chosen] {
        assert_eq!(read(data, size, false), whole, "in chunks of {size} bytes");
    }
    assert!(!whole.failed, "an event exceeds the default limit");
    let mut out: Vec<u8> = Vec::new();
    for event in &whole.events {
        out.extend_from_slice(&event.raw);
    }
    out.extend_from_slice(&whole.rest);
    assert_eq!(out, data, "the events and the rest do not contain all bytes");
    // Removing comments while reading does not change names or data of the events.
    let quiet = read(data, chosen, true);
    assert_eq!(payloads(&quiet.events), payloads(&whole.events));
    check_rewrite(&whole.events);
    check_limit(data, chosen);
}

/// Asserts that written events decode to the same names and data.
fn check_rewrite(events: &[SseEvent]) {
    let mut out = Vec::new();
    for event in events {
        write_event(event.name(), &event.data, &mut out);
    }
    let again = read(&out, out.len().max(1), false);
    // `data` survives because readers join its lines with line feeds. A name has no line ends.
    assert_eq!(payloads(&again.events), payloads(events));
    assert!(again.rest.is_empty());
}

/// Asserts that a reader with a small limit does not buffer more than the limit, unless it has failed.
fn check_limit(data: &[u8], size: usize) {
    let mut reader = SseReader::new(EVENT_BYTES_MAX);
    for chunk in data.chunks(size) {
        reader.push(Bytes::copy_from_slice(chunk));
        loop {
            match reader.next_event() {
                Ok(Some(event)) => assert!(event.raw.len() <= EVENT_BYTES_MAX),
                Ok(None) => break,
                Err(SseError::EventTooLong { bytes_max }) => {
                    assert_eq!(bytes_max, EVENT_BYTES_MAX);
                    assert!(reader.buffered_len() > EVENT_BYTES_MAX);
                    assert!(reader.next_event().is_err(), "the reader continues after an error");
                    return;
                }
            }
        }
        assert!(reader.buffered_len() <= EVENT_BYTES_MAX);
    }
}

fn payloads(events: &[SseEvent]) -> Vec<(&str, &Bytes)> {
    let payloads = |event| -> (&str, &Bytes) {
        let event: &SseEvent = event;
        (event.name(), &event.data)
    };
    events.iter().map(payloads).collect()
}

fn read(data: &[u8], size: usize, quiet: bool) -> ReadEvents {
    let (mut reader, mut read) = (SseReader::default(), ReadEvents::default());
    let mut taken = 0;
    for chunk in data.chunks(size) {
        reader.push(Bytes::copy_from_slice(chunk));
        read.take(|| reader.next_event());
        if quiet {
            taken += reader.take_comments().len();
        }
    }
    read.take(|| reader.finish());
    assert_eq!(read.raw_len() + taken + reader.buffered_len(), data.len());
    read.rest = reader.take_buffered();
    assert_eq!(reader.buffered_len(), 0);
    read
}

impl ReadEvents {
    fn take(&mut self, mut next: impl FnMut() -> Result<Option<SseEvent>, SseError>) {
        loop {
            match next() {
                Ok(Some(event)) => self.events.push(event),
                Ok(None) => return,
                Err(_) => {
                    self.failed = true;
                    return;
                }
            }
        }
    }

    fn raw_len(&self) -> usize {
        self.events.iter().map(|event| event.raw.len()).sum()
    }
}

/// The range of the input-dependent chunk size, in bytes. Longer than any line end or field name.
const CHUNK_BYTES_MAX: u8 = 40;

/// The small event limit, in bytes. Inputs can be much longer.
const EVENT_BYTES_MAX: usize = 64;
