//! Rules for error responses of OpenAI that the host's own rules would classify wrongly.

use jackfield_plugin::classify::{ProviderError, Rule};
use jackfield_plugin::executor::{Failure, HttpHead, Scope};

pub(crate) fn classify(head: &HttpHead, body: &[u8]) -> Failure {
    ProviderError::parse(head, body).classify(RULES)
}

const RULES: &[Rule] = &[
    // The key is valid, but not for this: a refresh or another model would not help.
    Rule {
        status: &[401, 403],
        codes: &[],
        phrases: &["missing scopes"],
        scope: Scope::CREDENTIAL,
        kind: "permission",
        source: "OpenAI, assigning API key permissions",
    },
];
