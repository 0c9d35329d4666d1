//! Secrets that sign a request instead of standing in it. The host computes these schemes at each send.

use crate::executor::SecretPlace;

impl SecretPlace {
    /// A scheme that the host computes, with its parameters; `plugins/README.md` lists them.
    pub fn scheme(name: &str, parameters: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self::Scheme((name.to_owned(), parameters.iter().map(owned).collect()))
    }

    /// AWS Signature Version 4 with this secret as the secret access key. The credential also needs the secret
    /// `access-key-id`, and for temporary credentials `session-token`.
    pub fn aws_sigv4(region: &str, service: &str) -> Self {
        Self::scheme("aws-sigv4", &[("region", region), ("service", service)])
    }

    /// An assertion of RFC 7523, signed by RS256 with this secret, which is the JSON file of a Google service
    /// account. The host puts it into the form field `assertion`.
    pub fn service_account_assertion(audience: &str, scope: &str) -> Self {
        let parameters = [
            ("algorithm", "RS256"),
            ("audience", audience),
            ("scope", scope),
        ];
        Self::scheme("jwt-bearer", &parameters)
    }
}
