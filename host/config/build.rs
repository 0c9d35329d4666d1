//! Writes the default base URLs of the built-in executors, from the list of built-in plugins.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use jackfield_plugin_build::BUILT_IN;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rows = String::new();
    for plugin in BUILT_IN {
        if let Some(url) = plugin.default_base_url {
            writeln!(rows, "({:?}, {url:?}),", plugin.name)?;
        }
    }
    let file = PathBuf::from(std::env::var("OUT_DIR")?).join("default_base_urls.rs");
    fs::write(file, format!("[\n{rows}]\n"))?;
    Ok(())
}
