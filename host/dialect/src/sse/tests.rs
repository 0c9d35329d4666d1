//! Events are the same however the bytes were split, and no byte is lost.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

type Outcome = Result<(), SseError>;

/// Everything that a reader makes of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct ReadEvents {
    events: Vec<SseEvent>,
    rest: Bytes,
    failed: bool,
}

impl ReadEvents {
    fn of<'c>(chunks: impl IntoIterator<Item = &'c [u8]>, event_bytes_max: usize) -> Self {
        let mut reader = SseReader::new(event_bytes_max);
        let mut read = Self::default();
        let step = |read: &mut Self, event: Result<Option<SseEvent>, SseError>| match event {
            Ok(Some(event)) => {
                read.events.push(event);
                true
            }
            Ok(None) => false,
            Err(_) => {
                read.failed = true;
                false
            }
        };
        for chunk in chunks {
            reader.push(Bytes::copy_from_slice(chunk));
            while step(&mut read, reader.next_event()) {}
        }
        while step(&mut read, reader.finish()) {}
        let rest_len = reader.buffered_len();
        read.rest = reader.take_buffered();
        assert_eq!(read.rest.len(), rest_len);
        read
    }

    fn whole(stream: &[u8]) -> Self {
        Self::of([stream], EVENT_BYTES_MAX)
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        let data = |event| std::str::from_utf8(event).unwrap_or("not UTF-8");
        self.events
            .iter()
            .map(|event| (event.name(), data(&event.data)))
            .collect()
    }

    fn bytes(&self) -> Vec<u8> {
        let raws = self
            .events
            .iter()
            .map(|event| &event.raw)
            .chain([&self.rest]);
        raws.flat_map(|raw| raw.iter().copied()).collect()
    }
}

/// The standard, read a line at a time with no regard for speed.
fn reference_events(stream: &[u8]) -> Vec<(String, Vec<u8>)> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut events = Vec::new();
    let (mut name, mut data) = (Vec::new(), Vec::new());
    let mut line = Vec::new();
    let mut bytes = stream.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\n' && byte != b'\r' {
            line.push(byte);
            continue;
        }
        if byte == b'\r' && bytes.peek() == Some(&b'\n') {
            bytes.next();
        }
        let line = std::mem::take(&mut line);
        if line.is_empty() {
            let name: Vec<u8> = std::mem::take(&mut name);
            let mut data: Vec<u8> = std::mem::take(&mut data);
            if data.pop().is_some() {
                events.push((String::from_utf8_lossy(&name).into_owned(), data));
            }
            continue;
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            _ => {}
        }
    }
    events
}

#[test]
fn reads_events_by_the_standard() {
    let cases: [(&str, &[(&str, &str)]); 10] = [
        (
            "data: a\n\ndata:b\r\n\r\ndata:  c\r\r",
            &[("", "a"), ("", "b"), ("", " c")],
        ),
        (
            ": hello\n\nevent: x\ndata: 1\ndata\ndata: 2\n\n",
            &[("x", "1\n\n2")],
        ),
        ("data\n\ndata\ndata\n\ndata:", &[("", ""), ("", "\n")]),
        ("event: lost\n\ndata: a\n\n", &[("", "a")]),
        ("event: a\nevent: b\ndata: 1\n\n", &[("b", "1")]),
        ("id: 1\nretry: 2\ndataset: 3\ndata: 4\n\n", &[("", "4")]),
        ("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[("", "a")]),
        ("\u{feff}\ndata: a\n\n", &[("", "a")]),
        ("\r\n\n\rdata: a:b\n\n", &[("", "a:b")]),
        ("data: unfinished\n", &[]),
    ];
    for (stream, events) in cases {
        assert_eq!(
            ReadEvents::whole(stream.as_bytes()).pairs(),
            events,
            "{stream:?}"
        );
    }
}

#[test]
fn comments_belong_to_the_event_after_them() {
    let read = ReadEvents::whole(b": ping\n\ndata: a\r\n\r\n:x\ndata: b\n\ndata: c\n");
    let raws: Vec<&[u8]> = read.events.iter().map(|event| &event.raw[..]).collect();
    assert_eq!(
        raws,
        [&b": ping\n\ndata: a\r\n\r\n"[..], b":x\ndata: b\n\n"]
    );
    assert_eq!(read.rest, &b"data: c\n"[..]);
}

#[test]
fn one_line_of_data_is_not_copied() -> Outcome {
    let chunk = Bytes::from_static(b"data: abc\n\ndata: def\n\n");
    let mut reader = SseReader::default();
    reader.push(chunk.clone());
    for _ in 0..2 {
        let event = reader
            .next_event()?
            .ok_or(SseError::EventTooLong { bytes_max: 0 })?;
        assert!(chunk.as_ptr_range().contains(&event.raw.as_ptr()));
        assert!(chunk.as_ptr_range().contains(&event.data.as_ptr()));
    }
    Ok(())
}

#[test]
fn comments_can_be_taken_before_the_next_event() -> Outcome {
    let mut reader = SseReader::default();
    reader.push(Bytes::from_static(b": ping\n\n:half"));
    assert_eq!(reader.next_event()?, None);
    assert_eq!(reader.take_comments(), &b": ping\n\n"[..]);
    assert_eq!(reader.take_comments(), Bytes::new());
    reader.push(Bytes::from_static(b"\ndata: a\n\n"));
    let event = reader.next_event()?;
    assert_eq!(
        event.map(|event| event.raw),
        Some(Bytes::from_static(b":half\ndata: a\n\n"))
    );
    assert_eq!(reader.buffered_len(), 0);
    Ok(())
}

#[test]
fn trailing_cr_waits_for_a_possible_lf() -> Outcome {
    let mut reader = SseReader::default();
    reader.push(Bytes::from_static(b"data: a\r\n\r"));
    assert_eq!(reader.next_event()?, None);
    let event = reader.finish()?;
    assert_eq!(
        event.map(|event| event.raw),
        Some(Bytes::from_static(b"data: a\r\n\r"))
    );
    assert_eq!(reader.finish()?, None);
    Ok(())
}

#[test]
fn rejects_events_over_the_limit() {
    let event = b"data: 3456\n\n";
    assert!(!ReadEvents::of([&event[..], event], event.len()).failed);
    let read = ReadEvents::of([&event[..], b": one more\n", event], event.len());
    assert!(read.failed);
    assert_eq!(read.events.len(), 1);
    // An endless line, or endless keep-alives that are not read, must not be held either.
    let mut reader = SseReader::new(64);
    for chunk in [Bytes::from_static(b"x"), Bytes::from_static(b":\n\n")] {
        for _ in 0..1000 {
            reader.push(chunk.clone());
            if reader.next_event().is_err() {
                break;
            }
        }
        assert!(reader.next_event().is_err());
        assert!(reader.buffered_len() <= 64 + chunk.len());
        reader = SseReader::new(64);
    }
}

#[test]
fn a_line_end_in_a_name_cannot_smuggle_a_field() {
    let mut out = Vec::new();
    write_event("a\ndata: b", b"c", &mut out);
    assert_eq!(ReadEvents::whole(&out).pairs(), [("a", "c")]);
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(PIECES);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

const PIECES: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"data",
    b"data:",
    b"data: x",
    b"event: e",
    b"event:\xff",
    b":",
    b": ping",
    b"id: 1",
    b" ",
    b"{\"a\":1}",
    b"\xef\xbb\xbf",
    b"\xc3\xa9",
];

/// The stream cut at these places, empty chunks included.
fn cut<'s>(stream: &'s [u8], places: &[prop::sample::Index]) -> Vec<&'s [u8]> {
    let mut places: Vec<usize> = places
        .iter()
        .map(|place| place.index(stream.len() + 1))
        .collect();
    places.sort_unstable();
    let mut start = 0;
    let mut chunks = Vec::new();
    for place in places.into_iter().chain([stream.len()]) {
        chunks.push(&stream[start..place]);
        start = place;
    }
    chunks
}

proptest! {
    #[test]
    fn events_do_not_depend_on_chunking(
        stream in stream(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        event_bytes_max in prop_oneof![Just(EVENT_BYTES_MAX), 1_usize..40],
    ) {
        let whole = ReadEvents::of([&stream[..]], event_bytes_max);
        let split = ReadEvents::of(cut(&stream, &places), event_bytes_max);
        prop_assert_eq!(&whole.events, &split.events);
        prop_assert_eq!(whole.failed, split.failed);
        let single = ReadEvents::of(stream.chunks(1), event_bytes_max);
        prop_assert_eq!(&whole.events, &single.events);
        prop_assert_eq!(whole.failed, single.failed);
        if !whole.failed {
            prop_assert_eq!(&whole.bytes(), &stream);
            prop_assert_eq!(split.bytes(), stream);
        }
    }

    #[test]
    fn events_match_the_reference_reader(stream in stream()) {
        let read = ReadEvents::whole(&stream);
        // A last line without its end is no line; the model sees only complete ones.
        let events: Vec<(String, Vec<u8>)> =
            read.events.iter().map(|event| (event.name().to_owned(), event.data.to_vec())).collect();
        prop_assert_eq!(events, reference_events(&stream));
    }

    #[test]
    fn taking_comments_loses_nothing(
        stream in stream(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut reader = SseReader::default();
        let mut out = Vec::new();
        let mut events = Vec::new();
        for chunk in cut(&stream, &places) {
            reader.push(Bytes::copy_from_slice(chunk));
            while let Some(event) = reader.next_event()? {
                out.extend_from_slice(&event.raw);
                events.push((event.name().to_owned(), event.data.to_vec()));
            }
            out.extend_from_slice(&reader.take_comments());
        }
        while let Some(event) = reader.finish()? {
            out.extend_from_slice(&event.raw);
            events.push((event.name().to_owned(), event.data.to_vec()));
        }
        out.extend_from_slice(&reader.take_buffered());
        prop_assert_eq!(&out, &stream);
        prop_assert_eq!(events, reference_events(&stream));
    }

    #[test]
    fn written_events_round_trip(name in "[a-z. ]{0,6}", data in "[a-z:\r\n ]{0,24}") {
        let mut out = Vec::new();
        write_event(&name, data.as_bytes(), &mut out);
        let expected = data.replace("\r\n", "\n").replace('\r', "\n");
        let read = ReadEvents::whole(&out);
        prop_assert_eq!(read.pairs(), [(name.as_str(), expected.as_str())]);
        prop_assert!(read.rest.is_empty());
    }
}
