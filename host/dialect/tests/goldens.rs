//! Runs every case in `goldens/`. A case is a folder with one input and `expect.txt`. The name of the input
//! selects the function that reads it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jackfield_dialect::sse::SseReader;
use jackfield_dialect::{Dialect, ProviderError, RequestHead};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[test]
fn goldens_read_as_expected() -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/openai-chat");
    let mut failures = Vec::new();
    for case in folders(&root)? {
        let read = read_case(&case)?;
        if read != fs::read_to_string(case.join("expect.txt")).unwrap_or_default() {
            failures.push(format!("{}/expect.txt should be:\n{read}", case.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn folders(root: &Path) -> Outcome<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(root)? {
        folders.push(entry?.path());
    }
    folders.sort();
    assert!(!folders.is_empty(), "no cases in {}", root.display());
    Ok(folders)
}

fn read_case(case: &Path) -> Outcome<String> {
    let mut read = String::new();
    for (input, reader) in READERS {
        if let Ok(bytes) = fs::read(case.join(input)) {
            read += &reader(&bytes)?;
        }
    }
    assert!(!read.is_empty(), "{} has no input", case.display());
    Ok(read)
}

type ReadInput = fn(&[u8]) -> Outcome<String>;

const READERS: [(&str, ReadInput); 4] = [
    ("request.json", read_request),
    ("response.json", read_response),
    ("error.json", read_error),
    ("stream.sse", read_stream),
];

fn read_request(body: &[u8]) -> Outcome<String> {
    Ok(match RequestHead::read(body) {
        Ok(request) => format!("{request:#?}\n"),
        Err(error) => format!("refused, param {:?}\n{error}\n", error.param()),
    })
}

fn read_response(body: &[u8]) -> Outcome<String> {
    Ok(format!(
        "{:#?}\n",
        Dialect::OpenaiChat.codec().check_body(body)
    ))
}

fn read_error(body: &[u8]) -> Outcome<String> {
    Ok(format!("{:#?}\n", ProviderError::read(body)))
}

/// Reads the stream in chunks of every size. The result must not depend on the size.
fn read_stream(stream: &[u8]) -> Outcome<String> {
    let whole = read_chunks(stream, stream.len().max(1))?;
    for size in 1..CHUNK_SIZES_END.min(stream.len()) {
        assert_eq!(
            read_chunks(stream, size)?,
            whole,
            "in chunks of {size} bytes"
        );
    }
    Ok(whole)
}

/// The end of the range of chunk sizes, in bytes. Longer than any line end, comment or field name.
const CHUNK_SIZES_END: usize = 200;

fn read_chunks(stream: &[u8], size: usize) -> Outcome<String> {
    let mut reader = SseReader::default();
    let mut observer = Dialect::OpenaiChat.codec().observer();
    let mut seen = Vec::new();
    let mut read = String::new();
    for chunk in stream.chunks(size).map(Some).chain([None]) {
        reader.push(chunk.map(Bytes::copy_from_slice).unwrap_or_default());
        while let Some(event) = if chunk.is_some() {
            reader.next_event()?
        } else {
            reader.finish()?
        } {
            seen.extend_from_slice(&event.raw);
            read += &format!("{:?}\n", observer.observe(event.name(), &event.data));
        }
    }
    let rest = reader.take_buffered();
    seen.extend_from_slice(&rest);
    assert_eq!(
        seen, stream,
        "the events and the rest do not contain all bytes"
    );
    read += &format!(
        "completed {}, content {}, rest {}\n{:?}\n",
        observer.completed(),
        observer.has_content(),
        rest.len(),
        observer.usage(),
    );
    Ok(read)
}
