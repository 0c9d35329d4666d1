//! The files of a case.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Expectations, HttpMessage};

/// One exchange.
#[derive(Debug)]
pub struct Case {
    /// The name of its folder.
    pub name: String,
    /// The provider's dialect, by its name.
    pub provider: String,
    /// The kind of server, as the configuration names it, in place of the one that the host means.
    pub server: Option<String>,
    /// The host of the provider's base URL, and its port if that is not the scheme's own.
    pub authority: String,
    /// The provider's name of the model; `None` for the client's name.
    pub model: Option<String>,
    /// The family of servers whose strict schema the request must satisfy.
    pub family: Option<String>,
    /// The client's request, if the case is about one.
    pub request: Option<HttpMessage>,
    /// The provider's whole response.
    pub response: Option<HttpMessage>,
    /// The provider's stream.
    pub stream: Option<HttpMessage>,
    folder: PathBuf,
}

/// Reads all cases, or the ones whose names contain the text in the environment variable `WILD_CASE`.
///
/// # Errors
/// Everything that is wrong with the files of all cases.
pub fn cases() -> Result<Vec<Case>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases/wild");
    let wanted = std::env::var("WILD_CASE").unwrap_or_default();
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for path in entries(&folder)? {
        if path.is_file() {
            if !FILES_BESIDE_CASES.iter().any(|name| path.ends_with(name)) {
                wrong.push(format!("{}: not a folder of a case", path.display()));
            }
            continue;
        }
        match Case::read(&path) {
            Ok(case) if case.name.contains(&wanted) => cases.push(case),
            Ok(_) => {}
            Err(error) => wrong.push(format!("{}: {error}", path.display())),
        }
    }
    if wrong.is_empty() {
        Ok(cases)
    } else {
        Err(wrong.join("\n"))
    }
}

impl Case {
    /// Reads the folder of a case.
    ///
    /// # Errors
    /// If a file is missing, is unknown, or has another format.
    pub fn read(folder: &Path) -> Result<Self, String> {
        for path in entries(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !FILES.contains(&&*name) {
                return Err(format!("unknown file {name}: use {}", FILES.join(", ")));
            }
        }
        let about = fs::read_to_string(folder.join("case.txt"))
            .map_err(|error| format!("case.txt: {error}"))?;
        let mut about = read_keys(&about).map_err(|error| format!("case.txt: {error}"))?;
        for key in ["source", "date", "report", "expected"] {
            if about.remove(key).is_none_or(|text| text.is_empty()) {
                return Err(format!("case.txt: needs `{key}:`"));
            }
        }
        let provider = about.remove("provider");
        let provider = provider.ok_or("case.txt: needs `provider: DIALECT`")?;
        if !DIALECTS.iter().any(|(dialect, _)| *dialect == provider) {
            return Err(format!("case.txt: no dialect {provider}"));
        }
        let message = |name: &str| match fs::read(folder.join(name)) {
            Err(_) => Ok(None),
            Ok(file) => HttpMessage::read(&file)
                .map(Some)
                .map_err(|error| format!("{name}: {error}")),
        };
        let case = Self {
            name: folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            server: about.remove("server"),
            authority: match about.remove("base-url") {
                None => default_authority(&provider).to_owned(),
                Some(url) => read_authority(&url).ok_or("case.txt: `base-url` is no URL")?,
            },
            provider,
            model: about.remove("model"),
            family: about.remove("family"),
            request: message("request.http")?,
            response: message("response.http")?,
            stream: message("stream.http")?,
            folder: folder.to_owned(),
        };
        match about.keys().next() {
            Some(unknown) => Err(format!("case.txt: unknown key `{unknown}`")),
            None => case.check(),
        }
    }

    fn check(self) -> Result<Self, String> {
        let responses = || [&self.response, &self.stream].into_iter().flatten();
        if self.request.is_none() && responses().next().is_none() {
            return Err("needs request.http, response.http or stream.http".to_owned());
        }
        if self.request.is_some() && self.client().is_none() {
            return Err("request.http: no dialect has this path".to_owned());
        }
        if responses().any(|response| response.status().is_none()) {
            return Err("needs `HTTP/1.1 STATUS` before the headers of a response".to_owned());
        }
        Ok(self)
    }

    /// The client's dialect, by its name, as the path of the request determines it.
    #[must_use]
    pub fn client(&self) -> Option<&'static str> {
        let path = self.request.as_ref()?.path();
        let path = path.split('?').next()?;
        let is_of = |prefix: &str| match prefix.strip_suffix('/') {
            Some(_) => path.starts_with(prefix),
            None => path == prefix,
        };
        let found = DIALECTS.iter().find(|(_, path)| is_of(path));
        found.map(|(dialect, _)| *dialect)
    }

    /// For Gemini's requests: the model and whether the client wants a stream, which are in the path.
    #[must_use]
    pub fn gemini_path(&self) -> Option<(&str, bool)> {
        let path = self.request.as_ref()?.path().split('?').next()?;
        let (model, method) = path.strip_prefix(GEMINI_PATH)?.split_once(':')?;
        Some((model, method == "streamGenerateContent"))
    }

    /// What this case expects.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn expectations(&self) -> Result<Expectations, String> {
        Expectations::read(&self.name, self.folder.join("expect"))
    }
}

/// Reads lines as `key: value`. A line that begins with two spaces continues the value before it.
fn read_keys(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        if let (Some(more), Some(value)) = (line.strip_prefix("  "), keys.get_mut(&last)) {
            value.push('\n');
            value.push_str(more);
            continue;
        }
        let (key, value) = line.split_once(':').ok_or("a line needs `key: value`")?;
        last = key.to_owned();
        if keys.insert(last.clone(), value.trim().to_owned()).is_some() {
            return Err(format!("`{key}` is there twice"));
        }
    }
    Ok(keys)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        paths.push(entry.map_err(wrong)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn read_authority(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next().filter(|it| !it.is_empty())?;
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(own_port).unwrap_or(authority);
    Some(authority.to_owned())
}

/// The hosts of the APIs that the dialects are from. An OpenAI-compatible server may be any.
fn default_authority(dialect: &str) -> &'static str {
    match dialect {
        "anthropic-messages" => "api.anthropic.com",
        "gemini" => "generativelanguage.googleapis.com",
        "openai-responses" => "api.openai.com",
        _ => "compatible.test",
    }
}

const GEMINI_PATH: &str = "/v1beta/models/";

/// The dialects, and the paths of their requests.
const DIALECTS: [(&str, &str); 5] = [
    ("anthropic-messages", "/v1/messages"),
    ("gemini", GEMINI_PATH),
    ("openai-chat", "/v1/chat/completions"),
    ("openai-completions", "/v1/completions"),
    ("openai-responses", "/v1/responses"),
];

/// The files that are not of a case.
const FILES_BESIDE_CASES: [&str; 2] = [".gitattributes", "README.md"];

/// The files and folders of a case.
const FILES: [&str; 5] = [
    "case.txt",
    "expect",
    "request.http",
    "response.http",
    "stream.http",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_keys_and_their_continuations() {
        let keys = read_keys("a: 1: 2\nb:\n  3\n  4\n");
        let expected = [("a", "1: 2"), ("b", "\n3\n4")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(keys, Ok(BTreeMap::from(expected)));
        assert!(read_keys("a: 1\na: 2").is_err());
        assert!(read_keys("a").is_err());
    }

    #[test]
    fn reads_the_authority_of_urls() {
        let cases = [
            ("https://api.example.com/v1", Some("api.example.com")),
            ("https://api.example.com:443", Some("api.example.com")),
            ("http://localhost:11434/v1", Some("localhost:11434")),
            ("api.example.com", None),
            ("https:///v1", None),
        ];
        for (url, authority) in cases {
            assert_eq!(read_authority(url).as_deref(), authority, "{url}");
        }
    }

    #[test]
    fn refuses_folders_that_are_no_cases() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let error = Case::read(folder).map(|case| case.name);
        assert!(error.is_err_and(|error| error.contains("unknown file")));
    }

    #[test]
    fn all_cases_can_be_read() -> Result<(), String> {
        assert!(!cases()?.is_empty());
        Ok(())
    }
}
