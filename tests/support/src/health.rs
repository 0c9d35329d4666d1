//! The cases of `tests/cases/health`: error responses of providers, and their expected classification.
//! `tests/README.md` describes the files of a case.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};

/// A response of a provider.
#[derive(Debug)]
pub struct HealthCase {
    /// The name of the executor that gets the response.
    pub executor: String,
    /// The dialect of the response.
    pub dialect: String,
    /// The status code.
    pub status: u16,
    /// The headers. Names are in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When the response arrived, in milliseconds since 1970: its header `date`.
    pub now_ms: u64,
    folder: PathBuf,
}

/// What the classification of a response says.
#[derive(Debug)]
pub struct Classified<'a> {
    /// The scope of the failure.
    pub scope: &'a str,
    /// The kind of the failure.
    pub kind: &'a str,
    /// The time after which the provider allows another request.
    pub retry_after: Option<Duration>,
    /// Whether a refresh may help.
    pub refresh_suggested: bool,
    /// The message for operators.
    pub message: &'a str,
}

/// Reads all cases.
///
/// # Errors
/// When a file is missing or has another format.
pub fn cases() -> Result<Vec<HealthCase>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|ancestor| ancestor.join("tests/cases/health"))
        .find(|folder| folder.is_dir())
        .ok_or("tests/cases/health is missing")?;
    let entries = fs::read_dir(&folder).map_err(|error| error.to_string())?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders.into_iter().map(HealthCase::read).collect()
}

impl HealthCase {
    fn read(folder: PathBuf) -> Result<Self, String> {
        let file = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let wrong = |what: &str| format!("{}: {what}", folder.display());
        let about = file("case.txt")?;
        let member = |name: &str| {
            let value = about.lines().find_map(|line| line.strip_prefix(name));
            value.map(|value| value.trim().to_owned())
        };
        if member("source:").is_none_or(|source| source.is_empty()) {
            return Err(wrong(
                "case.txt needs `source: OWNER/REPO#NUMBER` or a page",
            ));
        }
        let executor = member("executor:").unwrap_or_else(|| "openai-compatible".to_owned());
        let dialect = member("dialect:").unwrap_or_else(|| default_dialect(&executor).to_owned());
        let response = file("response.http")?;
        let (head, body) = response
            .split_once("\n\n")
            .ok_or_else(|| wrong("response.http needs an empty line after the headers"))?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let mut headers = Vec::new();
        for line in lines {
            let header = line.split_once(':');
            let (name, value) = header.ok_or_else(|| wrong("a header needs a colon"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let date = headers.iter().find(|(name, _)| name == "date");
        let now_ms = match date {
            None => DEFAULT_NOW_MS,
            Some((_, date)) => millis(date).ok_or_else(|| wrong("the header `date` is wrong"))?,
        };
        Ok(Self {
            executor,
            dialect,
            status: status.ok_or_else(|| wrong("response.http needs a status line"))?,
            headers,
            body: body.trim_end().as_bytes().to_vec(),
            now_ms,
            folder,
        })
    }

    /// Compares a classification with `expect.txt`, which `UPDATE_GOLDENS=1` writes.
    ///
    /// # Errors
    /// When they differ, or the file cannot be read or written.
    pub fn check(&self, found: &Classified<'_>) -> Result<(), String> {
        let found = found.text();
        let golden = self.folder.join("expect.txt");
        let wrong = |what: &str| format!("{}: {what}", golden.display());
        if env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&golden, &found).map_err(|error| wrong(&error.to_string()))?;
        }
        let expected = fs::read_to_string(&golden)
            .map_err(|error| wrong(&format!("{error}; run with UPDATE_GOLDENS=1")))?;
        if expected == found {
            return Ok(());
        }
        Err(wrong(&format!("expected\n{expected}found\n{found}")))
    }
}

impl Classified<'_> {
    fn text(&self) -> String {
        let mut text = format!("scope: {}\nkind: {}\n", self.scope, self.kind);
        if let Some(wait) = self.retry_after {
            let _ = writeln!(text, "retry-after: {} s", wait.as_secs_f64());
        }
        if self.refresh_suggested {
            text.push_str("refresh: suggested\n");
        }
        let message = self.message.replace(['\n', '\r'], " ");
        let _ = writeln!(text, "message: {}", message.trim_end());
        text
    }
}

fn default_dialect(executor: &str) -> &'static str {
    match executor {
        "anthropic" => "anthropic-messages",
        "gemini" => "gemini",
        "openai" => "openai-responses",
        _ => "openai-chat",
    }
}

/// The time of a response without a date: 1 September 2026.
const DEFAULT_NOW_MS: u64 = 1_788_220_800_000;

fn millis(date: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(date).ok()?;
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}
