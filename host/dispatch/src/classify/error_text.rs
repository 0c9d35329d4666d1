//! The texts of an error that the rules match.
//!
//! Many providers repeat a part of the request in a message: a value, a name of a member. What a client
//! wrote must not be read as the provider's word about a credential, which would take the credential from
//! every client. So there are two texts: the provider's own words, where quoted parts are empty, and the
//! whole text, which only rules see that blame no credential.

use http::HeaderMap;
use jackfield_credential::Scope;
use jackfield_dialect::{CODE_BYTES_MAX, ERROR_MESSAGE_BYTES_MAX, ProviderError, truncate};
use serde_json::Value;

use super::rules::Matcher;

/// The texts of an error, in lower case.
#[derive(Default)]
pub(super) struct ErrorText {
    /// Codes, types, statuses and reasons.
    codes: Vec<String>,
    /// The message, with empty quotes.
    own: String,
    /// The message, and the error that a gateway passes on.
    whole: String,
    challenge: bool,
}

impl ErrorText {
    /// The texts of an error without a response of its own.
    pub(super) fn of(error: &ProviderError) -> Self {
        let mut whole = error.message.to_lowercase();
        let codes = [&error.code, &error.kind].into_iter().flatten();
        let mut codes: Vec<String> = codes.map(|code| code.to_ascii_lowercase()).collect();
        // Some providers send only a code: `{"error": "invalid_grant"}`.
        if !whole.contains(' ') {
            codes.push(whole.clone());
        }
        let own = without_quoted(&whole);
        // What a gateway passes on is no word about the gateway's credential.
        if let Some(passed_on) = &error.passed_on {
            whole.push('\n');
            whole += &passed_on.to_lowercase();
        }
        Self {
            codes,
            own,
            whole,
            challenge: false,
        }
    }

    /// The texts of an error response.
    pub(super) fn of_response(
        error: Option<&ProviderError>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let mut text = error.map(Self::of).unwrap_or_default();
        if let Ok(body) = serde_json::from_slice::<Value>(body) {
            text.codes.extend(reasons(&body));
        }
        text.codes.extend(aws_error_type(headers));
        text
    }

    /// The text of a browser challenge.
    pub(super) fn challenge() -> Self {
        Self {
            challenge: true,
            ..Self::default()
        }
    }

    /// Whether a rule with this scope matches.
    pub(super) fn matches(&self, matcher: &Matcher, scope: Scope) -> bool {
        let code = |known: &[&str]| self.codes.iter().any(|code| known.contains(&&**code));
        let phrase = |known: &[&str]| {
            let blames_no_credential = matches!(scope, Scope::Request | Scope::Provider);
            let text = if blames_no_credential {
                &self.whole
            } else {
                &self.own
            };
            known.iter().any(|phrase| text.contains(phrase))
        };
        match matcher {
            Matcher::Anything => true,
            Matcher::Challenge => self.challenge,
            Matcher::Code(known) => code(known),
            Matcher::Phrase(known) => phrase(known),
            Matcher::CodeAndPhrase(codes, phrases) => code(codes) && phrase(phrases),
        }
    }
}

/// Returns an error without a format: a short line of text. `None` for pages and for anything else.
pub(super) fn plain_text(body: &[u8]) -> Option<ProviderError> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_line = !text.is_empty()
        && text.len() <= ERROR_MESSAGE_BYTES_MAX
        && !text.starts_with(['<', '{', '[', '"'])
        && !text.contains(|character: char| character.is_control() && !character.is_whitespace());
    is_line.then(|| ProviderError {
        message: text.to_owned(),
        ..ProviderError::default()
    })
}

/// The codes beside `code`, `type` and `status`: reasons in Google's details, and Azure's inner error.
fn reasons(body: &Value) -> Vec<String> {
    let Some(error) = body.pointer("/error").or_else(|| body.pointer("/0/error")) else {
        return Vec::new();
    };
    let details = error["details"].as_array().into_iter().flatten();
    let reasons = details.take(DETAILS_MAX).map(|detail| &detail["reason"]);
    let codes = reasons.chain([&error["innererror"]["code"]]);
    codes
        .filter_map(|code| Some(truncate(code.as_str()?, CODE_BYTES_MAX)))
        .map(str::to_ascii_lowercase)
        .collect()
}

/// The maximum number of details that are read. Google sends three or four.
const DETAILS_MAX: usize = 16;

/// The error's type of Amazon Bedrock, which has only a message in the body:
/// `ThrottlingException:http://internal.amazon.com/..`.
fn aws_error_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-amzn-errortype")?.to_str().ok()?;
    let name = value.split(':').next()?.trim();
    Some(truncate(name, CODE_BYTES_MAX).to_ascii_lowercase())
}

/// Empties the quotes of a message. An apostrophe inside a word opens none.
fn without_quoted(text: &str) -> String {
    let mut emptied = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['`', '"', '\'', '“']) {
        let (before, from_quote) = rest.split_at(at);
        emptied.push_str(before);
        let mut characters = from_quote.chars();
        let Some(open) = characters.next() else { break };
        let inside = characters.as_str();
        emptied.push(open);
        rest = inside;
        let follows_word = emptied
            .chars()
            .rev()
            .nth(1)
            .is_some_and(char::is_alphanumeric);
        if open == '\'' && follows_word {
            continue;
        }
        if let Some((close, after)) = closing(open, inside) {
            emptied.push(close);
            rest = after;
        }
    }
    emptied.push_str(rest);
    emptied
}

/// Returns the quote that closes `open`, and the text after it.
fn closing(open: char, inside: &str) -> Option<(char, &str)> {
    let close = if open == '“' { '”' } else { open };
    inside.match_indices(close).find_map(|(at, quote)| {
        let after = &inside[at + quote.len()..];
        let in_word = close == '\'' && after.starts_with(char::is_alphanumeric);
        (!in_word).then_some((close, after))
    })
}

#[cfg(test)]
mod tests {
    use super::without_quoted;

    #[test]
    fn empties_quotes_but_no_apostrophes() {
        for (text, expected) in [
            ("plain", "plain"),
            ("the model `a b` is not", "the model `` is not"),
            ("invalid value: 'out of credits'.", "invalid value: ''."),
            (
                "this model's limit isn't yours",
                "this model's limit isn't yours",
            ),
            ("the 'o'reilly' model", "the '' model"),
            ("say \"x\" and “y” here", "say \"\" and “” here"),
            ("one ` only", "one ` only"),
            ("", ""),
        ] {
            assert_eq!(without_quoted(text), expected, "{text}");
        }
    }
}
