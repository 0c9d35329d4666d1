//! The Rust toolchain that builds the plugins: adds the wasm target to it where that is missing.

use std::env;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{BuildError, TARGET};

#[cfg(test)]
mod tests;

/// An installed toolchain, and where to look for `rustup`.
pub(crate) struct Toolchain {
    sysroot: PathBuf,
    search_path: OsString,
}

impl Toolchain {
    /// Asks the compiler that cargo uses where its toolchain is.
    pub(crate) fn of_this_build() -> Result<Self, BuildError> {
        let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let sysroot = Command::new(&rustc)
            .args(["--print", "sysroot"])
            .output()
            .map_err(|cause| {
                BuildError(format!("cannot run `{rustc} --print sysroot`: {cause}"))
            })?;
        let sysroot = String::from_utf8_lossy(&sysroot.stdout);
        Ok(Self {
            sysroot: PathBuf::from(sysroot.trim()),
            search_path: env::var_os("PATH").unwrap_or_default(),
        })
    }

    /// Adds the wasm target with rustup unless the toolchain has it. Build scripts run in parallel, and
    /// of two `rustup target add` at the same time one fails, so a file lock lets one run at a time.
    pub(crate) fn install_target(&self) -> Result<(), BuildError> {
        // Where a lock file exists, another build script may have installed a part of the target so far.
        if self.has_target() && !self.lock_file().exists() {
            return Ok(());
        }
        let _lock = self.lock();
        // First again: another build script may have installed the target while this one waited. Last
        // again: a rustup that does not use this lock may have installed it meanwhile.
        if self.has_target() || self.add_target() || self.has_target() {
            return Ok(());
        }
        Err(BuildError(format!(
            "plugins need Rust's target {TARGET}, and `rustup target add {TARGET}` did not install \
             it: install it by hand for the toolchain in {} and build again",
            self.sysroot.display()
        )))
    }

    fn has_target(&self) -> bool {
        self.rustlib().join(TARGET).join("lib").is_dir()
    }

    fn add_target(&self) -> bool {
        Command::new("rustup")
            .args(["target", "add", TARGET])
            .env("PATH", &self.search_path)
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Waits for the lock and holds it until the file is dropped. A missing lock (the toolchain is
    /// read-only, or its file system has no locks) is no error here: rustup says why it cannot install.
    fn lock(&self) -> Option<File> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.lock_file())
            .ok()?;
        file.lock().ok()?;
        Some(file)
    }

    /// In the toolchain and not in a target directory: checkouts share the toolchain, but each has its
    /// own target directory. It is never removed, since another process may be waiting for it.
    fn lock_file(&self) -> PathBuf {
        self.rustlib().join(format!(".jackfield-{TARGET}.lock"))
    }

    fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }
}
