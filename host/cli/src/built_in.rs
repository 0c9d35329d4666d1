//! The plugins that the binary carries. A file of the same name in the plugins folder replaces one.
//!
//! `build.rs` writes the table from the list in `plugins/build/src/built_in.rs`.

use jackfield_runtime::BuiltIn;

/// Names and components.
pub(crate) static BUILT_IN: &[BuiltIn] = &include!(concat!(env!("OUT_DIR"), "/components.rs"));

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jackfield_config::DEFAULT_BASE_URLS;
    use jackfield_dispatch::port::PluginId;
    use jackfield_runtime::{Engine, EngineOptions, Origin, Plugin};

    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    #[tokio::test]
    async fn default_base_urls_match_executor_descriptors() -> TestResult {
        let engine = Engine::new(EngineOptions::default())?;
        let mut declared = Vec::new();
        for (name, component) in BUILT_IN.iter().copied() {
            let id = PluginId {
                name: Arc::from(name),
                generation: 1,
            };
            let plugin = Plugin::prepare(&engine, id, component.to_vec(), Origin::BuiltIn).await?;
            let Some(executor) = plugin.executor() else {
                continue;
            };
            let options = executor.descriptor().options.clone();
            let url = options
                .into_iter()
                .find(|(option, _)| option == "default-base-url");
            declared.extend(url.map(|(_, url)| (name, url)));
        }
        let known = DEFAULT_BASE_URLS.iter();
        let known: Vec<_> = known
            .map(|(name, url)| (*name, (*url).to_owned()))
            .collect();
        assert_eq!(declared, known);
        Ok(())
    }
}
