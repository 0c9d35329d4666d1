//! Coding tools go on with a session after a turn that was interrupted and after a compaction, at a family of each
//! dialect.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Families;
use crate::coding_tools::{CodingTool, ToolRun, mock_call, work_folder};

/// One family of each dialect.
const FAMILIES: [&str; 4] = ["claude", "gemini", "deepseek", "openai-responses"];

/// How each dialect names a call in the conversation: the one that was interrupted is still there.
const CALLS: [&str; 4] = [
    "\"functionCall\"",
    "\"function_call\"",
    "\"tool_calls\"",
    "\"tool_use\"",
];

/// A session of a tool with one family.
struct ToolSession<'a> {
    tool: CodingTool,
    families: &'a Families,
    home: TempDir,
    model: String,
    family: &'a str,
}

impl<'a> ToolSession<'a> {
    fn new(tool: CodingTool, families: &'a Families, model: &str, family: &'a str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(work_folder(&home)).unwrap();
        let model = format!("{model}-{family}");
        Self {
            tool,
            families,
            home,
            model,
            family,
        }
    }

    /// Runs a prompt, and checks that the family answered it.
    async fn prompt(&self, prompt: &str, resumes: bool) {
        let log = self.run(prompt, resumes).await;
        let expected = format!("key-of-{} says: ", self.family);
        assert!(log.contains(&expected), "{}: {log}", self.place(prompt));
    }

    /// Runs a prompt to its end.
    async fn run(&self, prompt: &str, resumes: bool) -> String {
        let origin = self.families.origin();
        let run = self.tool_run(&origin, prompt, resumes);
        let ended = self.tool.run_prompt(&self.home, &run).await;
        let (succeeded, log) = ended.unwrap_or_else(|error| {
            panic!("{}: {error}: {}", self.place(prompt), self.last_sent());
        });
        assert!(succeeded, "{}: {log}", self.place(prompt));
        log
    }

    /// Interrupts the tool while it runs a command.
    async fn interrupt_command(&self, tool: &str, member: &str) {
        let started = work_folder(&self.home).join("started");
        let command = format!("touch '{}' && sleep 600", started.display());
        let call = mock_call(tool, &json!({ member: command }));
        let origin = self.families.origin();
        let prompt = format!("Wait, please. {call}");
        let run = self.tool_run(&origin, &prompt, true);
        let has_started = async || Path::new(&started).exists();
        let ended = self.tool.interrupt(&self.home, &run, has_started).await;
        ended.unwrap();
    }

    fn tool_run<'r>(&'r self, origin: &'r str, prompt: &'r str, resumes: bool) -> ToolRun<'r> {
        ToolRun {
            origin,
            key: "any",
            model: &self.model,
            prompt,
            resumes,
            image: None,
            codex_compacts_at: None,
        }
    }

    fn place(&self, prompt: &str) -> String {
        format!("{:?} at {}, {prompt:?}", self.tool, self.family)
    }

    /// The conversation that the provider got last.
    fn last_sent(&self) -> String {
        let requests = self.families.provider.requests();
        let conversation = |body: &Value| {
            let found = ["messages", "contents", "input"].map(|name| body[name].clone());
            found.into_iter().find(Value::is_array)
        };
        let mut sent = requests.iter().rev();
        let last = sent.find_map(|request| conversation(&request.body));
        last.unwrap_or_default().to_string()
    }
}

async fn families(model: &str) -> Families {
    let families = Families::start(&FAMILIES, &[model]).await;
    families.provider.call_requested_tools_only();
    families
}

#[tokio::test]
async fn claude_code_goes_on_after_an_interrupted_call() {
    let families = families("claude-opus-4-8").await;
    for family in FAMILIES {
        let tool = CodingTool::ClaudeCode;
        let session = ToolSession::new(tool, &families, "claude-opus-4-8", family);
        session.prompt("The first one, please.", false).await;
        session.interrupt_command("Bash", "command").await;
        session.prompt("Go on, please.", true).await;
        let sent = session.last_sent();
        let has_call = CALLS.iter().any(|word| sent.contains(word));
        assert!(
            sent.contains("The first one") && has_call,
            "{family}: {sent}"
        );
    }
}

#[tokio::test]
async fn codex_goes_on_after_an_interrupted_call() {
    let families = families("gpt-5.5").await;
    for family in FAMILIES {
        let session = ToolSession::new(CodingTool::Codex, &families, "gpt-5.5", family);
        session.prompt("The first one, please.", false).await;
        session.interrupt_command("exec_command", "cmd").await;
        session.prompt("Go on, please.", true).await;
        let sent = session.last_sent();
        let has_call = CALLS.iter().any(|word| sent.contains(word));
        assert!(
            sent.contains("The first one") && has_call,
            "{family}: {sent}"
        );
    }
}

#[tokio::test]
async fn claude_code_goes_on_after_a_compaction() {
    let families = families("claude-opus-4-8").await;
    for family in FAMILIES {
        let tool = CodingTool::ClaudeCode;
        let session = ToolSession::new(tool, &families, "claude-opus-4-8", family);
        let file = work_folder(&session.home).join("read.txt");
        std::fs::write(&file, "something to read\n").unwrap();
        let call = mock_call("Read", &json!({ "file_path": file }));
        session
            .prompt(&format!("The first one, please. {call}"), false)
            .await;
        session.run("/compact", true).await;
        session.prompt("Go on, please.", true).await;
        // The provider gets its own summary, not the conversation.
        let sent = session.last_sent();
        let is_compacted = sent.contains("says: ") && !sent.contains("The first one");
        assert!(is_compacted, "{family}: {sent}");
    }
}

/// The words that Codex reads at first: with its own instructions more than the limit, which are less. The mock provider
/// counts words as tokens.
const WORDS_READ: usize = 15_000;

/// From so many tokens on Codex compacts.
const COMPACTED_FROM: u32 = 10_000;

/// Codex compacts by itself, before the next prompt, and goes on with the user's words and its summary. They still ask
/// for the call, which reads less by then.
#[tokio::test]
async fn codex_goes_on_after_a_compaction() {
    let families = families("gpt-5.5").await;
    for family in FAMILIES {
        let session = ToolSession::new(CodingTool::Codex, &families, "gpt-5.5", family);
        let file = work_folder(&session.home).join("read.txt");
        std::fs::write(&file, "a ".repeat(WORDS_READ)).unwrap();
        let call = mock_call("exec_command", &json!({ "cmd": "cat read.txt" }));
        session
            .prompt(&format!("The first one, please. {call}"), false)
            .await;
        let before = session.last_sent();
        std::fs::write(&file, "something to read\n").unwrap();
        let origin = session.families.origin();
        let compacting = ToolRun {
            codex_compacts_at: Some(COMPACTED_FROM),
            ..session.tool_run(&origin, "Go on, please.", true)
        };
        let ended = session.tool.run_prompt(&session.home, &compacting).await;
        let (succeeded, log) = ended.unwrap();
        let sent = session.last_sent();
        assert!(succeeded, "{family}: {log}: {sent}");
        let words = "a ".repeat(WORDS_READ / 2);
        assert!(before.contains(&words), "{family}: {before}");
        // The summary came from the provider, and what was read before is gone.
        let is_compacted = sent.contains("says: ") && !sent.contains(&words);
        assert!(is_compacted && sent.contains("Go on"), "{family}: {sent}");
    }
}
