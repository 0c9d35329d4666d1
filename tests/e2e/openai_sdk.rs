//! The `openai` SDK for Python, as its registry has it, against the real binary.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use axum::http::StatusCode;
use jackfield_http::practice::PracticeFailure;

use crate::harness::{Jackfield, Upstream};

/// The version that the tests were written against.
const OPENAI: &str = "openai==3.54.0";

#[tokio::test]
async fn the_openai_sdk_for_python_works_unmodified() {
    let python = tokio::task::spawn_blocking(python_with_openai)
        .await
        .unwrap();
    let upstream = Upstream::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let provider = |name: &str| {
        crate::harness::provider(
            name,
            "openai-compatible",
            &upstream,
            &[&format!("{name}-key")],
        )
    };
    // Providers of which each fails in its own way.
    let failing = |name: &str, status: u16| {
        let status = StatusCode::from_u16(status).unwrap();
        let failure = PracticeFailure {
            status,
            retry_after: None,
        };
        upstream
            .provider
            .fail(&format!("{name}-key"), Some(failure));
    };
    failing("locked", 401);
    failing("busy", 429);
    let config = format!(
        "client-keys: [ {{ name: team-a, key: key-of-team-a }} ]\nretry: {{ rounds: 1 }}\n\
         providers:\n{}{}{}",
        provider("practice"),
        provider("locked"),
        provider("busy")
    );
    let jackfield = Jackfield::start_in(folder, &config).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/e2e/python/openai_sdk.py");
    let output = tokio::process::Command::new(python)
        .arg(script)
        .arg(jackfield.url("/v1"))
        .env_clear()
        .output()
        .await
        .unwrap();
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
    assert!(told.contains("all held"), "{told}");
}

/// An interpreter that has the SDK, installed once below the target directory.
fn python_with_openai() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-openai");
    fs::create_dir_all(&folder).unwrap();
    // Two test runs at once must not install into the same folder.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let python = folder.join("venv/bin/python");
    let done = folder.join(OPENAI);
    if !done.exists() {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(folder.join("venv")));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", OPENAI]));
        File::create(done).unwrap();
    }
    python
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .expect("python3 with venv is needed for this test");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
}
