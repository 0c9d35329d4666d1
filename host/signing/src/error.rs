//! What can be wrong with the use of a scheme.

/// What is wrong with the use of a scheme. No message contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// This host does not have the scheme.
    #[error("this host does not know the scheme `{0}`")]
    UnknownScheme(String),
    /// A parameter that the scheme needs is missing.
    #[error("the scheme `{scheme}` needs the parameter `{parameter}`")]
    MissingParameter {
        /// The scheme.
        scheme: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// A parameter that the scheme does not have, or that occurs twice.
    #[error("the scheme `{scheme}` has no parameter `{parameter}`, or it occurs twice")]
    UnknownParameter {
        /// The scheme.
        scheme: &'static str,
        /// The parameter.
        parameter: String,
    },
    /// The value of a parameter is invalid.
    #[error("the parameter `{parameter}` of the scheme `{scheme}` must be {expected}")]
    InvalidParameter {
        /// The scheme.
        scheme: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The credential does not have a secret that the scheme needs.
    #[error("the credential has no secret `{0}`")]
    MissingSecret(String),
    /// A secret is not what the scheme needs.
    #[error("the secret `{name}` is not usable for the scheme `{scheme}`: {problem}")]
    UnusableSecret {
        /// The secret's name.
        name: String,
        /// The scheme.
        scheme: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The time of day cannot be expressed in the scheme.
    #[error("the time of day is not one that the scheme `{0}` can express; check the clock")]
    Time(&'static str),
}
