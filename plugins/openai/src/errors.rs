//! Rules for error responses of OpenAI that the host's own rules would classify wrongly.

use jackfield_plugin::classify::{ProviderError, Rule};
use jackfield_plugin::executor::{Failure, HttpHead, Scope};

pub(crate) fn classify(head: &HttpHead, body: &[u8]) -> Failure {
    ProviderError::parse(head, body).classify(RULES)
}

const RULES: &[Rule] = &[
    // 429 is the status of a rate limit, but here waiting does not help.
    Rule {
        status: &[429],
        codes: &["insufficient_quota"],
        phrases: &[],
        scope: Scope::Credential,
        kind: "billing",
        source: "OpenAI, error codes, 429: the credits or the monthly budget are used up",
    },
    // The organization of another credential may be verified.
    Rule {
        status: &[400, 403, 404],
        codes: &[],
        phrases: &["organization must be verified"],
        scope: Scope::Model,
        kind: "permission",
        source: "OpenAI help center, API organization verification",
    },
    // The key is valid, but not for this: a refresh or another model would not help.
    Rule {
        status: &[401, 403],
        codes: &[],
        phrases: &["missing scopes"],
        scope: Scope::Credential,
        kind: "permission",
        source: "OpenAI, assigning API key permissions",
    },
    // An object in the client's request does not exist. The model does: it must not cool.
    Rule {
        status: &[404],
        codes: &["previous_response_not_found"],
        phrases: &[],
        scope: Scope::Request,
        kind: "invalid",
        source: "OpenAI, Responses, conversation state",
    },
    Rule {
        status: &[404],
        codes: &["invalid_request_error"],
        phrases: &[
            "container with id",
            "conversation with id",
            "item with id",
            "response with id",
            "vector store with id",
        ],
        scope: Scope::Request,
        kind: "invalid",
        source: "OpenAI, Responses, conversation state and tools: what is named by its id",
    },
];
