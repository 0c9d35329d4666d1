//! Runs the unmodified `openai` SDK for Python against the real binary.

use axum::http::StatusCode;
use jackfield_mock_provider::MockFailure;

use crate::harness::{Jackfield, Upstream};
use crate::sdks::{python, scripts};

#[tokio::test]
async fn the_openai_sdk_for_python_works_unmodified() {
    let python = tokio::task::spawn_blocking(python).await.unwrap();
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
    // Two more providers, with different failures.
    let failing = |name: &str, status: u16| {
        let status = StatusCode::from_u16(status).unwrap();
        let failure = MockFailure {
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
        provider("mock"),
        provider("locked"),
        provider("busy")
    );
    let jackfield = Jackfield::start_in(folder, &config).await;
    let script = scripts("python").join("openai_sdk.py");
    let output = tokio::process::Command::new(python)
        .arg(script)
        .arg(jackfield.url("/v1"))
        .env_clear()
        .output()
        .await
        .unwrap();
    let log = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{log}");
    assert!(log.contains("all passed"), "{log}");
}
