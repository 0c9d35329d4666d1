//! Tests the output and the exit code of each subcommand.

use std::fs;
use std::process::{Command, Output};

use crate::harness::binary;

fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn check_config(config: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jackfield.yaml");
    fs::write(&path, config).unwrap();
    run(&["config", "check", path.to_str().unwrap()])
}

const PROVIDER: &str = "providers:\n  - name: acme\n    executor: openai-compatible\n    \
    base-url: http://127.0.0.1:9100/v1\n    credentials: [ { id: a, api-key: k } ]\n    \
    models: [ { name: m } ]\n";

#[test]
fn config_check_summarizes_a_valid_configuration() {
    let output = check_config(PROVIDER);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("1 provider(s), 1 credential(s), 1 model(s)"));
}

#[test]
fn config_check_names_plugins_that_do_not_exist() {
    let config = PROVIDER.replace("openai-compatible", "openai-compatble");
    let output = check_config(&format!("{config}routing: {{ selector: my-own }}\n"));
    assert_eq!(output.status.code(), Some(78));
    let stderr = text(&output.stderr);
    let executor = "provider `acme`: there is no executor `openai-compatble`; did you mean `openai-compatible`?";
    assert!(stderr.contains(executor), "{stderr}");
    let selector = "`routing.selector`: there is no selector `my-own`; add ";
    assert!(stderr.contains(selector), "{stderr}");
    assert!(
        stderr.contains("plugins/my-own.wasm, or take one of anthropic, "),
        "{stderr}"
    );
}

#[test]
fn config_check_knows_the_files_of_the_plugin_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jackfield.yaml");
    fs::write(&path, PROVIDER.replace("openai-compatible", "my-own")).unwrap();
    let check = || {
        run(&["config", "check", path.to_str().unwrap()])
            .status
            .code()
    };
    assert_eq!(check(), Some(78));
    fs::create_dir(folder.path().join("plugins")).unwrap();
    fs::write(folder.path().join("plugins/my-own.wasm"), "").unwrap();
    assert_eq!(check(), Some(0));
}

#[test]
fn config_check_reports_all_errors_with_lines() {
    let output = check_config(&format!("lisen: 1\n{PROVIDER}retry: {{ rounds: none }}\n"));
    assert_eq!(output.status.code(), Some(78));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("jackfield.yaml:1:1"), "{stderr}");
    assert!(stderr.contains("jackfield.yaml:8:"), "{stderr}");
    assert!(stderr.contains("listen"), "{stderr}");
}

#[test]
fn does_not_listen_publicly_without_client_keys() {
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
fn unknown_command_is_a_usage_error() {
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
fn plugin_list_shows_rejected_plugins() {
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
        listed.contains("broken.wasm cannot be used: it is not a WebAssembly file"),
        "{listed}"
    );
}

#[test]
#[cfg(feature = "demo")]
fn demo_passes_every_step() {
    let output = run(&["demo", "--exit", "--listen", "127.0.0.1:0"]);
    let stdout = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{stdout}{}",
        text(&output.stderr)
    );
    assert!(stdout.contains("All steps passed."), "{stdout}");
}
