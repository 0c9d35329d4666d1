//! `jackfield case record`: a folder for the corpus out of a live call.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use jackfield_corpus::Case;

use crate::harness::{Upstream, binary, share_compiled_code};

/// The provider's key, which the mock provider repeats in its responses.
const KEY: &str = "sk-live-4f1d9c";

const REQUEST: &str = "POST /v1/messages HTTP/1.1\ncontent-type: application/json\nx-api-key: sk-client-77\n\n\
    {\"model\":\"m\",\"max_tokens\":99,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello there\"}]}\n";

async fn record(upstream: &Upstream, folder: &Path, out: &str, more: &[&str]) -> Output {
    let config = format!(
        "store: none\ndata: {0}/data\nplugins: {0}/plugins\nproviders:\n  - name: mock\n    \
         executor: openai-compatible\n    base-url: {1}/v1\n    \
         credentials: [ {{ id: a, api-key: {KEY} }} ]\n    models: [ {{ name: m }} ]\n",
        folder.display(),
        upstream.origin(),
    );
    fs::write(folder.join("jackfield.yaml"), config).unwrap();
    fs::write(folder.join("request"), REQUEST).unwrap();
    share_compiled_code(folder);
    let mut command = Command::new(binary());
    command
        .args(["case", "record", "--config"])
        .arg(folder.join("jackfield.yaml"));
    command.arg("--request").arg(folder.join("request"));
    command.arg("--out").arg(folder.join(out)).args(more);
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.unwrap().unwrap()
}

fn file(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_a_case_without_secrets() {
    let upstream = Upstream::start(&[KEY]).await;
    let folder = tempfile::tempdir().unwrap();
    let output = record(&upstream, folder.path(), "case", &["--provider", "mock"]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let out = folder.path().join("case");
    let case = Case::read(&out).unwrap();
    assert_eq!(
        (case.provider.as_str(), case.client()),
        ("openai-chat", Some("anthropic-messages"))
    );
    assert_eq!(case.authority, upstream.address.to_string());
    let stream = file(&out, "stream.http");
    assert!(
        stream.contains("[secret] ") && stream.ends_with("data: [DONE]\n\n"),
        "{stream}"
    );
    assert!(file(&out, "request.http").contains("hello there"));
    for name in ["case.txt", "request.http", "stream.http"] {
        let text = file(&out, name);
        assert!(
            !text.contains(KEY) && !text.contains("sk-client-77"),
            "{name}: {text}"
        );
    }
    // A folder is never written over.
    let again = record(&upstream, folder.path(), "case", &[]).await;
    assert!(!again.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_a_case_with_blank_texts() {
    let upstream = Upstream::start(&[KEY]).await;
    let folder = tempfile::tempdir().unwrap();
    let output = record(&upstream, folder.path(), "case", &["--blank"]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let out = folder.path().join("case");
    assert!(Case::read(&out).is_ok());
    let request = file(&out, "request.http");
    assert!(request.contains(r#""content":"xxxxx xxxxx""#), "{request}");
    assert!(!file(&out, "stream.http").contains("word-1"));
}
