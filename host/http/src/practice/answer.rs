//! How the practice provider answers: by rule, so that a test can see in the answer what arrived.

use serde_json::{Value, json};

use super::asked::{Asked, Choice, Output, Tool, Turn};
use super::sample::sample;
use super::wishes::calls_asked;

/// An answer, whatever dialect it will be in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// What it thought, in pieces.
    pub(super) reasoning: Vec<String>,
    /// What it says, in pieces.
    pub(super) text: Vec<String>,
    pub(super) calls: Vec<Call>,
    pub(super) end: End,
    pub(super) tokens: Tokens,
    /// Whose key it was. It shows in the answer: that is how rotation is seen from outside.
    pub(super) served_by: String,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// Its number in the conversation, from 1.
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) arguments: Value,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// All was said.
    Done,
    /// Tools are to be called.
    Calls,
    /// It would have grown too long.
    Length,
    /// A text came that was to end it.
    Stop(String),
}

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tokens {
    /// The prompt's, those from a cache included.
    pub(super) input: u64,
    pub(super) cached: u64,
    /// The answer's, its reasoning included.
    pub(super) output: u64,
    pub(super) reasoning: u64,
}

impl Tokens {
    pub(super) fn total(&self) -> u64 {
        self.input + self.output
    }
}

impl Answer {
    /// The answer of the account that this key is of.
    pub(super) fn to(asked: &Asked, key: &str) -> Self {
        let mut answer = Self {
            reasoning: Vec::new(),
            text: Vec::new(),
            calls: Vec::new(),
            end: End::Done,
            tokens: Tokens {
                input: asked.tokens,
                cached: asked.wishes.cached_tokens.min(asked.tokens),
                output: 0,
                reasoning: 0,
            },
            served_by: key.to_owned(),
        };
        if !asked.wishes.empty {
            answer.fill(asked, key);
        }
        answer
    }

    fn fill(&mut self, asked: &Asked, key: &str) {
        if asked.reasoning {
            self.reasoning = ["It is", " practice,", " so I think briefly."]
                .map(str::to_owned)
                .to_vec();
        }
        self.calls = calls(asked);
        if self.calls.is_empty() {
            self.text = text(asked, key);
        } else if asked.prompt().contains("explain") {
            self.text = vec![text_piece(0, key), " I call.".to_owned()];
        }
        if !self.calls.is_empty() {
            self.end = End::Calls;
        }
        self.stop_at(&asked.stop);
        self.cut(asked.tokens_max);
        self.tokens.reasoning = self.reasoning.len() as u64;
        self.tokens.output = (self.reasoning.len() + self.text.len() + self.calls.len()) as u64;
    }

    /// Ends the text before the first of these.
    fn stop_at(&mut self, stops: &[String]) {
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
        self.end = End::Stop(stop.clone());
    }

    /// Leaves out the pieces of text that are too many.
    fn cut(&mut self, tokens_max: Option<u64>) {
        let Some(most) = tokens_max.and_then(|most| usize::try_from(most).ok()) else {
            return;
        };
        let left = most.saturating_sub(self.reasoning.len());
        if self.text.len() > left {
            self.text.truncate(left);
            self.calls.clear();
            self.end = End::Length;
        }
    }
}

fn calls(asked: &Asked) -> Vec<Call> {
    let Turn::Prompt(prompt) = &asked.turn else {
        return Vec::new();
    };
    let chosen = chosen(asked, prompt);
    let numbered = |(index, (name, arguments))| Call {
        number: asked.calls_before + index + 1,
        name,
        arguments,
    };
    chosen.into_iter().enumerate().map(numbered).collect()
}

fn chosen(asked: &Asked, prompt: &str) -> Vec<(String, Value)> {
    let forced = matches!(asked.choice, Choice::Any | Choice::Named(_));
    if asked.tools.is_empty() || asked.choice == Choice::Never {
        return Vec::new();
    }
    let known = |name: &str| asked.tools.iter().any(|tool| tool.name == name);
    let mut told = calls_asked(prompt);
    told.retain(|(name, _)| known(name));
    if !told.is_empty() {
        return told;
    }
    if !forced && !prompt.to_lowercase().contains("tool") {
        return Vec::new();
    }
    let allowed = |tool: &&Tool| match &asked.choice {
        Choice::Named(names) => names.contains(&tool.name),
        Choice::Auto | Choice::Any | Choice::Never => true,
    };
    let mut tools: Vec<&Tool> = asked.tools.iter().filter(allowed).collect();
    // Those that the text names come first.
    tools.sort_by_key(|tool| !prompt.contains(&tool.name));
    let Some(first) = tools.first().copied() else {
        return Vec::new();
    };
    let mut chosen = vec![first];
    if asked.parallel && prompt.contains("parallel") {
        chosen.push(tools.get(1).copied().unwrap_or(first));
    }
    let call = |(index, tool): (usize, &Tool)| (tool.name.clone(), sample(&tool.schema, index));
    chosen.into_iter().enumerate().map(call).collect()
}

fn text(asked: &Asked, key: &str) -> Vec<String> {
    let json = match &asked.output {
        Output::Schema(schema) => Some(sample(schema, 0)),
        Output::Json => Some(json!({ "served_by": key })),
        Output::Text => None,
    };
    if let Some(json) = json {
        return pieces(&json.to_string());
    }
    let mut text: Vec<String> = match &asked.turn {
        Turn::Prompt(_) => (0..asked.wishes.words)
            .map(|word| text_piece(word, key))
            .collect(),
        Turn::Results(results) => {
            let told = results.iter().map(|result| format!(" result {result}"));
            std::iter::once(text_piece(0, key)).chain(told).collect()
        }
    };
    text.extend(asked.media.iter().map(|media| {
        let size = media.bytes.map(|bytes| format!(" {bytes} bytes"));
        format!(
            " saw {} {}{}",
            media.kind,
            media.about,
            size.unwrap_or_default()
        )
    }));
    if !asked.system.is_empty() {
        text.push(format!(" [system: {}]", asked.system));
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

/// A text in pieces as a stream has them: never more than this many characters each.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(PIECE_CHARACTERS)
        .map(|piece| piece.iter().collect())
        .collect()
}

/// Short enough for JSON to break in the middle of names and values.
const PIECE_CHARACTERS: usize = 7;

#[cfg(test)]
mod tests;
