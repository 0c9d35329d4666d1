//! The sentence by which a dialect's clients recognize a request that is too long, with the counts of the
//! provider's message.

use std::borrow::Cow;

/// The sentence of a dialect.
#[derive(Clone, Copy)]
pub(crate) struct ContextLengthMessage {
    /// Parts of messages by which clients recognize the class, in lower case.
    pub(crate) phrases: &'static [&'static str],
    /// Writes the sentence.
    pub(crate) sentence: fn(Option<ContextCounts>) -> String,
}

impl ContextLengthMessage {
    /// Returns a provider's message with the sentence before it, unless clients recognize it already.
    pub(crate) fn precede(self, message: &str) -> Cow<'_, str> {
        let lowercase = message.to_ascii_lowercase();
        if self.phrases.iter().any(|phrase| lowercase.contains(phrase)) {
            return Cow::Borrowed(message);
        }
        let sentence = (self.sentence)(ContextCounts::find(message));
        match message {
            "" => Cow::Owned(sentence),
            _ => Cow::Owned(format!("{sentence}: {message}")),
        }
    }
}

/// The counts of tokens in a provider's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContextCounts {
    /// The tokens of the input.
    pub(crate) input: u64,
    /// The output tokens that the request demands, if the input alone would fit.
    pub(crate) output: Option<u64>,
    /// The tokens of the context.
    pub(crate) context: u64,
}

impl ContextCounts {
    /// Finds the counts in a message. Its format is free, so only counts that agree with each other are used:
    /// two, of which the larger one is the input (`input token count (1200000) exceeds .. (1048576)`), or
    /// input, output and their sum beside the context (vLLM, OpenAI). `None` for all others.
    pub(crate) fn find(message: &str) -> Option<Self> {
        let mut counts = counts(message);
        counts.dedup();
        let split = |sum: u64| {
            let part = |input: &u64| Some((*input, sum.checked_sub(*input)?));
            let mut splits = counts.iter().filter_map(part);
            splits.find(|(input, output)| {
                *output > 0 && counts.contains(output) && (*input != *output)
            })
        };
        match counts[..] {
            [first, second] if first != second => Some(Self {
                input: first.max(second),
                output: None,
                context: first.min(second),
            }),
            [first, second, third, fourth] => {
                let all = [first, second, third, fourth];
                let (sum, (input, output)) =
                    all.into_iter().find_map(|sum| Some((sum, split(sum)?)))?;
                // Messages name the input first.
                let context = all
                    .into_iter()
                    .find(|count| ![sum, input, output].contains(count))?;
                (sum > context).then_some(Self {
                    input,
                    output: (input < context).then_some(output),
                    context,
                })
            }
            _ => None,
        }
    }
}

/// The whole numbers of a message of at least four digits, in order; such as `128000` and `128,000`, but not
/// those in names and dates.
fn counts(message: &str) -> Vec<u64> {
    let is_edge = |character: char| !character.is_ascii_digit() && character != ',';
    let mut counts = Vec::new();
    for token in message.split(|character: char| {
        character.is_whitespace() || matches!(character, '(' | ')' | ':' | ';' | '+' | '=' | '>')
    }) {
        let token =
            token.trim_matches(|character: char| matches!(character, '.' | ',' | '`' | '"'));
        if token.contains(is_edge) {
            continue;
        }
        let digits: String = token.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= COUNT_DIGITS_MIN {
            counts.extend(digits.parse::<u64>());
        }
    }
    counts
}

/// Smaller numbers are positions, limits of items and the like.
const COUNT_DIGITS_MIN: usize = 4;
