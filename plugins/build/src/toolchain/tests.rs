//! Tests with a toolchain that is a temporary folder, and a `rustup` that is a script.
#![cfg(unix)]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::Toolchain;

#[test]
fn installs_missing_target() {
    let fake = Fake::new(INSTALLS);
    fake.toolchain().install_target().unwrap();
    assert_eq!(fake.calls(), ["target add wasm32-wasip2"]);
    assert!(fake.toolchain().has_target());
}

#[test]
fn leaves_installed_target_alone() {
    let fake = Fake::new(INSTALLS);
    fs::create_dir_all(fake.folder.join("lib/rustlib/wasm32-wasip2/lib")).unwrap();
    fake.toolchain().install_target().unwrap();
    assert!(fake.calls().is_empty());
    assert!(!fake.toolchain().lock_file().exists());
}

#[test]
fn reports_failed_installation() {
    let fake = Fake::new("exit 1");
    let error = fake.toolchain().install_target().unwrap_err().to_string();
    assert!(error.contains("rustup target add wasm32-wasip2"), "{error}");
    assert!(
        error.contains(&fake.folder.display().to_string()),
        "{error}"
    );
}

#[test]
fn reports_missing_rustup() {
    let fake = Fake::new(INSTALLS);
    let toolchain = Toolchain {
        search_path: fake.folder.clone().into(),
        ..fake.toolchain()
    };
    assert!(toolchain.install_target().is_err());
}

/// Another process that does not know the lock, like rustup in a terminal, was faster.
#[test]
fn accepts_target_that_exists_after_failure() {
    let fake = Fake::new(&format!("{INSTALLS}\nexit 1"));
    fake.toolchain().install_target().unwrap();
}

#[test]
fn installs_without_lock_when_it_cannot_be_created() {
    let fake = Fake::new(INSTALLS);
    fs::remove_dir(fake.folder.join("lib/rustlib")).unwrap();
    fake.toolchain().install_target().unwrap();
    assert_eq!(fake.calls().len(), 1);
    assert!(!fake.toolchain().lock_file().exists());
}

/// The second `rustup` fails, as the real one does while the first one is still running.
#[test]
fn concurrent_calls_install_once() {
    let fake = Fake::new(&format!("mkdir \"$root/first\" || exit 1\n{INSTALLS}"));
    thread::scope(|scope| {
        let calls = [(); 4].map(|()| scope.spawn(|| fake.toolchain().install_target()));
        for call in calls {
            call.join().unwrap().unwrap();
        }
    });
    assert_eq!(fake.calls().len(), 1);
}

/// rustup makes the target's folder first and copies the files into it after that.
#[test]
fn waits_for_unfinished_installation() {
    let fake = Fake::new(INSTALLS);
    let toolchain = fake.toolchain();
    let lock = toolchain.lock().unwrap();
    fs::create_dir_all(toolchain.rustlib().join("wasm32-wasip2/lib")).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || sender.send(fake.toolchain().install_target().is_ok()));
        let early = receiver.recv_timeout(Duration::from_millis(200));
        assert_eq!(early, Err(RecvTimeoutError::Timeout));
        drop(lock);
        assert_eq!(receiver.recv(), Ok(true));
    });
}

/// Slow, so that calls which do not wait for each other overlap.
const INSTALLS: &str = "sleep 0.2\nmkdir -p \"$root/lib/rustlib/wasm32-wasip2/lib\"";

/// A toolchain's folder, with `bin/rustup` in it.
struct Fake {
    folder: PathBuf,
}

impl Fake {
    fn new(rustup: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("jackfield-toolchain-{}-{count}", process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(folder.join("lib/rustlib")).unwrap();
        fs::create_dir(folder.join("bin")).unwrap();
        let script = format!(
            "#!/bin/sh\nroot=$(dirname \"$0\")/..\necho \"$*\" >>\"$root/calls\"\n{rustup}\n"
        );
        // A shell writes it. If this process did, the child of another test could inherit the open
        // file, and Linux does not execute a file that is open for writing ("text file busy").
        let written = Command::new("sh")
            .args(["-c", "printf %s \"$1\" >\"$2\" && chmod +x \"$2\"", "sh"])
            .args([script.as_ref(), folder.join("bin/rustup").as_os_str()])
            .status()
            .unwrap();
        assert!(written.success());
        Self { folder }
    }

    fn toolchain(&self) -> Toolchain {
        let mut folders = vec![self.folder.join("bin")];
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        Toolchain {
            sysroot: self.folder.clone(),
            search_path: env::join_paths(folders).unwrap(),
        }
    }

    /// The arguments of each call of `rustup`.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}
