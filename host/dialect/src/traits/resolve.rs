//! Selects the rows for a provider and a model, and merges them.

use super::{TraitRow, TraitSet, Traits, rows};
use crate::Dialect;

/// What rows are selected by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraitScope<'a> {
    /// The provider's dialect.
    pub dialect: Dialect,
    /// The kind of server that the configuration names. The host does not count then.
    pub server: Option<&'a str>,
    /// The base URL's host and port, as in `localhost:11434`; without a port where it is the scheme's
    /// own.
    pub authority: &'a str,
    /// The provider's name of the model.
    pub model: &'a str,
}

/// Where the value of a member is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraitOrigin {
    /// The member, by its name in the configuration.
    pub member: String,
    /// The name of the row, or of the place in the configuration.
    pub from: String,
}

/// Traits, and the rows that they are from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResolvedTraits {
    /// The traits.
    pub traits: Traits,
    /// The names of the rows that matched, the least specific first, and then the places in the
    /// configuration.
    pub rows: Vec<String>,
    /// The members that a row or the configuration set. The others have their defaults.
    pub origins: Vec<TraitOrigin>,
}

/// Resolves the traits of a provider for a model: the built-in rows, the most specific last, and then the
/// sets of the configuration, each with the name of its place.
#[must_use]
pub fn resolve(scope: &TraitScope<'_>, configured: &[(&str, &TraitSet)]) -> ResolvedTraits {
    let mut resolved = ResolvedTraits::default();
    let mut matching: Vec<(Specificity, &TraitRow)> = rows()
        .iter()
        .filter_map(|row| Some((row.specificity(scope)?, row)))
        .collect();
    // Stable: of rows that are as specific, the later one in the files wins.
    matching.sort_by_key(|(specificity, _)| *specificity);
    for (_, row) in matching {
        resolved.rows.push(row.name.clone());
        resolved.apply(&row.name, &row.traits);
    }
    for (place, set) in configured {
        if **set != TraitSet::default() {
            resolved.rows.push((*place).to_owned());
            resolved.apply(place, set);
        }
    }
    resolved
}

impl Traits {
    /// The traits of the built-in rows.
    #[must_use]
    pub fn built_in(dialect: Dialect, authority: &str, model: &str) -> Self {
        let scope = TraitScope {
            dialect,
            server: None,
            authority,
            model,
        };
        resolve(&scope, &[]).traits
    }
}

impl Traits {
    /// Returns the members with their values, as a configuration has them.
    #[must_use]
    pub fn shown(&self) -> Vec<(String, String)> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(members)) => {
                let text = |value: serde_json::Value| match value {
                    serde_json::Value::String(word) => word,
                    value => value.to_string(),
                };
                members
                    .into_iter()
                    .map(|(name, value)| (name, text(value)))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

impl ResolvedTraits {
    fn apply(&mut self, from: &str, set: &TraitSet) {
        self.traits.apply(set);
        for member in set.members() {
            self.origins.retain(|origin| origin.member != member);
            let from = from.to_owned();
            self.origins.push(TraitOrigin { member, from });
        }
    }
}

impl TraitSet {
    /// Returns the names of the members that it has.
    #[must_use]
    pub fn members(&self) -> Vec<String> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(members)) => members.into_iter().map(|it| it.0).collect(),
            _ => Vec::new(),
        }
    }
}

/// How specific a row is: whether it names a server, whether it names models, whether by the whole name, and how long
/// the pattern is.
type Specificity = (bool, bool, bool, usize);

impl TraitRow {
    /// Returns how specific the row is; `None` if it is not about this scope.
    fn specificity(&self, scope: &TraitScope<'_>) -> Option<Specificity> {
        if !self
            .dialects
            .iter()
            .any(|name| name == scope.dialect.name())
        {
            return None;
        }
        let about_server = self.server.is_some() || !self.hosts.is_empty();
        if about_server && !self.has_server(scope) {
            return None;
        }
        let matches = |pattern: &&String| model_matches(pattern, scope.model);
        if self.except.iter().any(|pattern| matches(&pattern)) {
            return None;
        }
        let pattern = self
            .models
            .iter()
            .filter(matches)
            .max_by_key(|it| (!it.contains('*'), it.len()));
        match (pattern, self.models.is_empty()) {
            (None, false) => None,
            (pattern, _) => Some((
                about_server,
                pattern.is_some(),
                pattern.is_some_and(|pattern| !pattern.contains('*')),
                pattern.map_or(0, String::len),
            )),
        }
    }

    fn has_server(&self, scope: &TraitScope<'_>) -> bool {
        match scope.server {
            Some(name) => self.server.as_deref() == Some(name),
            None => self.hosts.iter().any(|it| glob(it, scope.authority)),
        }
    }
}

/// Whether a pattern matches a model's name, or the name without its vendor.
fn model_matches(pattern: &str, model: &str) -> bool {
    let bare = model.rsplit('/').next().unwrap_or(model);
    glob(pattern, model) || (!pattern.contains('/') && glob(pattern, bare))
}

/// Whether a pattern with `*` for any characters matches a text. Case does not count.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_more_specific_than_patterns() {
        let traits = Traits::built_in(Dialect::OpenaiChat, "api.x.ai", "grok-4");
        let effort = "reasoning_effort".to_owned();
        assert!(traits.relay_members_refused.contains(&effort));
        let traits = Traits::built_in(Dialect::OpenaiChat, "api.x.ai", "grok-4.5");
        assert!(!traits.relay_members_refused.contains(&effort));
    }

    #[test]
    fn matches_patterns() {
        for (pattern, text, matches) in [
            ("gpt-5*", "GPT-5.5", true),
            ("gpt-5*", "gpt-4", false),
            ("*:11434", "localhost:11434", true),
            ("*.example.com", "example.com", false),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("a", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
        assert!(model_matches("deepseek-*", "deepseek-ai/deepseek-v4"));
        assert!(!model_matches("openai/*", "gpt-5"));
    }
}
