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
    tell("JACKFIELD_PLUGINS", &plugins);
    tell("JACKFIELD_GUESTS", &guests);
    tell("JACKFIELD_TARGET", target);
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

fn tell(variable: &str, folder: &Path) {
    println!("cargo::rustc-env={variable}={}", folder.display());
}
