//! Coding tools from their registry, unmodified, which complete a task: they are asked to write a note,
//! the provider has them call their own tool for it, and is told what came of that.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::Upstream;
use crate::sdks::node_packages;

/// How long a tool may take. It starts in seconds, but machines are shared.
const TOOL_TIMEOUT: Duration = Duration::from_secs(180);

/// What the note says.
const NOTE: &str = "written by a tool";

/// A coding tool.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CodingTool {
    /// `@anthropic-ai/claude-code`, which speaks Anthropic's messages.
    ClaudeCode,
    /// `@openai/codex`, which speaks OpenAI's responses.
    Codex,
}

impl CodingTool {
    /// Has the tool write a note, at whatever answers at this origin: `http://` and an address.
    pub(crate) async fn run_task(self, origin: &str, key: &str, model: &str) -> Result<(), String> {
        let folder = tokio::task::spawn_blocking(|| node_packages("coding_tools"));
        let modules = folder.await.unwrap().join("node_modules");
        let home = tempfile::tempdir().unwrap();
        let note = home.path().join("work/note.txt");
        std::fs::create_dir_all(home.path().join("work")).unwrap();
        let mut command = match self {
            Self::ClaudeCode => claude_code(&modules, &note.display().to_string(), origin, key),
            Self::Codex => codex(&modules, &home, &note.display().to_string(), origin, key),
        };
        command
            .args(["--model", model])
            .current_dir(home.path().join("work"))
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(TOOL_TIMEOUT, command.output()).await;
        let output = output
            .map_err(|_| format!("{self:?} took too long"))?
            .unwrap();
        let log = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let written = std::fs::read_to_string(note).unwrap_or_default();
        let passed =
            output.status.success() && written.trim() == NOTE && log.contains("says: result");
        if passed { Ok(()) } else { Err(log) }
    }
}

/// A program of Node that sees nothing of the machine's settings, and so of nobody's account.
fn node_command(script: PathBuf) -> Command {
    let mut command = Command::new("node");
    command.arg(script).env_clear();
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// What a user asks a tool for: the provider reads in it which tool it is to have called.
fn prompt(tool: &str, arguments: &Value) -> String {
    format!("Write the note, please. mock:call {tool} {arguments}")
}

fn claude_code(modules: &Path, note: &str, origin: &str, key: &str) -> Command {
    let mut command = node_command(modules.join("@anthropic-ai/claude-code/cli-wrapper.cjs"));
    let write = json!({ "file_path": note, "content": NOTE });
    command
        .args(["-p", &prompt("Write", &write), "--allowedTools", "Write"])
        .env("ANTHROPIC_BASE_URL", origin)
        .env("ANTHROPIC_API_KEY", key)
        // There is no network but the loopback.
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1");
    command
}

fn codex(modules: &Path, home: &TempDir, note: &str, origin: &str, key: &str) -> Command {
    let config = format!(
        "model_provider = \"mock\"\n[analytics]\nenabled = false\n\
         [model_providers.mock]\nname = \"mock\"\nbase_url = \"{origin}/v1\"\n\
         env_key = \"MOCK_KEY\"\nwire_api = \"responses\"\n"
    );
    let folder = home.path().join(".codex");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), config).unwrap();
    let mut command = node_command(modules.join("@openai/codex/bin/codex.js"));
    let run = json!({ "cmd": format!("echo '{NOTE}' > '{note}'") });
    command
        // What it runs is that one line, and its own sandbox needs rights that containers lack.
        .args(["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"])
        .arg(prompt("exec_command", &run))
        .env("MOCK_KEY", key);
    command
}

/// Runs a tool straight against the mock provider.
async fn run_directly(tool: CodingTool, path: &str) {
    let upstream = Upstream::start(&[]).await;
    let origin = upstream.origin();
    let written = tool.run_task(&origin, "key-a", "mock-large");
    if let Err(log) = written.await {
        panic!("{tool:?}: {log}");
    }
    // Once for the call, and once with what came of it.
    let recorded = upstream.provider.requests();
    assert!(
        recorded
            .iter()
            .filter(|request| request.path == path)
            .count()
            >= 2
    );
}

#[tokio::test]
async fn claude_code_completes_a_task() {
    run_directly(CodingTool::ClaudeCode, "/v1/messages").await;
}

#[tokio::test]
async fn codex_completes_a_task() {
    run_directly(CodingTool::Codex, "/v1/responses").await;
}
