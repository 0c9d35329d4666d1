//! Coding tools finish a task at each family of strict servers. They read an image and a PDF, search for tools, apply a
//! patch, and write a note, as far as they have tools for it.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Families;
use crate::coding_tools::{CodingTool, ToolRun, mock_call, note, work_folder};

/// How many tools run at the same time: each one starts in a second of CPU time or two.
const TOOLS_AT_ONCE: usize = 3;

/// The families for Gemini CLI, which takes seconds to start.
const FOR_GEMINI_CLI: [&str; 5] = [
    "claude",
    "deepseek",
    "gemini",
    "mistral",
    "openai-responses",
];

/// A image of one pixel.
const PNG: [u8; 70] = [
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4,
    0x89, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x64, 0x60, 0xf8, 0x5f,
    0x0f, 0x00, 0x02, 0x87, 0x01, 0x80, 0xeb, 0x47, 0xba, 0x92, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45,
    0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n\
    2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
    3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";

/// The families that get Codex's custom tool as it is. The mock provider's chat API calls functions only.
const WITHOUT_CUSTOM_CALLS: [&str; 2] = ["azure", "openai-chat"];

/// The patch that Codex applies.
const PATCH: &str = "*** Begin Patch\n*** Add File: added.txt\n+added\n*** End Patch\n";

/// Writes the files that tools read, and returns a prompt for all of the tool's calls.
pub(super) fn prepare(tool: CodingTool, home: &TempDir) -> String {
    let folder = work_folder(home);
    std::fs::create_dir_all(&folder).unwrap();
    let (image, document) = (folder.join("image.png"), folder.join("document.pdf"));
    std::fs::write(&image, PNG).unwrap();
    std::fs::write(&document, PDF).unwrap();
    let mut calls = vec![tool.write_call(home)];
    match tool {
        CodingTool::ClaudeCode => {
            calls.push(mock_call("Read", &json!({ "file_path": image })));
            calls.push(mock_call("Read", &json!({ "file_path": document })));
        }
        CodingTool::Codex => {
            calls.push(mock_call("apply_patch", &json!({ "input": PATCH })));
            calls.push(mock_call("view_image", &json!({ "path": image })));
            calls.push(mock_call(
                "tool_search",
                &json!({ "query": "agent", "limit": 2 }),
            ));
        }
        CodingTool::GeminiCli => {
            calls.push(mock_call("read_file", &json!({ "file_path": image })));
            calls.push(mock_call("read_file", &json!({ "file_path": document })));
        }
    }
    format!("Do it, please. {}", calls.join(" "))
}

/// Runs a tool at a family.
async fn run(
    tool: CodingTool,
    families: &Families,
    model: &str,
    family: &str,
) -> Result<(), String> {
    let home = tempfile::tempdir().unwrap();
    let prompt = prepare(tool, &home);
    let image = work_folder(&home).join("image.png");
    let run = ToolRun {
        origin: &families.origin(),
        key: "any",
        model: &format!("{model}-{family}"),
        prompt: &prompt,
        resumes: false,
        image: (tool == CodingTool::Codex).then_some(&*image),
        codex_compacts_at: None,
    };
    let (succeeded, log) = tool.run_prompt(&home, &run).await?;
    let is_written = note(&home).exists();
    let patches = tool == CodingTool::Codex && !WITHOUT_CUSTOM_CALLS.contains(&family);
    let is_patched = !patches || work_folder(&home).join("added.txt").exists();
    // After the results. An image may follow them in a turn of its own, so the response is not always about a result.
    let has_response = log.contains(&format!("key-of-{family} says: "));
    let passed = succeeded && is_written && is_patched && has_response;
    if passed {
        Ok(())
    } else {
        Err(format!(
            "succeeded: {succeeded}, written: {is_written}, patched: {is_patched}\n{log}"
        ))
    }
}

/// Runs a tool at these families, or at all if there is none.
async fn check_tool(tool: CodingTool, model: &'static str, names: &[&str]) {
    let families = Arc::new(Families::start(names, &[model]).await);
    families.provider.call_requested_tools_only();
    let at_once = Arc::new(Semaphore::new(TOOLS_AT_ONCE));
    let mut runs = JoinSet::new();
    for family in families.families.clone() {
        let (families, at_once) = (Arc::clone(&families), Arc::clone(&at_once));
        runs.spawn(async move {
            let _permit = at_once.acquire().await.unwrap();
            let outcome = run(tool, &families, model, &family.name).await;
            outcome.map_err(|error| format!("== {}: {error}", family.name))
        });
    }
    let mut failures = String::new();
    while let Some(outcome) = runs.join_next().await {
        if let Err(error) = outcome.unwrap() {
            writeln!(failures, "{error}").unwrap();
        }
    }
    assert!(failures.is_empty(), "{tool:?}\n{failures}");
}

#[tokio::test]
async fn claude_code_works_with_all_families() {
    check_tool(CodingTool::ClaudeCode, "claude-opus-4-8", &[]).await;
}

#[tokio::test]
async fn codex_works_with_all_families() {
    check_tool(CodingTool::Codex, "gpt-5.5", &[]).await;
}

#[tokio::test]
async fn gemini_cli_works_with_families_of_each_dialect() {
    check_tool(CodingTool::GeminiCli, "gemini-2.5-pro", &FOR_GEMINI_CLI).await;
}

/// The tool reads an image and, if it can, a document. Families that take them get them, in whatever place they take.
async fn check_media(tool: CodingTool, model: &'static str, marks: &[&str]) {
    let families = Families::start(&WITH_MEDIA, &[model]).await;
    families.provider.call_requested_tools_only();
    for family in WITH_MEDIA {
        let before = families
            .provider
            .requests()
            .last()
            .map_or(0, |it| it.number);
        run(tool, &families, model, family).await.unwrap();
        let requests = families.provider.requests();
        let sent = requests.iter().filter(|request| request.number > before);
        let sent: String = sent.map(|request| request.body.to_string()).collect();
        for mark in marks {
            assert!(sent.contains(mark), "{tool:?} at {family}: no {mark}");
        }
    }
}

/// Families that take images and documents, one of each dialect that has both.
const WITH_MEDIA: [&str; 3] = ["claude", "gemini", "openai-responses"];

/// How base64 of an image in PNG and of a PDF begin.
const PNG_MARK: &str = "iVBORw0KGgo";
const PDF_MARK: &str = "JVBERi0";

#[tokio::test]
async fn claude_code_shows_an_image_and_a_document() {
    let marks = [PNG_MARK, PDF_MARK];
    check_media(CodingTool::ClaudeCode, "claude-opus-4-8", &marks).await;
}

#[tokio::test]
async fn codex_shows_an_image() {
    check_media(CodingTool::Codex, "gpt-5.5", &[PNG_MARK]).await;
}
