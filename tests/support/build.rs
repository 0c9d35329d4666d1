//! Builds the guests in Rust and the built-in plugins, and tells the library where they are.

use std::error::Error;
use std::path::Path;

use jackfield_plugin_build::{Guests, build};

fn main() -> Result<(), Box<dyn Error>> {
    let plugins = build(Guests::Plugins(&BUILT_IN))?;
    let guests = build(Guests::ExamplesOf("jackfield-test-components"))?;
    // The folder of the plugins is TARGET_DIR/plugins/TARGET/PROFILE.
    let target = plugins
        .ancestors()
        .nth(3)
        .ok_or("the plugins are not below a target directory")?;
    set_env("JACKFIELD_PLUGINS", &plugins);
    set_env("JACKFIELD_GUESTS", &guests);
    set_env("JACKFIELD_TARGET", target);
    Ok(())
}

/// The plugins that the binary carries.
const BUILT_IN: [&str; 9] = [
    "jackfield-anthropic",
    "jackfield-fill-first",
    "jackfield-gemini",
    "jackfield-least-busy",
    "jackfield-openai",
    "jackfield-openai-compatible",
    "jackfield-round-robin",
    "jackfield-sticky",
    "jackfield-weighted",
];

fn set_env(variable: &str, folder: &Path) {
    println!("cargo::rustc-env={variable}={}", folder.display());
}
