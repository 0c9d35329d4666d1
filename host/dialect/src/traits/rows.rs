//! The built-in rows. Each file below `rows` has those of one vendor.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::TraitSet;

/// What the provider or a public report says about some servers or models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TraitRow {
    /// The name in the request's record.
    pub name: String,
    /// The provider's dialects that it is about.
    pub dialects: Vec<String>,
    /// The kind of server, which a provider's configuration may name; none for rows about models only.
    #[serde(default)]
    pub server: Option<String>,
    /// The hosts of the server: `api.example.com`, `*.example.com`, `*:11434`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The models, with `*` for any characters. Case does not count, nor what is before the last slash of
    /// a model's name, if the pattern has none.
    #[serde(default)]
    pub models: Vec<String>,
    /// The models that it is not about, though `models` matches.
    #[serde(default)]
    pub except: Vec<String>,
    /// What they take.
    pub traits: TraitSet,
    /// Where that is from.
    pub sources: Vec<TraitSource>,
    /// The cases in `tests/cases/wild` that show it.
    pub cases: Vec<String>,
}

/// Where a row is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TraitSource {
    /// The address of a page, or `owner/repository#number`.
    pub address: String,
    /// The day it was read: `2026-11-30`.
    pub date: String,
}

/// Returns the built-in rows, in the order of the files.
#[must_use]
pub fn rows() -> &'static [TraitRow] {
    &ROWS
}

/// Returns the kinds of servers that a configuration may name, in alphabetical order.
#[must_use]
pub fn servers() -> Vec<&'static str> {
    let names = rows().iter().filter_map(|row| row.server.as_deref());
    let names: BTreeSet<&str> = names.collect();
    names.into_iter().collect()
}

/// Parses the rows of one file.
///
/// # Errors
/// If it is not a list of rows.
pub fn parse_rows(text: &str) -> Result<Vec<TraitRow>, serde_json::Error> {
    serde_json::from_str(text)
}

static ROWS: LazyLock<Vec<TraitRow>> = LazyLock::new(|| {
    // A test parses every file, so none is left out here.
    let files = FILES.iter().filter_map(|text| parse_rows(text).ok());
    files.flatten().collect()
});

/// One file for each vendor.
pub(super) const FILES: &[&str] = &[
    include_str!("rows/dialects.json"),
    include_str!("rows/anthropic.json"),
    include_str!("rows/gemini.json"),
    include_str!("rows/openai.json"),
    include_str!("rows/deepseek.json"),
    include_str!("rows/hosts.json"),
    include_str!("rows/local.json"),
    include_str!("rows/minimax.json"),
    include_str!("rows/mistral.json"),
    include_str!("rows/moonshot.json"),
    include_str!("rows/qwen.json"),
    include_str!("rows/xai.json"),
    include_str!("rows/zhipu.json"),
];
