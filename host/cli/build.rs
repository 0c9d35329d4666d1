//! Builds the plugins that the binary carries inside it.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use jackfield_plugin_build::{Guests, build, exit_code};

fn main() -> ExitCode {
    exit_code(embed())
}

fn embed() -> Result<(), Box<dyn Error>> {
    let packages = BUILT_IN.map(|name| format!("jackfield-{name}"));
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    let folder = build(Guests::Plugins(&packages))?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    for name in BUILT_IN {
        let file = format!("jackfield_{}.wasm", name.replace('-', "_"));
        fs::copy(folder.join(file), out.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

const BUILT_IN: [&str; 9] = [
    "anthropic",
    "fill-first",
    "gemini",
    "least-busy",
    "openai",
    "openai-compatible",
    "round-robin",
    "sticky",
    "weighted",
];
