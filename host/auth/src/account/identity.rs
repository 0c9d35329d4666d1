//! Whether two definitions of a credential belong to the same account at the provider.
//!
//! | Credential | Same account |
//! |---|---|
//! | another provider or base URL | no |
//! | API key | no: nothing shows whose key it is |
//! | OAuth, both name an account id | if the ids are equal |
//! | OAuth, both name an e-mail address | if the addresses are equal, and the projects, if both name one |
//! | OAuth, otherwise | no: a wrong no costs one attempt, and a wrong yes may waste hours of another quota |
//!
//! Account id, address and project are read from the attributes and the metadata.

use std::collections::BTreeMap;

use jackfield_credential::{Credential, CredentialKind};
use serde_json::Value;

/// What shows whose credential it is.
pub(super) struct Owner<'a> {
    credential: &'a Credential,
    metadata: &'a BTreeMap<String, Value>,
}

impl<'a> Owner<'a> {
    pub(super) fn new(credential: &'a Credential, metadata: &'a BTreeMap<String, Value>) -> Self {
        Self {
            credential,
            metadata,
        }
    }

    /// True if both send their requests to the same provider.
    pub(super) fn has_same_provider(&self, other: &Self) -> bool {
        let (one, other) = (self.credential, other.credential);
        one.provider == other.provider && one.base_url == other.base_url
    }

    /// True if both are the same account; see the table above.
    pub(super) fn is_same_account(&self, other: &Self) -> bool {
        let oauth = |owner: &Self| owner.credential.kind == CredentialKind::Oauth;
        if !self.has_same_provider(other) || !oauth(self) || !oauth(other) {
            return false;
        }
        let agrees = |name| {
            let (one, other) = (self.text(name)?, other.text(name)?);
            Some(one.eq_ignore_ascii_case(other))
        };
        agrees(ACCOUNT_ID)
            .or_else(|| Some(agrees(EMAIL)? && agrees(PROJECT_ID).unwrap_or(true)))
            .unwrap_or(false)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        let attribute = self.credential.attributes.get(name).map(String::as_str);
        let text = attribute
            .or_else(|| self.metadata.get(name)?.as_str())?
            .trim();
        (!text.is_empty()).then_some(text)
    }
}

/// The members of CLIProxyAPI's credential files, and the names of attributes.
const ACCOUNT_ID: &str = "account_id";

/// See [`ACCOUNT_ID`].
const EMAIL: &str = "email";

/// See [`ACCOUNT_ID`]. Some providers have a quota for each project of an account.
const PROJECT_ID: &str = "project_id";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn credential(kind: CredentialKind, attributes: &[(&str, &str)]) -> Credential {
        let attributes = attributes.iter();
        Credential {
            kind,
            attributes: attributes
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
            ..Credential::new("a", "acme", "http://127.0.0.1:1")
        }
    }

    fn oauth_is_same(one: &[(&str, &str)], other: &[(&str, &str)]) -> bool {
        let credential = credential(CredentialKind::Oauth, &[]);
        let [one, other] = [one, other].map(|members| {
            let members = members.iter();
            members
                .map(|(name, text)| ((*name).to_owned(), json!(text)))
                .collect()
        });
        Owner::new(&credential, &one).is_same_account(&Owner::new(&credential, &other))
    }

    #[test]
    fn account_id_decides_before_address_and_project() {
        let me = ("email", "me@example.com");
        assert!(!oauth_is_same(&[], &[]));
        assert!(!oauth_is_same(&[me], &[]));
        assert!(oauth_is_same(&[me], &[("email", " ME@example.com ")]));
        assert!(!oauth_is_same(&[me], &[("email", "you@example.com")]));
        assert!(!oauth_is_same(
            &[me, ("project_id", "p")],
            &[me, ("project_id", "q")]
        ));
        assert!(!oauth_is_same(
            &[me, ("account_id", "1")],
            &[me, ("account_id", "2")]
        ));
        assert!(oauth_is_same(
            &[me, ("account_id", "1")],
            &[("email", "renamed@example.com"), ("account_id", "1")]
        ));
    }

    #[test]
    fn attributes_name_the_account_too() {
        let none = BTreeMap::new();
        let [one, other] =
            ["1", "2"].map(|id| credential(CredentialKind::Oauth, &[("account_id", id)]));
        let [one, other] = [&one, &other].map(|credential| Owner::new(credential, &none));
        assert!(one.is_same_account(&one) && !one.is_same_account(&other));
    }

    #[test]
    fn key_and_other_provider_are_another_account() {
        let none = BTreeMap::new();
        let key = credential(CredentialKind::ApiKey, &[]);
        let token = credential(CredentialKind::Oauth, &[]);
        let mut moved = token.clone();
        moved.base_url = "http://127.0.0.1:2".into();
        let [key, token, moved] = [&key, &token, &moved].map(|it| Owner::new(it, &none));
        assert!(token.has_same_provider(&key));
        assert!(!key.is_same_account(&key));
        assert!(!token.is_same_account(&key) && !token.is_same_account(&moved));
        assert!(!token.has_same_provider(&moved));
    }
}
