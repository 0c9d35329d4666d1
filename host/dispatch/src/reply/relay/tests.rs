//! The relay forwards whole events only, and does not copy events that lie inside one chunk.

use std::sync::Arc;

use futures_util::stream;
use memchr::memmem;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::time::Instant;

use super::*;
use crate::port::UpstreamBody;
use crate::snapshot::Timeouts;

fn relay(chunks: Vec<Bytes>) -> Relay {
    let body: UpstreamBody = Box::pin(stream::iter(chunks.into_iter().map(Ok)));
    let now = Instant::now();
    let timeouts = Timeouts::default();
    let source = Source::new(body, now, now + timeouts.total, timeouts);
    let base_url = "https://provider.test".parse().unwrap();
    let recorder = SignatureRecorder::new(&Arc::default(), &base_url, Dialect::OpenaiChat);
    Relay::new(source, recorder)
}

/// Returns the output of each poll, up to the end or the error.
fn pulls(chunks: Vec<Bytes>, committed: bool) -> (Vec<Vec<Bytes>>, Result<Polled, StreamError>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let mut relay = relay(chunks);
        if committed {
            relay.on_commit();
        }
        let mut pulls = Vec::new();
        loop {
            let mut out = VecDeque::new();
            let polled = relay.poll(&mut out).await;
            pulls.push(out.into());
            match polled {
                Ok(Polled::End) | Err(_) => return (pulls, polled),
                Ok(Polled::Buffered | Polled::Content | Polled::Complete) => {}
            }
        }
    })
}

fn cut(text: &str, places: &[Index]) -> Vec<Bytes> {
    let text = Bytes::copy_from_slice(text.as_bytes());
    let mut places: Vec<usize> = places.iter().map(|at| at.index(text.len() + 1)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.dedup();
    let ends = places.windows(2);
    ends.map(|ends| text.slice(ends[0]..ends[1])).collect()
}

const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const PREAMBLE: &str = "data: {\"choices\":[]}\n\n";
const QUIET: &str = ": still here\n\n";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn forwards_whole_events_without_copying(
        events in prop::collection::vec(prop::sample::select(vec![CONTENT, PREAMBLE, QUIET]), 0..20),
        places in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let text = [CONTENT, &events.concat(), DONE].concat();
        let chunks = cut(&text, &places);
        let (pulls, end) = pulls(chunks.clone(), true);
        prop_assert!(matches!(end, Ok(Polled::End)));
        let mut given = 0;
        for (pull, pieces) in pulls.iter().enumerate() {
            // An event that began in an earlier chunk, those inside this one, and comments after them.
            prop_assert!(pieces.len() <= 3);
            for piece in pieces {
                given += piece.len();
                prop_assert!(piece.ends_with(b"\n\n"));
            }
            if let Some(chunk) = chunks.get(pull) {
                let inside = |piece: &&Bytes| chunk.as_ptr_range().contains(&piece.as_ptr());
                let copied = pieces.iter().filter(|piece| !inside(piece));
                let copied = copied.map(|piece| memmem::find_iter(piece, b"data:").count());
                prop_assert!(copied.sum::<usize>() <= 1, "only the event that began earlier is copied");
            }
        }
        prop_assert_eq!(given, text.len());
    }

    #[test]
    fn reports_content_with_the_chunk_that_completes_it(places in prop::collection::vec(any::<Index>(), 0..8)) {
        let text = [PREAMBLE, QUIET, CONTENT].concat();
        let chunks = cut(&text, &places);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            let mut relay = relay(chunks.clone());
            let mut pulled = 0;
            for chunk in &chunks {
                pulled += chunk.len();
                let step = relay.poll(&mut VecDeque::new()).await.unwrap();
                prop_assert_eq!(step == Polled::Content, pulled == text.len());
            }
            Ok(())
        })?;
    }
}

fn last(text: &str, committed: bool) -> (String, Result<Polled, StreamError>) {
    let (pulls, end) = pulls(cut(text, &[]), committed);
    let given = pulls.concat().concat();
    (String::from_utf8(given).unwrap(), end)
}

#[test]
fn forwards_error_events_only_after_commit() {
    let error = "data: {\"error\":{\"message\":\"no\"}}\n\n";
    let text = [CONTENT, error, CONTENT].concat();
    let (given, end) = last(&text, false);
    assert_eq!(given, CONTENT);
    assert!(matches!(end, Err(StreamError::Reported(it)) if it.failure.message == "no"));
    let (given, end) = last(&text, true);
    assert_eq!(given, [CONTENT, error].concat());
    assert!(matches!(end, Err(StreamError::AlreadySent(failure)) if failure.message == "no"));
}

#[test]
fn ignores_events_after_the_end() {
    let text = [
        CONTENT,
        DONE,
        "data: {\"error\":{\"message\":\"no\"}}\n\n",
        "data: x",
    ]
    .concat();
    let (given, end) = last(&text, true);
    assert_eq!(given, text);
    assert!(matches!(end, Ok(Polled::End)));
}

#[test]
fn rejects_stream_without_content() {
    for text in [
        "",
        "\n",
        QUIET,
        PREAMBLE,
        DONE,
        &[PREAMBLE, DONE].concat(),
        "data: [DONE]",
    ] {
        for committed in [false, true] {
            let (given, end) = last(text, committed);
            assert!(matches!(end, Err(StreamError::Upstream(_))), "{text:?}");
            assert!(!given.contains("DONE"), "{text:?}");
        }
    }
}
