//! Coding tools change the provider within a session, between each two dialects, and come back: with calls, reasoning,
//! instructions amid the conversation, and compaction.

use std::path::Path;

use serde_json::json;

use super::Families;
use crate::coding_tools::{CodingTool, ToolRun, mock_call, work_folder};

/// One family of each dialect.
const FAMILIES: [&str; 4] = ["claude", "gemini", "deepseek", "openai-responses"];

/// Goes from each family to each other one, once.
const WALK: [usize; 13] = [0, 1, 0, 2, 0, 3, 1, 2, 1, 3, 2, 3, 0];

/// A shorter walk, for a tool that needs seconds to start. It is at Gemini only at first: when it resumes a session, it
/// sends each result twice, which Gemini itself refuses, and Jackfield relays it as it is.
const ROUND: [usize; 5] = [1, 0, 2, 3, 0];

/// Runs a tool once for each step, all in one session. A step is a family and a model of the tool's catalog; `call` is
/// what the mock provider calls with this model.
async fn check_session(
    tool: CodingTool,
    walk: &[usize],
    models: &[&str],
    call: fn(&str, &Path) -> String,
) {
    let mut known = models.to_vec();
    known.dedup();
    let families = Families::start(&FAMILIES, &known).await;
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(work_folder(&home)).unwrap();
    let file = work_folder(&home).join("read.txt");
    std::fs::write(&file, "something to read\n").unwrap();
    for (step, place) in walk.iter().enumerate() {
        let family = FAMILIES[*place];
        let model = models[step % models.len()];
        let run = ToolRun {
            origin: &families.origin(),
            key: "any",
            model: &format!("{model}-{family}"),
            prompt: &format!("Step {step}, please. {}", call(model, &file)),
            resumes: step > 0,
            image: None,
            codex_compacts_at: None,
        };
        let (succeeded, log) = tool.run_prompt(&home, &run).await.unwrap();
        // Of the result, or of the instructions that Claude Code sends after it.
        let expected = format!("key-of-{family} says: ");
        assert!(
            succeeded && log.contains(&expected),
            "{tool:?} step {step} with {model} at {family}: {log}"
        );
    }
}

/// The models differ in where they take instructions: amid the conversation, or in the user's turns.
#[tokio::test]
async fn claude_code_switches_the_provider_in_a_session() {
    let models = ["claude-opus-4-8", "claude-sonnet-4-6"];
    let call = |_: &str, file: &Path| mock_call("Read", &json!({ "file_path": file }));
    check_session(CodingTool::ClaudeCode, &WALK, &models, call).await;
}

/// Codex drives the first model by functions and the second one by code, and compacts when they change.
#[tokio::test]
async fn codex_switches_the_provider_in_a_session() {
    let models = ["gpt-5.5", "gpt-5.5", "gpt-6.2-sol"];
    let call = |model: &str, _: &Path| match model {
        "gpt-5.5" => mock_call("exec_command", &json!({ "cmd": "cat read.txt" })),
        _ => {
            let script =
                "const r = await tools.exec_command({cmd: 'cat read.txt'}); text(r.output)";
            mock_call("functions__exec", &json!({ "input": script }))
        }
    };
    check_session(CodingTool::Codex, &WALK, &models, call).await;
}

#[tokio::test]
async fn gemini_cli_switches_the_provider_in_a_session() {
    let models = ["gemini-2.5-pro", "gemini-3.1-pro-preview"];
    let call = |_: &str, file: &Path| mock_call("read_file", &json!({ "file_path": file }));
    check_session(CodingTool::GeminiCli, &ROUND, &models, call).await;
}
