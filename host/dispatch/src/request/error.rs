//! What can be wrong with a plan.

use std::fmt;

use http::{HeaderName, Method};
use jackfield_dialect::json::PatchError;
use jackfield_signing::SigningError;

use crate::limits::SCHEMES_MAX;

/// Who did not allow an origin that is not the provider's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingConsent {
    /// The executor declares the host, but the operator does not grant the origin.
    Grant,
    /// The operator grants the origin, but the executor does not declare the host.
    Declaration,
    /// Neither.
    Both,
}

impl fmt::Display for MissingConsent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Grant => {
                "the operator's grant is missing (`providers[].grants`); the executor declares the host"
            }
            Self::Declaration => {
                "the executor's declaration is missing (`hosts` of its descriptor); the operator grants the origin"
            }
            Self::Both => {
                "both are missing, the operator's grant (`providers[].grants`) and the executor's declaration \
                 (`hosts` of its descriptor)"
            }
        })
    }
}

/// What is wrong with a plan. The subject of each message is the plan. No message contains a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// It captures secrets of a response that is not a token endpoint's.
    #[error("it captures secrets, which only `refresh` and `authorize` may")]
    Captures,
    /// The host sets this header itself.
    #[error("it sets the header `{0}`, which the host sets")]
    ConnectionHeader(HeaderName),
    /// A form field for a secret, but the body is not UTF-8.
    #[error("it puts a secret into a form, but the body is not text")]
    FormNotText,
    /// A name that HTTP does not allow for a header.
    #[error("{0:?} is not a valid header name")]
    HeaderName(String),
    /// The secret contains bytes that HTTP does not allow in a header.
    #[error("the secret is not a valid value for the header `{0}`")]
    HeaderValue(HeaderName),
    /// A JSON pointer for a secret that does not match the body.
    // Without the cause, which could contain the secret.
    #[error("its JSON pointer for a secret does not match the body")]
    JsonPointer,
    /// An origin that neither the provider nor a grant allows.
    #[error(
        "its URL has the origin {named}, but the credential is bound to {bound}; for another origin {missing}"
    )]
    Origin {
        /// The origin of the URL.
        named: String,
        /// The provider's own origin.
        bound: String,
        /// Who has yet to allow it.
        missing: MissingConsent,
    },
    /// A method that is not a request to the provider.
    #[error("its method `{0}` is not allowed")]
    Method(Method),
    /// A patch of the client's body that cannot be applied.
    #[error("its patch: {0}")]
    Patch(PatchError),
    /// A secret for a body that the executor did not write.
    #[error("it puts a secret into the client's body; secrets go only into a body of its own")]
    SecretInClientBody,
    /// A scheme that the host cannot carry out.
    #[error(transparent)]
    Scheme(#[from] SigningError),
    /// More schemes than one request needs.
    #[error("it uses more than {SCHEMES_MAX} schemes in one request")]
    TooManySchemes,
    /// The credential has no secret of this name.
    #[error("the credential has no secret `{0}`")]
    UnknownSecret(String),
    /// User information in the URL.
    #[error("its URL contains a user or a password; name a secret instead")]
    UserInUrl,
}
