//! What a caller may ask of the mock provider beside what the dialect has: in the member
//! `mock` of the body or, where a translation stands between, in the text of a user's message.

use serde::Deserialize;
use serde_json::Value;

/// Begins a wish inside a text: `mock:directive {"words":2}`.
const DIRECTIVE_PREFIX: &str = "mock:directive ";

/// Begins a call inside a text: `mock:call TOOL {"path":"a"}`.
const CALL_PREFIX: &str = "mock:call ";

/// How a caller wants to be answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Directives {
    /// How many words the answer has.
    pub(super) words: u32,
    /// The pause before each event of a stream.
    pub(super) pause_ms: u64,
    /// The status to fail with.
    pub(super) status: Option<u16>,
    /// How many seconds to ask for before the next try, when it fails with a status.
    pub(super) retry_after: Option<u64>,
    /// After how many events to break off.
    pub(super) break_after: Option<u32>,
    /// After how many events to send an error event, in the dialect's own shape, and end.
    pub(super) events_error_after: Option<u32>,
    /// Answers with nothing in it.
    pub(super) empty: bool,
    /// Forgets a stream's last event.
    pub(super) omit_end: bool,
    /// How long to be silent, once.
    pub(super) silent_ms: u64,
    /// After how many events of a stream to be silent.
    pub(super) silent_after: u32,
    /// How many tokens of the prompt came from a cache.
    pub(super) cached_tokens: u64,
    /// Gives function calls an id where the dialect leaves that open, as Gemini's does.
    pub(super) call_ids: bool,
}

impl Default for Directives {
    fn default() -> Self {
        Self {
            words: 5,
            pause_ms: 0,
            status: None,
            retry_after: None,
            break_after: None,
            events_error_after: None,
            empty: false,
            omit_end: false,
            silent_ms: 0,
            silent_after: 0,
            cached_tokens: 0,
            call_ids: false,
        }
    }
}

impl Directives {
    /// Those in a body's member `mock`, and those that a user's text has over them.
    ///
    /// # Errors
    /// When a wish is not known.
    pub(super) fn read(body: &Value, text: &str) -> Result<Self, String> {
        let mut directives = body.get("mock").cloned().unwrap_or(Value::Null);
        for (_, directive) in values_after(text, DIRECTIVE_PREFIX) {
            let (Value::Object(more), true) =
                (directive, directives.is_object() || directives.is_null())
            else {
                return Err("a wish is an object".to_owned());
            };
            if directives.is_null() {
                directives = Value::Object(serde_json::Map::new());
            }
            if let Value::Object(directives) = &mut directives {
                directives.extend(more);
            }
        }
        if directives.is_null() {
            return Ok(Self::default());
        }
        serde_json::from_value(directives).map_err(|error| error.to_string())
    }
}

/// The calls that a text asks for: of which tools, with which arguments.
pub(super) fn requested_calls(text: &str) -> Vec<(String, Value)> {
    values_after(text, CALL_PREFIX)
        .into_iter()
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

/// For each mark in a text, the word after it, if there is one, and the JSON after that.
fn values_after(text: &str, mark: &str) -> Vec<(String, Value)> {
    let found = text.split(mark).skip(1).filter_map(|rest| {
        let json = rest.find('{')?;
        let mut values = serde_json::Deserializer::from_str(&rest[json..]).into_iter();
        let value = values.next()?.ok()?;
        Some((rest[..json].trim().to_owned(), value))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn directives_in_text_override_the_body() {
        let body = json!({ "mock": { "words": 2, "empty": true } });
        let directives = Directives::read(&body, "hello mock:directive {\"words\":3} now").unwrap();
        assert_eq!((directives.words, directives.empty), (3, true));
        assert_eq!(
            Directives::read(&json!({}), "hello"),
            Ok(Directives::default())
        );
    }

    #[test]
    fn rejects_unknown_directives() {
        assert!(Directives::read(&json!({ "mock": { "wrods": 2 } }), "").is_err());
        assert!(Directives::read(&json!({ "mock": 1 }), "mock:directive {}").is_err());
    }

    #[test]
    fn reads_requested_calls_from_text() {
        let text = "do mock:call write {\"path\": \"{a}\"} then mock:call read {} and end";
        let expected = vec![
            ("write".to_owned(), json!({ "path": "{a}" })),
            ("read".to_owned(), json!({})),
        ];
        assert_eq!(requested_calls(text), expected);
        assert_eq!(requested_calls("mock:call of the wild"), []);
    }
}
