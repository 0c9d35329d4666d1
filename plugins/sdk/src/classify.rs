//! Classifies error responses by a table of rules. A response that matches no rule is left to the host,
//! whose own rules know the errors that providers have in common.

use serde_json::Value;

use crate::executor::{Failure, HttpHead, Scope};

/// The meaning of an error response of a provider. It applies if the status, a code and a phrase match.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The status codes to which it applies.
    pub status: &'static [u16],
    /// Values of the error's `code`, `type` or `status`, or of a `reason` in its `details`, one of which
    /// must match. Empty: any.
    pub codes: &'static [&'static str],
    /// Parts of the error's message, in lower case, one of which must match. Empty: any. Only
    /// rules with the scope `request` see quoted parts, which may be the client's text. For others the phrase
    /// for ``The model `x` does not exist`` is ``model `` does not exist``.
    pub phrases: &'static [&'static str],
    /// The part to which the failure belongs.
    pub scope: &'static str,
    /// The kind of the failure.
    pub kind: &'static str,
    /// The documentation that the rule is from.
    pub source: &'static str,
}

/// An error response of a provider.
#[derive(Debug)]
pub struct ProviderError {
    status: u16,
    codes: Vec<String>,
    message: String,
    /// The member `error` of its body, null if there is none.
    pub error: Value,
}

impl ProviderError {
    /// Parses an error response: `{"error": {..}}`, or an array with that as its first item, which is the
    /// form of Google's errors for streams in JSON.
    pub fn parse(head: &HttpHead, body: &[u8]) -> Self {
        let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
        let places = ["/error", "/0/error"];
        let place = places.into_iter().find(|at| body.pointer(at).is_some());
        let error = place.and_then(|place| body.pointer_mut(place));
        let error = error.map(Value::take).unwrap_or_default();
        // Only texts are codes: Google's `code` is the HTTP status as a number, and its `status` has the
        // name.
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let members = ["code", "type", "status"].map(|name| text(&error[name]));
        let details = error["details"].as_array().into_iter().flatten();
        let reasons = details.map(|detail| text(&detail["reason"]));
        Self {
            status: head.status,
            codes: members.into_iter().chain(reasons).flatten().collect(),
            message: text(&error["message"]).unwrap_or_default(),
            error,
        }
    }

    /// Returns the failure of the first rule that applies, or one that leaves the response to the host.
    pub fn classify(&self, rules: &[Rule]) -> Failure {
        match rules.iter().find(|rule| self.matches(rule)) {
            Some(rule) => self.failure(rule.scope, rule.kind),
            None => self.failure(Scope::MODEL, Failure::UNCLASSIFIED),
        }
    }

    /// Returns a failure of this scope and kind, with the provider's message.
    pub fn failure(&self, scope: &str, kind: &str) -> Failure {
        let message = match truncate(&self.message) {
            "" => format!("the provider returned status {}", self.status),
            message => message.to_owned(),
        };
        Failure {
            status: Some(self.status),
            // A new token belongs to the same account: it does not help against missing permissions or
            // credits.
            refresh_suggested: scope == Scope::CREDENTIAL && kind == "authentication",
            ..Failure::new(scope, kind, message)
        }
    }

    fn matches(&self, rule: &Rule) -> bool {
        let has_code = |known: &&str| self.codes.iter().any(|word| word == known);
        rule.status.contains(&self.status)
            && (rule.codes.is_empty() || rule.codes.iter().any(has_code))
            && (rule.phrases.is_empty() || self.phrase_matches(rule))
    }

    fn phrase_matches(&self, rule: &Rule) -> bool {
        if rule.scope == Scope::REQUEST {
            return self.message_contains(rule.phrases);
        }
        let own = without_quoted(&self.message).to_lowercase();
        rule.phrases.iter().any(|phrase| own.contains(phrase))
    }

    /// Returns true if the message contains one of these phrases, which must be in lower case.
    pub fn message_contains(&self, phrases: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }
}

/// Cuts a message at [`MESSAGE_BYTES_MAX`]. Some providers put the whole request into it.
fn truncate(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)]
}

/// The maximum length of a message, in bytes. The host cuts messages at the same length.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Empties the quotes of a message, as the host's own rules do. An apostrophe inside a word opens none.
fn without_quoted(text: &str) -> String {
    let mut emptied = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['`', '"', '\'']) {
        let (before, from_quote) = rest.split_at(at);
        emptied.push_str(before);
        let (quote, inside) = from_quote.split_at(1);
        let follows_word = emptied.ends_with(char::is_alphanumeric);
        emptied.push_str(quote);
        rest = inside;
        if quote == "'" && follows_word {
            continue;
        }
        if let Some(after) = after_quote(quote, inside) {
            emptied.push_str(quote);
            rest = after;
        }
    }
    emptied.push_str(rest);
    emptied
}

/// Returns the text after the quote that closes.
fn after_quote<'a>(quote: &str, inside: &'a str) -> Option<&'a str> {
    inside.match_indices(quote).find_map(|(at, _)| {
        let after = &inside[at + 1..];
        let in_word = quote == "'" && after.starts_with(char::is_alphanumeric);
        (!in_word).then_some(after)
    })
}
