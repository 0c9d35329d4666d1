//! Counts the tokens of a request without asking anybody. Each provider has a tokenizer of its own, most
//! of them secret; this one is OpenAI's `o200k_base`, so that for others the count is an estimate.

use crate::interlingua::{Media, Part, Request, Source, Tool, ToolKind};

/// How many tokens a request has, about. The first count takes some 0.2 s and 50 MB for the vocabulary.
#[must_use]
pub fn estimate_tokens(request: &Request) -> u64 {
    let system: u64 = request.system.iter().map(part).sum();
    let turns: u64 = request
        .turns
        .iter()
        .map(|turn| TURN + turn.parts.iter().map(part).sum::<u64>())
        .sum();
    let tools: u64 = request.tools.iter().map(tool).sum();
    let head = if request.system.is_empty() { 0 } else { TURN };
    head + system + turns + tools + REPLY
}

fn part(part: &Part) -> u64 {
    match part {
        Part::Audio(media) | Part::Document(media) => media_tokens(media, PAGE),
        Part::Image(media) => media_tokens(media, IMAGE),
        Part::Reasoning(thought) => text(&thought.text),
        Part::Refusal(words) => text(words),
        Part::Text { text: words, .. } => text(words),
        Part::ToolCall(call) => TURN + text(&call.name) + text(&call.arguments),
        Part::ToolResult(result) => TURN + result.parts.iter().map(self::part).sum::<u64>(),
    }
}

fn media_tokens(media: &Media, flat: u64) -> u64 {
    match &media.source {
        Source::Text(words) => text(words),
        Source::Base64(_) | Source::File(_) | Source::Url(_) => flat,
    }
}

fn tool(tool: &Tool) -> u64 {
    let schema = match &tool.kind {
        ToolKind::Custom(schema) | ToolKind::Function(schema) => schema.as_ref(),
    };
    let schema = schema.map(|schema| text(&schema.to_string()));
    let described = tool.description.as_deref().map(text);
    TOOL + text(&tool.name) + schema.unwrap_or_default() + described.unwrap_or_default()
}

fn text(text: &str) -> u64 {
    tiktoken_rs::o200k_base_singleton()
        .encode_ordinary(text)
        .len()
        .try_into()
        .unwrap_or(u64::MAX)
}

/// What surrounds a turn, in tokens: OpenAI's cookbook, "How to count tokens with tiktoken".
const TURN: u64 = 3;

/// What primes the answer, in tokens; from the same place.
const REPLY: u64 = 3;

/// What surrounds a tool's description, in tokens; from the same place.
const TOOL: u64 = 7;

/// A picture of 1024 pixels square, in tokens, as OpenAI's guide on vision counts it in high detail.
const IMAGE: u64 = 765;

/// A page of a document, in tokens: the least that Anthropic's guide on PDFs names. How many pages
/// there are is not looked at.
const PAGE: u64 = 1_500;

#[cfg(test)]
mod tests {
    use crate::interlingua::{Role, Turn};

    use super::*;

    fn of(words: &str) -> u64 {
        let turn = Turn {
            role: Role::User,
            parts: vec![Part::text(words)],
        };
        estimate_tokens(&Request {
            turns: vec![turn],
            ..Request::default()
        })
    }

    #[test]
    fn words_are_counted_as_openai_counts_them() {
        assert_eq!(of(""), TURN + REPLY);
        assert_eq!(of("hello world"), TURN + REPLY + 2);
        // The vocabulary has no special tokens for clients: they are text like any other.
        assert!(of("<|endoftext|>") > TURN + REPLY + 1);
    }

    #[test]
    fn everything_that_is_sent_counts() {
        let empty = estimate_tokens(&Request::default());
        let tool = Tool {
            name: "look".to_owned(),
            description: Some("Looks around.".to_owned()),
            kind: ToolKind::Function(Some(serde_json::json!({"type": "object"}))),
            strict: None,
        };
        let with_tool = Request {
            tools: vec![tool],
            ..Request::default()
        };
        assert!(estimate_tokens(&with_tool) > empty + TOOL);
        let with_system = Request {
            system: vec![Part::text("Be brief.")],
            ..Request::default()
        };
        assert!(estimate_tokens(&with_system) > empty + TURN);
    }
}
