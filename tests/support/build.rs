//! Builds the guests in Rust and the built-in plugins, and passes their folders to the library.

use std::error::Error;
use std::path::Path;

use jackfield_plugin_build::{Guests, build};

fn main() -> Result<(), Box<dyn Error>> {
    let plugins = build(Guests::BuiltIn)?;
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

fn set_env(variable: &str, folder: &Path) {
    println!("cargo::rustc-env={variable}={}", folder.display());
}
