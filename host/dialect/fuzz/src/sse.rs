//! The reader of server-sent events: how the bytes were split never matters, and all of them come out.

use bytes::Bytes;
use jackfield_dialect::sse::{SseEvent, SseReader, SseError, write_event};

/// What came out of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct ReadEvents {
    events: Vec<SseEvent>,
    rest: Bytes,
    failed: bool,
}

/// Reads the input in several ways, each of which must give the same.
pub fn check(data: &[u8]) {
    let whole = read(data, data.len().max(1), false);
    let chosen = usize::from(data.last().copied().unwrap_or(0) % CHUNK_BYTES_MAX) + 2;
    for size in [1, chosen] {
        assert_eq!(read(data, size, false), whole, "chunks of {size}");
    }
    assert!(!whole.failed, "too long");
    let mut out: Vec<u8> = Vec::new();
    for event in &whole.events {
        out.extend_from_slice(&event.raw);
    }
    out.extend_from_slice(&whole.rest);
    assert_eq!(out, data, "all bytes come out");
    // With the quiet bytes taken out on the way, the events mean the same.
    let quiet = read(data, chosen, true);
    assert_eq!(payloads(&quiet.events), payloads(&whole.events));
    check_rewrite(&whole.events);
    check_limit(data, chosen);
}

/// What is written is read as what was meant.
fn check_rewrite(events: &[SseEvent]) {
    let mut out = Vec::new();
    for event in events {
        write_event(event.name(), &event.data, &mut out);
    }
    let again = read(&out, out.len().max(1), false);
    // Readers join lines by line feeds, whatever ended them; a name has no line ends.
    assert_eq!(payloads(&again.events), payloads(events));
    assert!(again.rest.is_empty());
}

/// A reader with a small limit holds no more than that.
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
                    assert!(reader.next_event().is_err(), "it goes on");
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

/// The sizes of chunks to choose from; longer than any line end or field name.
const CHUNK_BYTES_MAX: u8 = 40;

/// The small limit, in bytes; inputs are far longer.
const EVENT_BYTES_MAX: usize = 64;
