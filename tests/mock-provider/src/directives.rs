//! Directives: how a test controls the response. They are in the member `mock` of the body or, for requests
//! that a proxy translates, in the text of the user's last message.

use serde::Deserialize;
use serde_json::Value;

/// Begins directives in a text: `mock:directive {"words":2}`.
const DIRECTIVE_PREFIX: &str = "mock:directive ";

/// Begins a requested tool call in a text: `mock:call TOOL {"path":"a"}`.
const CALL_PREFIX: &str = "mock:call ";

/// How the response to a request differs from the default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Directives {
    /// The number of words of the response.
    pub(super) words: u32,
    /// The pause before each event of a stream, in milliseconds.
    pub(super) pause_ms: u64,
    /// Fails the request with this status.
    pub(super) status: Option<u16>,
    /// The retry delay in the response to a request that fails with `status`, in seconds.
    pub(super) retry_after: Option<u64>,
    /// Aborts the connection after this number of events.
    pub(super) break_after: Option<u32>,
    /// Sends the dialect's error event after this number of events, then ends the stream.
    pub(super) events_error_after: Option<u32>,
    /// Returns a response without content.
    pub(super) empty: bool,
    /// Omits the last event of a stream.
    pub(super) omit_end: bool,
    /// One more pause, in milliseconds: before a whole response, or inside a stream.
    pub(super) silent_ms: u64,
    /// The number of events before the pause `silent_ms` in a stream.
    pub(super) silent_after: u32,
    /// The number of prompt tokens that the usage reports as cached.
    pub(super) cached_tokens: u64,
    /// Calls only tools that `mock:call` names, whatever words the text has.
    pub(super) only_requested_calls: bool,
    /// Gives function calls an id in Gemini's responses, where ids are optional.
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
            only_requested_calls: false,
            call_ids: false,
        }
    }
}

impl Directives {
    /// Reads the directives of a body's member `mock`; those in the user's `text` override them.
    ///
    /// # Errors
    /// When a directive is unknown, or the directives are not an object.
    pub(super) fn read(body: &Value, text: &str) -> Result<Self, String> {
        let mut directives = body.get("mock").cloned().unwrap_or(Value::Null);
        for (_, directive) in values_after(text, DIRECTIVE_PREFIX) {
            let (Value::Object(more), true) =
                (directive, directives.is_object() || directives.is_null())
            else {
                return Err("directives must be a JSON object".to_owned());
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

/// Returns the tool calls that a text requests: names and arguments.
pub(super) fn requested_calls(text: &str) -> Vec<(String, Value)> {
    values_after(text, CALL_PREFIX)
        .into_iter()
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

/// Returns the text and the JSON object after each `mark`; invalid JSON is skipped.
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
