//! Builds the plugins that the binary carries, and writes the table that `src/built_in.rs` includes.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use jackfield_plugin_build::{BUILT_IN, Guests, build, exit_code};

fn main() -> ExitCode {
    exit_code(embed())
}

fn embed() -> Result<(), Box<dyn Error>> {
    let folder = build(Guests::BuiltIn)?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut components = String::new();
    for plugin in BUILT_IN {
        let (name, file) = (plugin.name, plugin.file());
        fs::copy(folder.join(&file), out.join(&file))?;
        // `include_bytes!` looks beside the file in which it stands, which is in `out` too.
        writeln!(components, "({name:?}, include_bytes!({file:?})),")?;
    }
    fs::write(out.join("components.rs"), format!("[\n{components}]\n"))?;
    Ok(())
}
