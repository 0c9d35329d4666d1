//! The plugins that the binary carries. A file of the same name in the plugins folder takes the
//! place of one.

use jackfield_runtime::BuiltIn;

/// Their names and components.
pub(crate) static BUILT_IN: [BuiltIn; 6] = [
    (
        "fill-first",
        include_bytes!(concat!(env!("OUT_DIR"), "/fill-first.wasm")),
    ),
    (
        "least-busy",
        include_bytes!(concat!(env!("OUT_DIR"), "/least-busy.wasm")),
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
