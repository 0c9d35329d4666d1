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
