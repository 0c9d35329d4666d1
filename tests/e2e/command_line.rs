//! The command line: what each subcommand says, and its exit code.

use std::fs;
use std::process::{Command, Output};

use crate::harness::binary;

fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn checked(config: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jackfield.yaml");
    fs::write(&path, config).unwrap();
    run(&["config", "check", path.to_str().unwrap()])
}

const PROVIDER: &str = "providers:\n  - name: acme\n    executor: openai-compatible\n    \
    base-url: http://127.0.0.1:9100/v1\n    credentials: [ { id: a, api-key: k } ]\n    \
    models: [ { name: m } ]\n";

#[test]
fn a_good_configuration_is_summed_up() {
    let output = checked(PROVIDER);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("1 provider(s), 1 credential(s), 1 model(s)"));
}

#[test]
fn all_mistakes_are_told_at_once_with_their_lines() {
    let output = checked(&format!("lisen: 1\n{PROVIDER}retry: {{ rounds: none }}\n"));
    assert_eq!(output.status.code(), Some(78));
    let told = text(&output.stderr);
    assert!(told.contains("jackfield.yaml:1:1"), "{told}");
    assert!(told.contains("jackfield.yaml:8:"), "{told}");
    assert!(told.contains("listen"), "{told}");
}

#[test]
fn a_server_open_to_the_network_without_keys_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jackfield.yaml");
    fs::write(&path, format!("listen: 0.0.0.0:8317\n{PROVIDER}")).unwrap();
    let output = run(&["serve", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        text(&output.stderr).contains("client-keys"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_command_line_without_sense_is_a_usage_error() {
    assert_eq!(run(&["sevre"]).status.code(), Some(64));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[test]
fn built_in_plugins_are_listed() {
    let output = run(&["plugin", "list"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let listed = text(&output.stdout);
    for name in [
        "anthropic",
        "fill-first",
        "gemini",
        "least-busy",
        "openai",
        "openai-compatible",
        "round-robin",
        "sticky",
        "weighted",
    ] {
        assert!(
            listed
                .lines()
                .any(|line| line.contains(name) && line.contains("built in")),
            "{listed}"
        );
    }
}

#[test]
fn a_plugin_that_cannot_serve_is_listed_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::write(plugins.join("broken.wasm"), "no component").unwrap();
    let path = folder.path().join("jackfield.yaml");
    fs::write(&path, PROVIDER).unwrap();
    let output = run(&["plugin", "list", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let listed = text(&output.stdout);
    assert!(
        listed.contains("broken.wasm is refused: it is not a WebAssembly file"),
        "{listed}"
    );
}

#[test]
fn the_demo_holds_every_step() {
    let output = run(&["demo", "--exit", "--listen", "127.0.0.1:0"]);
    let told = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{told}{}",
        text(&output.stderr)
    );
    assert!(told.contains("Every step held."), "{told}");
}
