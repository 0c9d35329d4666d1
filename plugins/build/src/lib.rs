//! Builds plugins as components from a build script. It installs the wasm target if it is missing, and
//! runs an inner cargo with its own target directory, because an inner cargo in the directory of the
//! outer one would wait for the outer one's lock.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

mod built_in;
mod toolchain;

pub use built_in::{BUILT_IN, BuiltIn};
use toolchain::Toolchain;

/// The target triple of components.
pub const TARGET: &str = "wasm32-wasip2";

/// The components to build.
#[derive(Debug, Clone, Copy)]
pub enum Guests<'a> {
    /// The plugins of [`BUILT_IN`].
    BuiltIn,
    /// All examples of a package of the workspace.
    ExamplesOf(&'a str),
}

/// Why the components could not be built.
#[derive(Debug)]
pub struct BuildError(String);

impl fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// Builds guests and returns the folder with one `.wasm` file for each: [`BuiltIn::file`] for a plugin,
/// the example's name otherwise. Tells cargo to run the calling build script again when a source file
/// of the guests changes.
///
/// # Errors
/// When the wasm target is missing and cannot be installed, or when cargo fails.
pub fn build(guests: Guests<'_>) -> Result<PathBuf, BuildError> {
    let workspace = workspace()?;
    let inputs: &[&str] = match guests {
        Guests::BuiltIn => &["plugins", "wit", "Cargo.lock"],
        Guests::ExamplesOf(_) => &["plugins", "wit", "Cargo.lock", "tests/components"],
    };
    for input in inputs {
        print_instruction(&format!(
            "rerun-if-changed={}",
            workspace.join(input).display()
        ));
    }
    Toolchain::of_this_build()?.install_target()?;
    let target_dir = target_dir()?;
    run(&workspace, &target_dir, guests)?;
    let built = target_dir.join(TARGET).join(PROFILE);
    Ok(match guests {
        Guests::BuiltIn => built,
        Guests::ExamplesOf(_) => built.join("examples"),
    })
}

/// Returns the exit code of a build script. Reports an error to cargo, with one instruction for each
/// of its lines.
pub fn exit_code<E: fmt::Display>(result: Result<(), E>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    let lines = error.to_string();
    lines
        .lines()
        .for_each(|line| print_instruction(&format!("error={line}")));
    ExitCode::FAILURE
}

#[expect(
    clippy::print_stdout,
    reason = "cargo reads instructions from standard output"
)]
fn print_instruction(instruction: &str) {
    println!("cargo::{instruction}");
}

/// The profile for components, from the root manifest.
const PROFILE: &str = "plugin";

fn workspace() -> Result<PathBuf, BuildError> {
    let start = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    start
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .map(Path::to_owned)
        .ok_or_else(|| {
            BuildError(format!(
                "no Cargo.lock above {}: build inside the workspace",
                start.display()
            ))
        })
}

/// Returns a folder beside those of the profiles. `OUT_DIR` is `TARGET_DIR/PROFILE/build/PACKAGE/out`.
fn target_dir() -> Result<PathBuf, BuildError> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = out.ancestors().nth(4).unwrap_or(&out);
    Ok(target.join("plugins"))
}

fn run(workspace: &Path, target_dir: &Path, guests: Guests<'_>) -> Result<(), BuildError> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace)
        // `--locked`: a build script must not change the lock file that the outer cargo has read.
        .args(["build", "--locked", "--profile", PROFILE]);
    command
        .args(["--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir);
    match guests {
        Guests::BuiltIn => {
            for plugin in BUILT_IN {
                command.args(["--package", &plugin.package()]);
            }
        }
        Guests::ExamplesOf(package) => {
            command.args(["--package", package, "--examples"]);
        }
    }
    clear_outer_build(&mut command);
    let output = command
        .output()
        .map_err(|cause| BuildError(format!("cannot run cargo: {cause}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(BuildError(format!(
        "the plugins did not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    )))
}

/// Removes the variables that the outer cargo set for the host's build. They would give the guests flags
/// of another target, clippy instead of the compiler, or another target directory.
fn clear_outer_build(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let of_outer_build = name.starts_with("CARGO_PROFILE_")
            || name.starts_with("CARGO_FEATURE_")
            || name.starts_with("CARGO_CFG_")
            || OUTER_BUILD.contains(&name);
        if of_outer_build {
            command.env_remove(name);
        }
    }
}

const OUTER_BUILD: [&str; 10] = [
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC_LINKER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "RUSTC",
    "RUSTDOC",
];

fn variable(name: &str) -> Result<String, BuildError> {
    env::var(name)
        .map_err(|_| BuildError(format!("{name} is not set: call this from a build script")))
}
