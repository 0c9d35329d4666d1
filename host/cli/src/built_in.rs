//! The plugins that the binary carries. A file of the same name in the plugins folder takes the
//! place of one.

use jackfield_runtime::BuiltIn;

/// Their names and components.
pub(crate) static BUILT_IN: [BuiltIn; 9] = [
    (
        "anthropic",
        include_bytes!(concat!(env!("OUT_DIR"), "/anthropic.wasm")),
    ),
    (
        "fill-first",
        include_bytes!(concat!(env!("OUT_DIR"), "/fill-first.wasm")),
    ),
    (
        "gemini",
        include_bytes!(concat!(env!("OUT_DIR"), "/gemini.wasm")),
    ),
    (
        "least-busy",
        include_bytes!(concat!(env!("OUT_DIR"), "/least-busy.wasm")),
    ),
    (
        "openai",
        include_bytes!(concat!(env!("OUT_DIR"), "/openai.wasm")),
    ),
    (
        "openai-compatible",
        include_bytes!(concat!(env!("OUT_DIR"), "/openai-compatible.wasm")),
    ),
    (
        "round-robin",
        include_bytes!(concat!(env!("OUT_DIR"), "/round-robin.wasm")),
    ),
    (
        "sticky",
        include_bytes!(concat!(env!("OUT_DIR"), "/sticky.wasm")),
    ),
    (
        "weighted",
        include_bytes!(concat!(env!("OUT_DIR"), "/weighted.wasm")),
    ),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jackfield_config::DEFAULT_BASE_URLS;
    use jackfield_dispatch::port::PluginId;
    use jackfield_runtime::{Engine, Origin, Plugin};

    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    #[tokio::test]
    async fn default_base_urls_match_executor_descriptors() -> TestResult {
        let engine = Engine::new(None)?;
        let mut declared = Vec::new();
        for (name, component) in BUILT_IN {
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
        let known = DEFAULT_BASE_URLS.map(|(name, url)| (name, url.to_owned()));
        assert_eq!(declared, known);
        Ok(())
    }
}
