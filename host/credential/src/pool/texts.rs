//! Shares equal texts between credentials.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{Credential, ModelKey, ProviderName};

/// The texts of the credentials that are added together. The thousands of credentials of one
/// provider have the same names and base URL: shared, they take less memory, and their counts of
/// references stay in the processor's cache.
#[derive(Debug, Default)]
pub(super) struct Texts(BTreeSet<Arc<str>>);

impl Texts {
    /// Replaces a credential's texts by equal ones of earlier credentials.
    pub(super) fn share(&mut self, credential: &mut Credential) {
        credential.provider = ProviderName::new(self.shared(credential.provider.as_str()));
        credential.base_url = self.shared(&credential.base_url);
        for served in &mut credential.serves {
            served.model = ModelKey::new(self.shared(served.model.as_str()));
            served.upstream = self.shared(&served.upstream);
            for name in &mut served.names {
                *name = self.shared(name);
            }
        }
    }

    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(text);
        self.0.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Served;

    fn texts(credential: &Credential) -> Vec<&str> {
        let served = &credential.serves[0];
        let mut texts = vec![
            credential.provider.as_str(),
            &*credential.base_url,
            served.model.as_str(),
            &*served.upstream,
        ];
        texts.extend(served.names.iter().map(|name| &**name));
        texts
    }

    #[test]
    fn equal_texts_are_one() {
        let credential = |id: &str| Credential {
            serves: vec![Served::new(
                "gpt(high)",
                vec![Arc::from("gpt"), Arc::from("fast")],
            )],
            ..Credential::new(id, "acme", "https://acme.example")
        };
        let mut all = Texts::default();
        let [mut one, mut other] = ["a", "b"].map(credential);
        all.share(&mut one);
        all.share(&mut other);
        assert_eq!((one.id.as_str(), other.id.as_str()), ("a", "b"));
        assert_eq!(texts(&one), texts(&credential("a")));
        let pairs = texts(&one).into_iter().zip(texts(&other));
        assert!(
            pairs
                .into_iter()
                .all(|(one, other)| std::ptr::eq(one, other))
        );
    }
}
