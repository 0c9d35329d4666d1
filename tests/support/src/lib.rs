//! The guests as components, for the tests of the host. For `dev-dependencies` only: it panics if a guest
//! is missing.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use it, and a test cannot run without its guest"
)]

pub mod health;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The kind of an example guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestKind {
    /// An executor.
    Executor,
    /// A selector.
    Selector,
}

impl GuestKind {
    /// The word for it in file names.
    pub fn label(self) -> &'static str {
        match self {
            Self::Executor => "executor",
            Self::Selector => "selector",
        }
    }
}

/// Returns the component of a guest in Rust, such as `spins` for `tests/components/rust/spins.rs`.
pub fn guest(name: &str) -> Vec<u8> {
    read(&guest_path(name))
}

/// Returns the path of the component of a guest in Rust.
pub fn guest_path(name: &str) -> PathBuf {
    Path::new(env!("JACKFIELD_GUESTS")).join(format!("{name}.wasm"))
}

/// Returns a component that was built for version 0.1 of the contract: a file of
/// `tests/components/contract-0.1`.
pub fn guest_0_1(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../components/contract-0.1");
    read(&folder.join(format!("{name}.wasm")))
}

/// Returns the component of a built-in plugin, such as `round-robin`.
pub fn plugin(name: &str) -> Vec<u8> {
    let file = format!("jackfield_{}.wasm", name.replace('-', "_"));
    read(&Path::new(env!("JACKFIELD_PLUGINS")).join(file))
}

/// Converts a guest in WebAssembly's text format to a binary, such as `no_exports` for
/// `tests/components/wat/no_exports.wat`.
pub fn wat(name: &str) -> Vec<u8> {
    let path = components().join("wat").join(format!("{name}.wat"));
    wat::parse_file(path).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the component of an example guest in `rust`, `javascript` or `python`. The first one in another
/// language than Rust runs `tests/components/build-guests.sh`, which takes a minute or two if it has to
/// install its tools.
pub fn example_guest(language: &str, kind: GuestKind) -> Vec<u8> {
    match language {
        "rust" => guest(&format!("example_{}", kind.label())),
        _ => guest_in_language(language, kind.label()),
    }
}

/// Returns the executor for the made-up provider in `rust`, `javascript` or `python`.
pub fn acme_guest(language: &str) -> Vec<u8> {
    match language {
        "rust" => guest("acme"),
        _ => guest_in_language(language, "acme"),
    }
}

fn guest_in_language(language: &str, name: &str) -> Vec<u8> {
    /// The languages that this process has built: the script runs once for each.
    static BUILT: Mutex<BTreeMap<String, ()>> = Mutex::new(BTreeMap::new());
    let folder = target().join("guests");
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built
        .entry(language.to_owned())
        .or_insert_with(|| build_guests(language, &folder));
    drop(built);
    read(&folder.join(format!("{language}-{name}.wasm")))
}

/// Returns cargo's target directory. Tests put files below it that they use again in the next run.
pub fn target() -> &'static Path {
    Path::new(env!("JACKFIELD_TARGET"))
}

/// Returns the same component with another digest: `mark` goes into a custom section.
pub fn with_marker(mut component: Vec<u8>, mark: &str) -> Vec<u8> {
    const NAME: &str = "jackfield-test-mark";
    const CUSTOM_SECTION: u8 = 0;
    let byte = |length: usize| {
        u8::try_from(length)
            .ok()
            .filter(|length| *length < 0x80)
            .expect("a mark of less than a hundred bytes, whose length takes one byte")
    };
    component.push(CUSTOM_SECTION);
    component.push(byte(1 + NAME.len() + mark.len()));
    component.push(byte(NAME.len()));
    component.extend_from_slice(NAME.as_bytes());
    component.extend_from_slice(mark.as_bytes());
    component
}

fn build_guests(language: &str, folder: &Path) {
    let output = Command::new(components().join("build-guests.sh"))
        .arg(folder)
        .arg(language)
        .output()
        .expect("bash runs tests/components/build-guests.sh");
    assert!(
        output.status.success(),
        "tests/components/build-guests.sh {} {language} failed:\n{}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn components() -> &'static Path {
    static COMPONENTS: OnceLock<PathBuf> = OnceLock::new();
    COMPONENTS.get_or_init(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../components"))
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("reading the guest {}: {error}", path.display()))
}
