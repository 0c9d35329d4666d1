//! Generates responses by rules, so that the response shows a test what arrived.

use serde_json::{Value, json};

use super::directives::requested_calls;
use super::request::{ModelRequest, Output, Tool, ToolChoice, Turn};
use super::schema_sample::sample;

/// A response, independent of its dialect.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ModelResponse {
    /// The reasoning, in the pieces of a stream. Each piece counts as a token.
    pub(super) reasoning: Vec<String>,
    /// The text, in the pieces of a stream. Each piece counts as a token.
    pub(super) text: Vec<String>,
    pub(super) calls: Vec<ToolCall>,
    pub(super) finish_reason: FinishReason,
    pub(super) usage: TokenUsage,
    /// The key or account that the call used. OpenAI responses show it, so that clients can observe rotation.
    pub(super) served_by: String,
}

/// A tool call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToolCall {
    /// Its number in the conversation, from 1.
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) arguments: Value,
}

/// Why a response ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FinishReason {
    /// The text is complete.
    EndOfTurn,
    /// The client must call tools.
    ToolCalls,
    /// The token limit cut the text.
    Length,
    /// This stop sequence cut the text.
    StopSequence(String),
}

/// The token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenUsage {
    /// The prompt's, with the cached ones.
    pub(super) input: u64,
    pub(super) cached: u64,
    /// The response's, with its reasoning.
    pub(super) output: u64,
    pub(super) reasoning: u64,
}

impl TokenUsage {
    pub(super) fn total(&self) -> u64 {
        self.input + self.output
    }
}

impl ModelResponse {
    /// Generates the response to a request with this key.
    pub(super) fn generate(request: &ModelRequest, key: &str) -> Self {
        let mut response = Self {
            reasoning: Vec::new(),
            text: Vec::new(),
            calls: Vec::new(),
            finish_reason: FinishReason::EndOfTurn,
            usage: TokenUsage {
                input: request.tokens,
                cached: request.directives.cached_tokens.min(request.tokens),
                output: 0,
                reasoning: 0,
            },
            served_by: key.to_owned(),
        };
        if !request.directives.empty {
            response.fill(request, key);
        }
        response
    }

    fn fill(&mut self, request: &ModelRequest, key: &str) {
        if request.reasoning {
            self.reasoning = ["This is", " mock reasoning.", " It is short."]
                .map(str::to_owned)
                .to_vec();
        }
        self.calls = tool_calls(request);
        if self.calls.is_empty() {
            self.text = text_pieces(request, key);
        } else if request.turn.prompt().contains("explain") {
            self.text = vec![text_piece(0, key), " I call.".to_owned()];
        }
        if !self.calls.is_empty() {
            self.finish_reason = FinishReason::ToolCalls;
        }
        self.truncate_at_stop(&request.stop);
        self.truncate(request.tokens_max);
        self.usage.reasoning = self.reasoning.len() as u64;
        self.usage.output = (self.reasoning.len() + self.text.len() + self.calls.len()) as u64;
    }

    /// Cuts the text before the first stop sequence.
    fn truncate_at_stop(&mut self, stops: &[String]) {
        let whole = self.text.concat();
        let found = stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .filter_map(|stop| Some((whole.find(stop.as_str())?, stop)))
            .min();
        let Some((at, stop)) = found else { return };
        let mut left = at;
        self.text.retain_mut(|piece| {
            piece.truncate(left.min(piece.len()));
            left -= piece.len();
            !piece.is_empty()
        });
        self.finish_reason = FinishReason::StopSequence(stop.clone());
    }

    /// Cuts the text at the token limit. The reasoning counts, too.
    fn truncate(&mut self, tokens_max: Option<u64>) {
        let Some(most) = tokens_max.and_then(|most| usize::try_from(most).ok()) else {
            return;
        };
        let left = most.saturating_sub(self.reasoning.len());
        if self.text.len() > left {
            self.text.truncate(left);
            self.calls.clear();
            self.finish_reason = FinishReason::Length;
        }
    }
}

fn tool_calls(request: &ModelRequest) -> Vec<ToolCall> {
    let Turn::Prompt(prompt) = &request.turn else {
        return Vec::new();
    };
    let chosen = choose_calls(request, prompt);
    let to_call = |(index, (name, arguments))| ToolCall {
        number: request.calls_before + index + 1,
        name,
        arguments,
    };
    chosen.into_iter().enumerate().map(to_call).collect()
}

fn choose_calls(request: &ModelRequest, prompt: &str) -> Vec<(String, Value)> {
    let forced = matches!(request.tool_choice, ToolChoice::Any | ToolChoice::Named(_));
    if request.tools.is_empty() || request.tool_choice == ToolChoice::Never {
        return Vec::new();
    }
    let known = |name: &str| request.tools.iter().any(|tool| tool.name == name);
    let mut requested = requested_calls(prompt);
    requested.retain(|(name, _)| known(name));
    if !requested.is_empty() {
        return requested;
    }
    let names_tools =
        !request.directives.only_requested_calls && prompt.to_lowercase().contains("tool");
    if !forced && !names_tools {
        return Vec::new();
    }
    let allowed = |tool: &&Tool| match &request.tool_choice {
        ToolChoice::Named(names) => names.contains(&tool.name),
        ToolChoice::Auto | ToolChoice::Any | ToolChoice::Never => true,
    };
    let mut tools: Vec<&Tool> = request.tools.iter().filter(allowed).collect();
    // Tools that the text names come first. The sort is stable, so others keep their order.
    tools.sort_by_key(|tool| !prompt.contains(&tool.name));
    let Some(first) = tools.first().copied() else {
        return Vec::new();
    };
    let mut chosen = vec![first];
    if request.parallel_tool_calls && prompt.contains("parallel") {
        chosen.push(tools.get(1).copied().unwrap_or(first));
    }
    let call = |(index, tool): (usize, &Tool)| (tool.name.clone(), sample(&tool.schema, index));
    chosen.into_iter().enumerate().map(call).collect()
}

fn text_pieces(request: &ModelRequest, key: &str) -> Vec<String> {
    let json = match &request.output {
        Output::Schema(schema) => Some(sample(schema, 0)),
        Output::Json => Some(json!({ "served_by": key })),
        Output::Text => None,
    };
    if let Some(json) = json {
        return pieces(&json.to_string());
    }
    let mut text: Vec<String> = match &request.turn {
        Turn::Prompt(_) => (0..request.directives.words)
            .map(|word| text_piece(word, key))
            .collect(),
        Turn::Results(results) => {
            let result_texts = results.iter().map(|result| format!(" result {result}"));
            std::iter::once(text_piece(0, key))
                .chain(result_texts)
                .collect()
        }
    };
    text.extend(request.media.iter().map(|media| {
        let size = media.bytes.map(|bytes| format!(" {bytes} bytes"));
        format!(
            " saw {} {}{}",
            media.kind,
            media.label,
            size.unwrap_or_default()
        )
    }));
    if !request.system.is_empty() {
        text.push(format!(" [system: {}]", request.system));
    }
    text
}

fn text_piece(word: u32, key: &str) -> String {
    if word == 0 {
        format!("{key} says:")
    } else {
        format!(" word-{word}")
    }
}

/// Splits a text into the pieces of a stream.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(PIECE_CHARACTERS)
        .map(|piece| piece.iter().collect())
        .collect()
}

/// The length of a piece in characters. It is short, so that JSON breaks inside names and values.
const PIECE_CHARACTERS: usize = 7;

#[cfg(test)]
mod tests;
