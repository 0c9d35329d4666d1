//! Runs unmodified coding tools. The prompt asks for a note, the mock provider responds with a call of
//! the tool that writes files, and gets the result.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{Upstream, wait_until};
use crate::sdks::node_packages;

/// The timeout of a tool. It needs seconds, but machines may be slow.
const TOOL_TIMEOUT: Duration = Duration::from_secs(180);

/// The text of the note.
const NOTE: &str = "written by a tool";

/// A coding tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodingTool {
    /// `@anthropic-ai/claude-code`, a client of Anthropic's Messages API.
    ClaudeCode,
    /// `@openai/codex`, a client of OpenAI's Responses API.
    Codex,
    /// `@google/gemini-cli`, a client of Gemini's API.
    GeminiCli,
}

/// One run of a tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToolRun<'a> {
    /// `http://` and an address.
    pub(crate) origin: &'a str,
    pub(crate) key: &'a str,
    pub(crate) model: &'a str,
    pub(crate) prompt: &'a str,
    /// Whether the run continues the last session in this home folder.
    pub(crate) resumes: bool,
    /// An image beside the prompt, for tools that take one on the command line.
    pub(crate) image: Option<&'a Path>,
    /// Codex compacts the conversation before the prompt if the last response counted so many tokens.
    pub(crate) codex_compacts_at: Option<u32>,
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

    /// Lets the tool write the note; returns whether it succeeded, and its whole output.
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
        let prompt = format!("Write the note, please. {}", self.write_call(home));
        let run = ToolRun {
            origin,
            key,
            model,
            prompt: &prompt,
            resumes: false,
            image: None,
            codex_compacts_at: None,
        };
        self.run_prompt(home, &run).await
    }

    /// Returns the words that make the mock provider call the tool that writes the note.
    pub(crate) fn write_call(self, home: &TempDir) -> String {
        let path = note(home).display().to_string();
        match self {
            Self::ClaudeCode => mock_call("Write", &json!({ "file_path": path, "content": NOTE })),
            Self::Codex => {
                let command = json!({ "cmd": format!("echo '{NOTE}' > '{path}'") });
                mock_call("exec_command", &command)
            }
            Self::GeminiCli => {
                mock_call("write_file", &json!({ "file_path": path, "content": NOTE }))
            }
        }
    }

    /// Runs the tool to its end; returns whether it succeeded, and its whole output.
    ///
    /// # Errors
    /// When it takes too long.
    pub(crate) async fn run_prompt(
        self,
        home: &TempDir,
        run: &ToolRun<'_>,
    ) -> Result<(bool, String), String> {
        let mut command = self.command(home, run).await;
        self.end(command.output()).await
    }

    /// Runs the tool until `reached` is true, then interrupts it as Ctrl-C does, with all of its processes. Returns
    /// whether it succeeded, and its whole output.
    ///
    /// # Errors
    /// When it takes too long.
    pub(crate) async fn interrupt<F: Future<Output = bool>>(
        self,
        home: &TempDir,
        run: &ToolRun<'_>,
        reached: impl FnMut() -> F,
    ) -> Result<(bool, String), String> {
        let mut command = self.command(home, run).await;
        let pipes = [Stdio::piped(), Stdio::piped()];
        let [stdout, stderr] = pipes;
        let child = command.process_group(0).stdout(stdout).stderr(stderr);
        let child = child.spawn().unwrap();
        let group = child.id().unwrap();
        wait_until("the tool can be interrupted", reached).await;
        let killed = std::process::Command::new("kill")
            .args(["-INT", "--", &format!("-{group}")])
            .status();
        assert!(killed.unwrap().success());
        self.end(child.wait_with_output()).await
    }

    async fn command(self, home: &TempDir, run: &ToolRun<'_>) -> Command {
        let folder = tokio::task::spawn_blocking(|| node_packages("coding_tools"));
        let modules = folder.await.unwrap().join("node_modules");
        std::fs::create_dir_all(work_folder(home)).unwrap();
        let mut command = match self {
            Self::ClaudeCode => claude_code(&modules, run),
            Self::Codex => codex(&modules, home, run),
            Self::GeminiCli => gemini_cli(&modules, home, run),
        };
        command
            .current_dir(work_folder(home))
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn end(
        self,
        output: impl Future<Output = std::io::Result<std::process::Output>>,
    ) -> Result<(bool, String), String> {
        let output = timeout(TOOL_TIMEOUT, output).await;
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

/// Returns the folder that a tool works in.
pub(crate) fn work_folder(home: &TempDir) -> PathBuf {
    home.path().join("work")
}

/// Returns the path of the note.
pub(crate) fn note(home: &TempDir) -> PathBuf {
    work_folder(home).join("note.txt")
}

/// Returns the words that make the mock provider call a tool.
pub(crate) fn mock_call(tool: &str, arguments: &Value) -> String {
    format!("mock:call {tool} {arguments}")
}

/// Creates a command of Node without environment variables, so that it cannot use a real account.
fn node_command(script: PathBuf) -> Command {
    let mut command = Command::new("node");
    command.arg(script).env_clear();
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

fn claude_code(modules: &Path, run: &ToolRun<'_>) -> Command {
    let mut command = node_command(modules.join("@anthropic-ai/claude-code/cli-wrapper.cjs"));
    command
        .args(["-p", run.prompt, "--model", run.model])
        .args(["--allowedTools", "Bash,Read,Write"])
        .env("ANTHROPIC_BASE_URL", run.origin)
        .env("ANTHROPIC_API_KEY", run.key)
        // With an error, the default takes minutes.
        .env("CLAUDE_CODE_MAX_RETRIES", "0")
        // The tests use the loopback only.
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1");
    if run.resumes {
        command.arg("--continue");
    }
    command
}

fn codex(modules: &Path, home: &TempDir, run: &ToolRun<'_>) -> Command {
    let limit = run.codex_compacts_at;
    let limit = limit.map(|tokens| format!("model_auto_compact_token_limit = {tokens}\n"));
    let limit = limit.unwrap_or_default();
    let config = format!(
        "model_provider = \"mock\"\n{limit}[analytics]\nenabled = false\n\
         [model_providers.mock]\nname = \"mock\"\nbase_url = \"{}/v1\"\n\
         env_key = \"MOCK_KEY\"\nwire_api = \"responses\"\n\
         request_max_retries = 0\nstream_max_retries = 0\n",
        run.origin
    );
    write_settings(home, ".codex/config.toml", &config);
    let mut command = node_command(modules.join("@openai/codex/bin/codex.js"));
    command
        .arg("exec")
        .args(["--skip-git-repo-check", "--model", run.model])
        // The prompts are the tests' own, and Codex's sandbox needs rights that containers lack.
        .arg("--dangerously-bypass-approvals-and-sandbox");
    if run.resumes {
        command.args(["resume", "--last"]);
    }
    if let Some(image) = run.image {
        // The list of images ends at the next option.
        command.arg("--image").arg(image).arg("--");
    }
    command.arg(run.prompt).env("MOCK_KEY", run.key);
    command
}

fn gemini_cli(modules: &Path, home: &TempDir, run: &ToolRun<'_>) -> Command {
    let settings = json!({
        "security": { "auth": { "selectedType": "gemini-api-key" } },
        "privacy": { "usageStatisticsEnabled": false },
        "telemetry": { "enabled": false },
        "general": { "enableAutoUpdate": false },
    });
    write_settings(home, ".gemini/settings.json", &settings.to_string());
    let mut command = node_command(modules.join("@google/gemini-cli/bundle/gemini.js"));
    command
        .args(["-p", run.prompt, "--model", run.model])
        // There is no user to confirm calls: the prompts are the tests' own, and their folder is new.
        .args(["--yolo", "--skip-trust"])
        .env("GEMINI_API_KEY", run.key)
        .env("GOOGLE_GEMINI_BASE_URL", run.origin);
    if run.resumes {
        command.args(["--resume", "latest"]);
    }
    command
}

fn write_settings(home: &TempDir, name: &str, settings: &str) {
    let path = home.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, settings).unwrap();
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
            .filter(|request| request.path.starts_with(path))
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

#[tokio::test]
async fn gemini_cli_completes_a_task() {
    run_directly(CodingTool::GeminiCli, "/v1beta/models/mock-large").await;
}
