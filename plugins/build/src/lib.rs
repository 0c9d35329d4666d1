//! Builds plugins as components, from a build script: installs the wasm target where it is missing,
//! and runs a cargo of its own with a target directory of its own, so that it never waits for the
//! build that it is part of.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

mod toolchain;

use toolchain::Toolchain;

/// What components are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// Which packages of the workspace to build.
#[derive(Debug, Clone, Copy)]
pub enum Guests<'a> {
    /// The `cdylib` of each of these packages.
    Plugins(&'a [&'a str]),
    /// All examples of one package.
    ExamplesOf(&'a str),
}

/// Why there are no components.
#[derive(Debug)]
pub struct BuildError(String);

impl fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// Builds guests and returns the folder that holds them, a `.wasm` file each: `round-robin` of the
/// package `jackfield-round-robin` is `jackfield_round_robin.wasm`. Has cargo run the calling build
/// script again when what they are made of changes.
///
/// # Errors
/// When the wasm target is missing and cannot be installed, or when cargo fails.
pub fn build(guests: Guests<'_>) -> Result<PathBuf, BuildError> {
    let workspace = workspace()?;
    let inputs: &[&str] = match guests {
        Guests::Plugins(_) => &["plugins", "wit", "Cargo.lock"],
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
        Guests::Plugins(_) => built,
        Guests::ExamplesOf(_) => built.join("examples"),
    })
}

/// Ends a build script: an error is told in cargo's own words, a line each.
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
    reason = "this is how a build script speaks to cargo"
)]
fn print_instruction(instruction: &str) {
    println!("cargo::{instruction}");
}

/// The profile of the root manifest that components are built with.
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

/// `OUT_DIR` is `TARGET_DIR/PROFILE/build/PACKAGE/out`. A folder of our own next to the profiles:
/// an inner cargo in the same folder would wait for the outer one's lock for ever.
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
        .args(["build", "--locked", "--profile", PROFILE]);
    command
        .args(["--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir);
    let packages = match guests {
        Guests::Plugins(packages) => packages,
        Guests::ExamplesOf(ref package) => std::slice::from_ref(package),
    };
    packages.iter().for_each(|package| {
        command.args(["--package", package]);
    });
    if matches!(guests, Guests::ExamplesOf(_)) {
        command.arg("--examples");
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

/// What the outer cargo set for the host's own build would go into the guests' otherwise: flags for
/// another target, clippy in the compiler's place, another target directory.
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
