//! Installs unmodified SDKs, once, below the target directory, and runs the scripts that test a server
//! with them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A script that tests the features of one SDK.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SdkScript {
    language: Language,
    file: &'static str,
    /// The path of the SDK's base URL.
    base_path: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Language {
    Python,
    Node,
}

/// The arguments of a script.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SdkCall<'a> {
    /// `http://` and an address, without a path.
    pub(crate) origin: &'a str,
    /// The key that the SDK sends.
    pub(crate) key: &'a str,
    pub(crate) model: &'a str,
    /// The key that must reach the mock provider; its responses show the key.
    pub(crate) expected_key: &'a str,
    /// The features to skip.
    pub(crate) excluded: &'a [&'a str],
}

impl SdkScript {
    /// The `openai` SDK for Python: chat completions, legacy completions, embeddings.
    pub(crate) const PYTHON_OPENAI_CHAT: Self = Self::python("openai_chat.py", "/v1");
    /// The `openai` SDK for Python: responses.
    pub(crate) const PYTHON_OPENAI_RESPONSES: Self = Self::python("openai_responses.py", "/v1");
    /// The `anthropic` SDK for Python.
    pub(crate) const PYTHON_ANTHROPIC: Self = Self::python("anthropic_messages.py", "");
    /// The `google-genai` SDK for Python.
    pub(crate) const PYTHON_GOOGLE: Self = Self::python("google_genai.py", "");
    /// The `openai` SDK for Node.
    pub(crate) const NODE_OPENAI: Self = Self::node("openai.mjs", "/v1");
    /// The `@anthropic-ai/sdk` for Node.
    pub(crate) const NODE_ANTHROPIC: Self = Self::node("anthropic.mjs", "");
    /// The `@google/genai` SDK for Node.
    pub(crate) const NODE_GOOGLE: Self = Self::node("google_genai.mjs", "");

    const fn python(file: &'static str, base_path: &'static str) -> Self {
        Self {
            language: Language::Python,
            file,
            base_path,
        }
    }

    const fn node(file: &'static str, base_path: &'static str) -> Self {
        Self {
            language: Language::Node,
            file,
            base_path,
        }
    }

    /// Runs the script. Returns its output, as an error if a feature failed.
    pub(crate) async fn run(self, call: SdkCall<'_>) -> Result<String, String> {
        self.run_only(call, &[]).await
    }

    /// Runs only these features; all of them if there is none.
    pub(crate) async fn run_only(self, call: SdkCall<'_>, only: &[&str]) -> Result<String, String> {
        let installed = tokio::task::spawn_blocking(move || match self.language {
            Language::Python => (python(), scripts("python")),
            Language::Node => (PathBuf::from("node"), node_scripts("node")),
        });
        let (program, folder) = installed.await.unwrap();
        let mut command = tokio::process::Command::new(program);
        command
            .arg(folder.join(self.file))
            .args(["--base-url", &format!("{}{}", call.origin, self.base_path)])
            .args(["--key", call.key, "--model", call.model])
            .args([
                "--upstream-key",
                call.expected_key,
                "--without",
                &call.excluded.join(","),
            ])
            .args(["--only", &only.join(",")]);
        // Environment variables, such as those of proxies, must not change what the SDK does.
        command.env_clear().env("PYTHONDONTWRITEBYTECODE", "1");
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        let output = command.output().await.unwrap();
        let log = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let passed = output.status.success() && log.contains("all passed");
        if passed { Ok(log) } else { Err(log) }
    }
}

/// Returns the folder of a language's scripts.
pub(crate) fn scripts(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/e2e")
        .join(language)
}

/// Returns a Python interpreter with the SDKs.
pub(crate) fn python() -> PathBuf {
    let requirements = scripts("python").join("requirements.txt");
    let folder = installed("python-packages", &[&requirements], |folder| {
        let python = folder.join("venv/bin/python");
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder.join("venv")));
        run(Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(&requirements));
    });
    folder.join("venv/bin/python")
}

/// Returns a folder with the packages and the scripts in a folder of the tests: Node searches for modules beside a
/// script.
pub(crate) fn node_scripts(name: &str) -> PathBuf {
    let folder = node_packages(name);
    for entry in fs::read_dir(scripts(name)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "mjs") {
            // Another test may read the script at the same time, so it is replaced with a rename.
            let name = path.file_name().unwrap().to_str().unwrap();
            let part = folder.join(format!("{name}.{}", part()));
            fs::copy(&path, &part).unwrap();
            fs::rename(part, folder.join(name)).unwrap();
        }
    }
    folder
}

/// Returns a folder with the packages of the lock file in a folder of the tests.
pub(crate) fn node_packages(name: &str) -> PathBuf {
    let scripts = scripts(name);
    let [package, lock] = ["package.json", "package-lock.json"].map(|name| scripts.join(name));
    installed(&format!("{name}-packages"), &[&package, &lock], |folder| {
        for file in [&package, &lock] {
            fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
        }
        let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        run(Command::new("npm").args(install).current_dir(folder));
    })
}

/// Returns an existing folder below the target directory.
pub(crate) fn temporary_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Returns a file name suffix that no concurrent copy uses.
fn part() -> String {
    format!(
        "{}-{:?}.part",
        std::process::id(),
        std::thread::current().id()
    )
}

/// Returns a folder below the target directory. `install` fills it again when one of `files` has changed.
fn installed(name: &str, files: &[&Path], install: impl FnOnce(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    // Concurrent tests must not install into the same folder.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let read = |file: &&Path| fs::read_to_string(file).unwrap();
    let wanted: String = files.iter().map(read).collect();
    let done = folder.join("installed-for");
    if fs::read_to_string(&done).is_ok_and(|found| found == wanted) {
        return folder;
    }
    install(&folder);
    fs::write(done, wanted).unwrap();
    folder
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .expect("this test needs python3 with venv, and node with npm");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {log}");
}
