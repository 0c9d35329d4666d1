//! Estimates the input tokens of a request locally with OpenAI's tokenizer `o200k_base`. Other providers have
//! their own tokenizers, most of them unpublished, so the count is only approximate for them.

use crate::ir::{Media, MediaSource, Part, Request, Tool, ToolKind};
use crate::limits::{TOKENIZED_BYTES_MAX, TOKENIZED_PIECE_BYTES_MAX};

/// Returns the approximate number of input tokens of a request. The first call loads the vocabulary: about
/// 0.2 s and 50 MB. Only the first MiB of text is tokenized. The count for the rest is extrapolated.
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

/// Sums the tokens of a request.
#[derive(Default)]
struct TokenCounter {
    /// Fixed costs, in tokens: turns, tools and media.
    flat: u64,
    /// The tokens of the tokenized text.
    tokens: u64,
    /// The size of the tokenized text, in bytes.
    counted: usize,
    /// The size of the text beyond `TOKENIZED_BYTES_MAX`, in bytes.
    uncounted: usize,
}

impl TokenCounter {
    fn part(&mut self, part: &Part) {
        match part {
            Part::Audio(media) | Part::Document(media) => self.media(media, PAGE_TOKENS),
            Part::CacheMark(_) => {}
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
        // Providers count media by pixels, pages or seconds, so the length of the base64 shows little.
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

    /// Counts a text in pieces. For a long run of one character, the tokenizer's time grows faster than the
    /// length, and very long runs make it panic.
    fn text(&mut self, text: &str) {
        let most = TOKENIZED_BYTES_MAX - self.counted;
        let mut rest = &text[..text.floor_char_boundary(most)];
        self.counted += rest.len();
        self.uncounted += text.len() - rest.len();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(TOKENIZED_PIECE_BYTES_MAX));
            // `<|endoftext|>` in a client's text is ordinary text, not a special token.
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

/// The overhead of a turn, in tokens. Source: OpenAI cookbook, "How to count tokens with tiktoken".
const TURN_TOKENS: u64 = 3;

/// The tokens that start the response. Same source.
const REPLY_TOKENS: u64 = 3;

/// The overhead of a tool definition, in tokens. Same source.
const TOOL_TOKENS: u64 = 7;

/// The tokens of an image. OpenAI's vision guide gives this number for 1024 x 1024 pixels in high detail.
const IMAGE_TOKENS: u64 = 765;

/// The tokens of a document: the minimum for one page in Anthropic's PDF guide. The number of pages is not
/// counted.
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
        // Special tokens in a client's text count as ordinary text.
        assert!(estimate_text("<|endoftext|>") > TURN_TOKENS + REPLY_TOKENS + 1);
    }

    /// As one piece, each of these texts took minutes or made the tokenizer panic.
    #[test]
    fn handles_long_repetitive_text() {
        for run in ["\n", "=", "a", " ", "é", "word "] {
            let long = run.repeat(8 * TOKENIZED_BYTES_MAX / run.len());
            let (counted, all) = (
                estimate_text(&long[..TOKENIZED_BYTES_MAX]),
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
