//! Reads when to try again from a provider's sentence. Pure.
//!
//! | sentence | source |
//! |---|---|
//! | `Please try again in 7.66s.`, `in 6m0s`, `in 644ms` | OpenAI; Groq: elizaOS/eliza#4040 |
//! | `Try again in 60 seconds.` | LiteLLM: BerriAI/litellm#5177; Azure-Samples/azure-search-openai-demo#177 |
//! | `Please retry after 54 seconds.` | Azure OpenAI: microsoft/PubSec-Info-Assistant#479 |
//! | `please try again after 1 seconds` | Moonshot: LLM-Red-Team/kimi-cc#16 |
//! | `Please retry in 10.6s.` | Gemini API |
//! | `Your quota will reset after 4m57s.` | Google Code Assist: badrisnarayanan/antigravity-claude-proxy#375 |
//! | `Your limit will reset at 2026-09-09 05:38:28`, `将在 2026-08-25 07:41:44 重置` | Z.ai and Zhipu, Beijing time: hugalafutro/model-hotel#955, dirge-code/dirge#818 |
//! | `resets at 2026-05-15T15:00:00Z` | MiniMax: MiniMax-AI/MiniMax-M2.7#36 |
//! | `You will regain access on 2026-04-01 at 00:00 UTC.` | Anthropic: anthropics/claude-code#38035 |

use std::time::Duration;

use jackfield_credential::Timestamp;

use super::{go_duration, seconds};
use crate::clock;

/// Returns the delay that a message names.
pub(crate) fn delay_in(message: &str) -> Option<Duration> {
    after_first(&BEFORE_DELAY, message, delay)
}

/// Returns the time that a message names.
pub(super) fn time_in(message: &str) -> Option<Timestamp> {
    after_first(&BEFORE_TIME, message, time)
}

/// Reads what follows a marker: the first one that is present and readable.
fn after_first<T>(markers: &[&str], message: &str, read: fn(&str) -> Option<T>) -> Option<T> {
    let lower = message.to_lowercase();
    let after = |marker: &&str| Some(&lower[lower.find(marker)? + marker.len()..]);
    markers.iter().filter_map(after).find_map(read)
}

/// Texts before a delay.
const BEFORE_DELAY: [&str; 7] = [
    "try again in ",
    "try again after ",
    "retry after ",
    "retry in ",
    "reset after ",
    "reset in ",
    "resets in ",
];

/// Texts before a time.
const BEFORE_TIME: [&str; 4] = ["reset at ", "resets at ", "regain access on ", "将在 "];

/// A delay at the beginning of a text: `6m0s`, or a number and its unit as words.
fn delay(text: &str) -> Option<Duration> {
    let mut words = text.split_whitespace().map(without_punctuation);
    let first = words.next()?;
    if let Some(duration) = go_duration(first) {
        return Some(duration);
    }
    let number: f64 = first.parse().ok()?;
    let unit = words.next()?;
    let (_, scale) = UNITS.iter().find(|(name, _)| unit.starts_with(name))?;
    seconds(number * scale)
}

/// The beginnings of units, in seconds.
const UNITS: [(&str, f64); 5] = [
    ("milli", 1e-3),
    ("sec", 1.0),
    ("min", 60.0),
    ("hour", 3_600.0),
    ("day", 86_400.0),
];

/// A time at the beginning of a text.
fn time(text: &str) -> Option<Timestamp> {
    let mut words = text.split_whitespace().map(without_punctuation);
    let first = words.next()?;
    if let Some(time) = clock::parse_rfc3339(&first.to_uppercase()) {
        return Some(time);
    }
    let mut words = words.skip_while(|word| *word == "at");
    let time = words.next()?;
    let offset = if words.next() == Some("utc") {
        "Z"
    } else {
        BEIJING
    };
    let time = match time.len() {
        5 => format!("{time}:00"),
        _ => time.to_owned(),
    };
    clock::parse_rfc3339(&format!("{first}T{time}{offset}"))
}

/// The zone of times without a zone. Only Z.ai and Zhipu are known to send such times.
const BEIJING: &str = "+08:00";

fn without_punctuation(word: &str) -> &str {
    word.trim_end_matches(['.', ',', ';', ')', '。', '，'])
}
