//! The plugins that the binary carries. A new one needs a row here, and its folder as a member in the
//! root manifest.

/// A plugin that the binary carries.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Its name in configurations: `openai` for the package `jackfield-openai` in `plugins/openai`.
    pub name: &'static str,
    /// For an executor: the `default-base-url` of its descriptor. The configuration needs it before any
    /// plugin is loaded; a test of `host/cli` compares the two.
    pub default_base_url: Option<&'static str>,
}

/// All of them, by name.
pub const BUILT_IN: &[BuiltIn] = &[
    executor("anthropic", "https://api.anthropic.com"),
    plugin("bedrock"),
    plugin("fill-first"),
    executor("gemini", "https://generativelanguage.googleapis.com"),
    plugin("least-busy"),
    executor("openai", "https://api.openai.com/v1"),
    plugin("openai-compatible"),
    plugin("round-robin"),
    plugin("sticky"),
    executor("vertex", "https://aiplatform.googleapis.com"),
    plugin("weighted"),
];

const fn plugin(name: &'static str) -> BuiltIn {
    BuiltIn {
        name,
        default_base_url: None,
    }
}

const fn executor(name: &'static str, default_base_url: &'static str) -> BuiltIn {
    BuiltIn {
        name,
        default_base_url: Some(default_base_url),
    }
}

impl BuiltIn {
    /// The package of its source.
    pub fn package(self) -> String {
        format!("jackfield-{}", self.name)
    }

    /// The file that [`build`](crate::build) makes of it.
    pub fn file(self) -> String {
        format!("jackfield_{}.wasm", self.name.replace('-', "_"))
    }
}
