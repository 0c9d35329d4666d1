//! Which of the models that a provider lists are served.

use std::time::Duration;

use jackfield_dialect::traits::glob;

/// Which of the models that a provider lists its credentials serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDiscovery {
    /// Patterns of names, of which one must match; empty for all.
    pub include: Vec<String>,
    /// Patterns of names that are left out.
    pub exclude: Vec<String>,
    /// How often the provider is asked.
    pub interval: Duration,
}

impl ModelDiscovery {
    /// Whether a model of this name is served.
    pub fn serves(&self, name: &str) -> bool {
        let is_one_of = |patterns: &[String]| patterns.iter().any(|pattern| glob(pattern, name));
        (self.include.is_empty() || is_one_of(&self.include)) && !is_one_of(&self.exclude)
    }
}

/// All models. New ones are announced days before they are in use, so an hour is early enough.
impl Default for ModelDiscovery {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            interval: Duration::from_hours(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serves_what_is_included_and_not_excluded() {
        let patterns = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect();
        let of = |include: &[&str], exclude: &[&str]| ModelDiscovery {
            include: patterns(include),
            exclude: patterns(exclude),
            interval: Duration::ZERO,
        };
        for (include, exclude, name, serves) in [
            (&[][..], &[][..], "gpt-5", true),
            (&["gpt-*", "o*"], &[], "GPT-5", true),
            (&["gpt-*", "o*"], &[], "dall-e-3", false),
            (&[], &["*-audio*"], "gpt-5-audio-preview", false),
            (&["gpt-*"], &["*-audio*"], "gpt-5-mini", true),
        ] {
            assert_eq!(of(include, exclude).serves(name), serves, "{name}");
        }
    }
}
