//! Finds the name that a client means.

use std::sync::Arc;

use super::Pool;

/// Which name of the pool a client's name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameMatch {
    /// A credential serves exactly this name, or the name without its suffix.
    Exact,
    /// No credential does, and one name of enabled credentials differs only in upper and lower case.
    OtherCase(Arc<str>),
    /// No name, or more than one.
    None,
}

impl Pool {
    /// Returns which name a client's name is. `base` is the name without its suffix, if the suffix has a
    /// meaning; otherwise it is the whole name.
    pub fn match_name(&self, name: &str, base: &str) -> NameMatch {
        if self.by_name.contains_key(name) || self.by_name.contains_key(base) {
            return NameMatch::Exact;
        }
        for wanted in [name, base] {
            let of_enabled = |index: u32| {
                let index = self.name_indexes.get(index as usize);
                index.is_some_and(|index| !index.providers().is_empty())
            };
            let known = self.by_name.iter();
            let mut same = known
                .filter(|(name, index)| name.eq_ignore_ascii_case(wanted) && of_enabled(**index));
            match (same.next(), same.next()) {
                (Some((found, _)), None) => return NameMatch::OtherCase(Arc::clone(found)),
                (Some(_), Some(_)) => return NameMatch::None,
                (None, _) => {}
            }
        }
        NameMatch::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credential, PoolOptions, Served};

    fn pool(names: &[&str]) -> Pool {
        let names: Vec<Arc<str>> = names.iter().copied().map(Arc::from).collect();
        let mut credential = Credential::new("a", "p", "https://p.example");
        credential.serves = vec![Served::new("upstream", names)];
        Pool::new(vec![credential], PoolOptions::default()).unwrap()
    }

    #[test]
    fn matches_another_case_only_if_unambiguous() {
        let pool = pool(&["GPT", "gpt", "Claude", "m(Fast)"]);
        let found = |name, base| pool.match_name(name, base);
        let other = |name: &str| NameMatch::OtherCase(Arc::from(name));
        assert_eq!(found("gpt", "gpt"), NameMatch::Exact);
        assert_eq!(found("gpt(high)", "gpt"), NameMatch::Exact);
        assert_eq!(found("gpt(high)", "gpt(high)"), NameMatch::None);
        assert_eq!(found("Gpt", "Gpt"), NameMatch::None);
        assert_eq!(found("claude", "claude"), other("Claude"));
        assert_eq!(found("claude(high)", "claude"), other("Claude"));
        assert_eq!(found("M(fast)", "M(fast)"), other("m(Fast)"));
        assert_eq!(found("other", "other"), NameMatch::None);
    }

    #[test]
    fn does_not_guess_names_of_disabled_credentials() {
        let mut off = Credential::new("a", "p", "https://p.example");
        off.serves = vec![Served::new("upstream", vec![Arc::from("Claude")])];
        off.enabled = false;
        let pool = Pool::new(vec![off], PoolOptions::default()).unwrap();
        assert_eq!(pool.match_name("claude", "claude"), NameMatch::None);
        assert_eq!(pool.match_name("Claude", "Claude"), NameMatch::Exact);
    }
}
