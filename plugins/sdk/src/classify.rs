//! Judging error answers by a table of rules. What no rule knows is left to the host, whose own
//! table has what providers have in common.

use serde_json::Value;

use crate::executor::{Failure, HttpHead, Scope};

/// What an error answer of a provider means. All that it asks for must hold.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The status codes that it judges.
    pub status: &'static [u16],
    /// One of these as the error's code, type, status or reason; none: whatever they are.
    pub codes: &'static [&'static str],
    /// One of these within its sentence, in lower case; none: whatever it says.
    pub phrases: &'static [&'static str],
    /// Whose fault it is.
    pub scope: Scope,
    /// Of what kind.
    pub kind: &'static str,
    /// Whose documentation says so.
    pub source: &'static str,
}

/// What an error answer says.
#[derive(Debug)]
pub struct ProviderError {
    status: u16,
    codes: Vec<String>,
    message: String,
    /// Its member `error`, null where it has none.
    pub error: Value,
}

impl ProviderError {
    /// Reads an error answer: `{"error": {..}}`, or that as the only item of an array, which is how
    /// Google ends a stream that was to be one.
    pub fn parse(head: &HttpHead, body: &[u8]) -> Self {
        let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
        let places = ["/error", "/0/error"];
        let place = places.into_iter().find(|at| body.pointer(at).is_some());
        let error = place.and_then(|place| body.pointer_mut(place));
        let error = error.map(Value::take).unwrap_or_default();
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

    /// What the first rule that holds makes of it; otherwise it is left to the host.
    pub fn classify(&self, rules: &[Rule]) -> Failure {
        match rules.iter().find(|rule| self.matches(rule)) {
            Some(rule) => self.failure(rule.scope, rule.kind),
            None => self.failure(Scope::Model, Failure::UNCLASSIFIED),
        }
    }

    /// A failure of this scope and kind, in the provider's words.
    pub fn failure(&self, scope: Scope, kind: &str) -> Failure {
        let message = match self.message.as_str() {
            "" => format!("the provider answered {}", self.status),
            message => message.to_owned(),
        };
        Failure {
            status: Some(self.status),
            refresh_suggested: scope == Scope::Credential && kind == "authentication",
            ..Failure::new(scope, kind, message)
        }
    }

    fn matches(&self, rule: &Rule) -> bool {
        let has_code = |known: &&str| self.codes.iter().any(|word| word == known);
        rule.status.contains(&self.status)
            && (rule.codes.is_empty() || rule.codes.iter().any(has_code))
            && (rule.phrases.is_empty() || self.message_contains(rule.phrases))
    }

    /// Whether one of these stands in its sentence. They are in lower case.
    pub fn message_contains(&self, phrases: &[&str]) -> bool {
        let message = self.message.to_ascii_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }
}
