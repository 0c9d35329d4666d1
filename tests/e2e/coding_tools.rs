//! Runs unmodified coding tools. The prompt asks for a note, the mock provider responds with a call of
//! the tool that writes files, and gets the result.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::Upstream;
use crate::sdks::node_packages;

/// The timeout of a tool. It needs seconds, but machines may be slow.
const TOOL_TIMEOUT: Duration = Duration::from_secs(180);

/// The text of the note.
const NOTE: &str = "written by a tool";

/// A coding tool.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CodingTool {
    /// `@anthropic-ai/claude-code`, a client of Anthropic's Messages API.
    ClaudeCode,
    /// `@openai/codex`, a client of OpenAI's Responses API.
    Codex,
}

impl CodingTool {
    /// Runs the tool against a server until it has written the note. `origin` is `http://` and an address.
    pub(crate) async fn run_task(self, origin: &str, key: &str, model: &str) -> Result<(), String> {
        let home = tempfile::tempdir().unwrap();
        let (succeeded, log) = self.run(&home, origin, key, model).await?;
        let written = std::fs::read_to_string(note(&home)).unwrap_or_default();
        let passed = succeeded && written.trim() == NOTE && log.contains("says: result");
        if passed { Ok(()) } else { Err(log) }
    }

    /// Runs the tool to its end; returns whether it succeeded, and its whole output.
    ///
    /// # Errors
    /// When it takes too long.
    pub(crate) async fn run(
        self,
        home: &TempDir,
        origin: &str,
        key: &str,
        model: &str,
    ) -> Result<(bool, String), String> {
        let folder = tokio::task::spawn_blocking(|| node_packages("coding_tools"));
        let modules = folder.await.unwrap().join("node_modules");
        let note = note(home).display().to_string();
        std::fs::create_dir_all(home.path().join("work")).unwrap();
        let mut command = match self {
            Self::ClaudeCode => claude_code(&modules, &note, origin, key),
            Self::Codex => codex(&modules, home, &note, origin, key),
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
        Ok((output.status.success(), log))
    }
}

fn note(home: &TempDir) -> PathBuf {
    home.path().join("work/note.txt")
}

/// Creates a command of Node without environment variables, so that it cannot use a real account.
fn node_command(script: PathBuf) -> Command {
    let mut command = Command::new("node");
    command.arg(script).env_clear();
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// Returns a prompt that makes the mock provider call a tool.
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
        // With an error, the default takes minutes.
        .env("CLAUDE_CODE_MAX_RETRIES", "0")
        // The tests use the loopback only.
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1");
    command
}

fn codex(modules: &Path, home: &TempDir, note: &str, origin: &str, key: &str) -> Command {
    let config = format!(
        "model_provider = \"mock\"\n[analytics]\nenabled = false\n\
         [model_providers.mock]\nname = \"mock\"\nbase_url = \"{origin}/v1\"\n\
         env_key = \"MOCK_KEY\"\nwire_api = \"responses\"\n\
         request_max_retries = 0\nstream_max_retries = 0\n"
    );
    let folder = home.path().join(".codex");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), config).unwrap();
    let mut command = node_command(modules.join("@openai/codex/bin/codex.js"));
    let run = json!({ "cmd": format!("echo '{NOTE}' > '{note}'") });
    command
        // The only command is this one, and Codex's sandbox needs rights that containers lack.
        .args(["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"])
        .arg(prompt("exec_command", &run))
        .env("MOCK_KEY", key);
    command
}

/// Runs a tool against the mock provider, without Jackfield.
async fn run_directly(tool: CodingTool, path: &str) {
    let upstream = Upstream::start(&[]).await;
    let origin = upstream.origin();
    let written = tool.run_task(&origin, "key-a", "mock-large");
    if let Err(log) = written.await {
        panic!("{tool:?}: {log}");
    }
    // One request for the call, and one with its result.
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
