//! No code, only a list of dependencies with their features, so that the tests of one crate and of
//! all crates use the same compiled dependencies.
//!
//! Cargo builds a dependency with the features that the selected crates ask for. Without this crate,
//! `cargo test -p jackfield-runtime` would compile wasmtime again after `cargo test`. Crates of the
//! host list it in `[dev-dependencies]` only: the binary is built without it, and does not get
//! features that only tests need, like tokio's `test-util`. That is also why it is not in `host`,
//! whose crates are all built by default.
//!
//! cargo-hakari writes the list: `cargo install cargo-hakari --locked` once, then
//! `cargo hakari generate`. `.config/hakari.toml` configures it, and `tests/tidy/features.rs` fails
//! when the list is out of date. A new crate that is built by default adds
//! `jackfield-workspace-hack.workspace = true` to its `[dev-dependencies]`.
