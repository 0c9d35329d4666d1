//! Runs every case of `tests/cases/dialects`. A case is the same conversation in every dialect. The test
//! translates it between all pairs and compares with `expect/CLIENT-PROVIDER.txt`. With `UPDATE_GOLDENS=1` in
//! the environment, the test rewrites these files: review the difference before you commit it.

use jackfield_dialect::traits::Traits;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jackfield_dialect::sse::{SseReader, write_event};
use jackfield_dialect::{
    Dialect, EventClass, ProviderError, RequestHead, TranslatedRequest, TranslationInput, Usage,
    translate_error,
};
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The dialects of the cases. Text completions support only some cases, and have separate tests.
const DIALECTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

#[test]
fn golden_cases_translate_between_all_dialects() -> Outcome<()> {
    let bless = std::env::var_os("UPDATE_GOLDENS").is_some();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/dialects");
    let (mut failures, mut compared) = (Vec::new(), 0);
    for case in folders(&root)? {
        for client in DIALECTS {
            for provider in DIALECTS {
                let output = Pair::new(&case, client, provider).run()?;
                let file = case.join(format!("expect/{client}-{provider}.txt"));
                compared += 1;
                if bless {
                    fs::create_dir_all(case.join("expect"))?;
                    fs::write(&file, &output)?;
                } else if fs::read_to_string(&file).unwrap_or_default() != output {
                    failures.push(format!("{} should be:\n{output}", file.display()));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(compared, CASES * DIALECTS.len() * DIALECTS.len());
    Ok(())
}

/// The number of cases. The test checks it, so that a lost case is noticed.
const CASES: usize = 16;

fn folders(root: &Path) -> Outcome<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(root)? {
        folders.push(entry?.path());
    }
    folders.sort();
    Ok(folders)
}

/// One case, between a client and a provider.
struct Pair<'a> {
    case: &'a Path,
    client: Dialect,
    provider: Dialect,
}

impl<'a> Pair<'a> {
    fn new(case: &'a Path, client: Dialect, provider: Dialect) -> Self {
        Self {
            case,
            client,
            provider,
        }
    }

    fn run(&self) -> Outcome<String> {
        let mut output = String::new();
        let translated = self.request(&mut output)?;
        self.response(&translated, &mut output)?;
        self.stream(&translated, &mut output)?;
        self.error(&mut output);
        assert!(!output.is_empty(), "{} has no input", self.case.display());
        Ok(output)
    }

    /// Translates the client's request. A case without a request uses the one of the case `text`.
    fn request(&self, output: &mut String) -> Outcome<TranslatedRequest> {
        let own = fs::read(self.file(self.client, "request.json"));
        let shown = own.is_ok();
        let body = match own {
            Ok(body) => body,
            Err(_) => self.plain()?,
        };
        let streamed = self.file(self.client, "stream.sse").exists();
        let head = match self.client {
            Dialect::Gemini => RequestHead::from_path("client-model", streamed)?,
            _ => RequestHead::read(&body)?,
        };
        let source = TranslationInput {
            dialect: self.client,
            body: &body,
            head: &head,
            model: "provider-model",
            traits: &Traits::everything(),
            thinking: None,
            id: "call-1",
            created: 1_780_000_000,
        };
        let translated = TranslatedRequest::translate_content(&source, self.provider)?;
        if shown {
            writeln!(output, "== request\n{}", pretty(&translated.body)?)?;
            for warning in &translated.warnings {
                writeln!(output, "-- {}: {}", warning.field, warning.what)?;
            }
        }
        Ok(translated)
    }

    fn response(&self, translated: &TranslatedRequest, output: &mut String) -> Outcome<()> {
        if let Ok(body) = fs::read(self.file(self.provider, "response.json")) {
            let response = translated.translate_response(&body)?;
            writeln!(output, "== answer\n{}", pretty(&response)?)?;
        }
        Ok(())
    }

    /// Translates the provider's stream, in chunks of every size. The output must not depend on the size.
    fn stream(&self, translated: &TranslatedRequest, output: &mut String) -> Outcome<()> {
        let Ok(stream) = fs::read(self.file(self.provider, "stream.sse")) else {
            return Ok(());
        };
        let whole = translate_stream(translated, stream.chunks(stream.len()))?;
        for size in (1..CHUNK_SIZES_END).chain([997]) {
            let cut = translate_stream(translated, stream.chunks(size))?;
            assert_eq!(
                cut,
                whole,
                "{} in chunks of {size} bytes",
                self.case.display()
            );
        }
        writeln!(output, "== stream\n{}", whole.trim_end())?;
        Ok(())
    }

    fn error(&self, output: &mut String) {
        if let Ok(body) = fs::read(self.file(self.provider, "error.json")) {
            let error = ProviderError::read(&body).unwrap_or_default();
            let body = translate_error(self.client, 429, &error);
            *output += &format!("== error\n{}\n", String::from_utf8_lossy(&body));
        }
    }

    fn plain(&self) -> std::io::Result<Vec<u8>> {
        let name = format!("../text/{}.request.json", self.client);
        fs::read(self.case.join(name))
    }

    fn file(&self, dialect: Dialect, what: &str) -> PathBuf {
        self.case.join(format!("{dialect}.{what}"))
    }
}

/// The end of the range of chunk sizes, in bytes. Longer than any line end or field name.
const CHUNK_SIZES_END: usize = 40;

/// Translates a provider's stream to the client's dialect.
fn translate_stream<'c>(
    translated: &TranslatedRequest,
    chunks: impl Iterator<Item = &'c [u8]>,
) -> Outcome<String> {
    let mut translator = translated
        .translator()
        .ok_or("the request is not for a stream")?;
    let (mut reader, mut frames) = (SseReader::default(), Vec::new());
    let mut failed = None;
    for chunk in chunks {
        reader.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = reader.next_event()? {
            match translator.translate_event(event.name(), &event.data, &mut frames) {
                EventClass::Error(error) => failed = failed.or(Some(error)),
                EventClass::Malformed => return Err("malformed".into()),
                EventClass::Content | EventClass::Done | EventClass::Preamble => {}
            }
        }
    }
    match failed {
        Some(error) => translator.fail(&error, &mut frames),
        None => {
            translator.finish(&mut frames);
            assert!(translator.completed(), "the stream did not end");
        }
    }
    let mut out = Vec::new();
    for frame in &frames {
        write_event(&frame.name, &frame.data, &mut out);
    }
    let usage = translator.usage();
    Ok(String::from_utf8(out)? + &format!("-- usage {}\n", usage_text(usage)))
}

/// Writes a usage; without tokens written to a cache, as few providers have them.
fn usage_text(usage: Option<Usage>) -> String {
    let text = format!("{usage:?}");
    text.replace("cache_write_input: 0, ", "")
}

fn pretty(body: &[u8]) -> Outcome<String> {
    let value: Value = serde_json::from_slice(body)?;
    Ok(serde_json::to_string_pretty(&value)?)
}
