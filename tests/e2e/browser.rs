//! Pages of attackers in a real Chromium: none of them may spend the operator's credentials. The browser comes from the
//! registry of Node packages, once, below the target directory.

use std::time::Duration;

use axum::Router;
use axum::response::Html;
use jackfield_http::serve as serve_http;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::harness::{Jackfield, Upstream};
use crate::sdks::{node_scripts, temporary_folder};

/// The attacks that need the browser's permission first: it asks the server, even one without protection.
const PREFLIGHTED: [&str; 1] = ["fetchJson"];

#[tokio::test]
async fn pages_in_a_real_browser_cannot_spend_credentials() {
    let pages = Router::new().fallback(|| async { Html("<!doctype html><title>page</title>") });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let never = std::future::pending();
    let server = tokio::spawn(serve_http(listener, pages, never, Duration::ZERO));
    let upstream = Upstream::start(&[]).await;
    let config = format!("cors: {{ origins: [ \"http://chat.test:{port}\" ] }}\n");
    let jackfield = Jackfield::start(&upstream, &["a"], &config).await;

    let folder = tokio::task::spawn_blocking(|| node_scripts("browser"))
        .await
        .unwrap();
    let mut command = tokio::process::Command::new("node");
    command
        .arg(folder.join("pages.mjs"))
        .arg(jackfield.url(""))
        .arg(format!("http://{}", jackfield.admin))
        .arg(port.to_string())
        // The package has the libraries that the browser needs beside it, and unpacks them if it believes to be in this
        // environment. A fresh machine may have none of them.
        .env("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs22.x")
        // Chromium is unpacked there.
        .env("TMPDIR", temporary_folder("browser-files"));
    let output = command.output().await.unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();

    server.abort();
    let attacks = found.as_object().unwrap();
    for (attack, outcome) in attacks.iter().filter(|(_, outcome)| outcome.is_object()) {
        let is_preflighted = PREFLIGHTED.iter().any(|name| attack.ends_with(name));
        assert_eq!(outcome["works"], !is_preflighted, "{attack}: {outcome}");
        if attack != "allowed" {
            for read in ["read", "readAdmin"] {
                assert_ne!(outcome[read], "200", "{attack}: {outcome}");
            }
        }
    }
    assert_eq!(found["rebind.rebinding"]["read"], "403");
    assert_eq!(found["admin.rebinding"]["read"], "403");
    assert_eq!(found["allowed"]["read"], "200");
    let calls = upstream.provider.requests().len();
    assert_eq!(
        calls, 1,
        "only the allowed page reaches the provider: {found}"
    );
}
