//! The base URLs of the built-in executors.

/// Returns the URL of the API of a built-in executor, for a configuration without `base-url`.
pub fn default_base_url(executor: &str) -> Option<&'static str> {
    let (_, url) = DEFAULT_BASE_URLS
        .iter()
        .find(|(name, _)| *name == executor)?;
    Some(url)
}

/// What the descriptors of these executors say. The configuration is read before any plugin is
/// loaded, so it needs its own copy; a test of the binary compares both.
pub const DEFAULT_BASE_URLS: [(&str, &str); 3] = [
    ("anthropic", "https://api.anthropic.com"),
    ("gemini", "https://generativelanguage.googleapis.com"),
    ("openai", "https://api.openai.com/v1"),
];
