//! The default base URLs of the built-in executors.

/// Returns the base URL of a built-in executor for configurations without one.
pub fn default_base_url(executor: &str) -> Option<&'static str> {
    let (_, url) = DEFAULT_BASE_URLS
        .iter()
        .find(|(name, _)| *name == executor)?;
    Some(url)
}

/// Executors and their base URLs. `build.rs` writes them from the list in `plugins/build`; a test of
/// `host/cli` compares them with the executors' descriptors.
pub const DEFAULT_BASE_URLS: &[(&str, &str)] =
    &include!(concat!(env!("OUT_DIR"), "/default_base_urls.rs"));
