//! Estimates the tokens of a request locally. Each provider has a tokenizer of its own, most of them
//! unpublished. This one is OpenAI's `o200k_base`; for other providers the count is an estimate.

use crate::ir::{Media, MediaSource, Part, Request, Tool, ToolKind};

/// How many tokens a request has, about. The first count takes some 0.2 s and 50 MB for the vocabulary. Of
/// request with more than a MiB of text, the rest is taken to be like what was counted.
#[must_use]
pub fn estimate_tokens(request: &Request) -> u64 {
    let mut meter = TokenCounter::default();
    if !request.system.is_empty() {
        meter.flat += TURN_TOKENS;
    }
    request.system.iter().for_each(|part| meter.part(part));
    for turn in &request.turns {
        meter.flat += TURN_TOKENS;
        turn.parts.iter().for_each(|part| meter.part(part));
    }
    request.tools.iter().for_each(|tool| meter.tool(tool));
    meter.total() + REPLY_TOKENS
}

/// Adds up a request.
#[derive(Default)]
struct TokenCounter {
    /// What needs no counting.
    flat: u64,
    /// The tokens of the text that was counted,
    tokens: u64,
    /// how many bytes that was,
    counted: usize,
    /// and how many bytes were not.
    uncounted: usize,
}

impl TokenCounter {
    fn part(&mut self, part: &Part) {
        match part {
            Part::Audio(media) | Part::Document(media) => self.media(media, PAGE_TOKENS),
            Part::Image(media) => self.media(media, IMAGE_TOKENS),
            Part::Reasoning(reasoning) => self.text(&reasoning.text),
            Part::Refusal(words) => self.text(words),
            Part::Text { text, .. } => self.text(text),
            Part::ToolCall(call) => {
                self.flat += TURN_TOKENS;
                self.text(&call.name);
                self.text(&call.arguments);
            }
            Part::ToolResult(result) => {
                self.flat += TURN_TOKENS;
                result.parts.iter().for_each(|part| self.part(part));
            }
        }
    }

    fn media(&mut self, media: &Media, flat: u64) {
        match &media.source {
            MediaSource::Text(words) => self.text(words),
            MediaSource::Base64(_) | MediaSource::File(_) | MediaSource::Url(_) => {
                self.flat += flat
            }
        }
    }

    fn tool(&mut self, tool: &Tool) {
        self.flat += TOOL_TOKENS;
        self.text(&tool.name);
        let (ToolKind::Custom(schema) | ToolKind::Function(schema)) = &tool.kind;
        if let Some(schema) = schema {
            self.text(&schema.to_string());
        }
        if let Some(description) = &tool.description {
            self.text(description);
        }
    }

    /// Counts a text in pieces: what the tokenizer takes for a long run of one character grows faster than
    /// the run, and beyond some length it gives up.
    fn text(&mut self, text: &str) {
        let most = COUNTED_BYTES_MAX - self.counted;
        let mut rest = &text[..text.floor_char_boundary(most)];
        self.counted += rest.len();
        self.uncounted += text.len() - rest.len();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
            let tokens = tiktoken_rs::o200k_base_singleton().encode_ordinary(piece);
            self.tokens += u64::try_from(tokens.len()).unwrap_or(u64::MAX);
            rest = after;
        }
    }

    fn total(&self) -> u64 {
        let [counted, uncounted] = [self.counted.max(1), self.uncounted]
            .map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
        let rest = self.tokens.saturating_mul(uncounted) / counted;
        self.flat + self.tokens + rest
    }
}

/// The most text that is counted, in bytes: more than any model's context holds, and a fifth of a second
/// of work.
const COUNTED_BYTES_MAX: usize = 1 << 20;

/// What the tokenizer is given at once, in bytes.
const PIECE_BYTES: usize = 8 << 10;

/// What surrounds a turn, in tokens: OpenAI's cookbook, "How to count tokens with tiktoken".
const TURN_TOKENS: u64 = 3;

/// What primes the answer, in tokens; from the same place.
const REPLY_TOKENS: u64 = 3;

/// What surrounds a tool's description, in tokens; from the same place.
const TOOL_TOKENS: u64 = 7;

/// A picture of 1024 pixels square, in tokens, as OpenAI's guide on vision counts it in high detail.
const IMAGE_TOKENS: u64 = 765;

/// A page of a document, in tokens: the least that Anthropic's guide on PDFs names. How many pages
/// there are is not looked at.
const PAGE_TOKENS: u64 = 1_500;

#[cfg(test)]
mod tests {
    use crate::ir::{Role, Turn};

    use super::*;

    fn estimate_text(words: &str) -> u64 {
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
    fn matches_openai_token_count() {
        assert_eq!(estimate_text(""), TURN_TOKENS + REPLY_TOKENS);
        assert_eq!(estimate_text("hello world"), TURN_TOKENS + REPLY_TOKENS + 2);
        // The vocabulary has no special tokens for clients: they are text like any other.
        assert!(estimate_text("<|endoftext|>") > TURN_TOKENS + REPLY_TOKENS + 1);
    }

    /// Each of these took minutes or a panic as one piece.
    #[test]
    fn handles_long_repetitive_text() {
        for run in ["\n", "=", "a", " ", "é", "word "] {
            let long = run.repeat(8 * COUNTED_BYTES_MAX / run.len());
            let (counted, all) = (
                estimate_text(&long[..COUNTED_BYTES_MAX]),
                estimate_text(&long),
            );
            let ratio = all as f64 / counted as f64;
            assert!((7.9..8.1).contains(&ratio), "{run:?}: {counted} and {all}");
        }
    }

    #[test]
    fn counts_system_and_tools() {
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
        assert!(estimate_tokens(&with_tool) > empty + TOOL_TOKENS);
        let with_system = Request {
            system: vec![Part::text("Be brief.")],
            ..Request::default()
        };
        assert!(estimate_tokens(&with_system) > empty + TURN_TOKENS);
    }
}
