//! Differences between models, derived from the version in a model's name.

/// What a model supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModelRules {
    /// Which of `temperature` and `top_p` it accepts in one request.
    pub(crate) sampling: SamplingSupport,
    /// Whether it supports adaptive thinking, with an effort; `None` if the name holds no version.
    pub(crate) adaptive: Option<bool>,
    /// Whether it supports a thinking budget.
    pub(crate) budget: bool,
    /// Whether it supports instructions inside of the conversation.
    pub(crate) system_turns: bool,
}

/// Which of `temperature` and `top_p` a model accepts in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SamplingSupport {
    Both,
    One,
    /// Neither, nor `top_k`.
    None,
}

/// Returns the rules for a model, from Anthropic's release notes of Claude 4.1, 4.6, 4.7 and 4.8. A
/// name without a version gets what every provider of this dialect supports.
pub(crate) fn for_model(name: &str) -> ModelRules {
    let version = version(name);
    let since = |first| version.is_some_and(|version| version >= first);
    ModelRules {
        sampling: if since((4, 7)) {
            SamplingSupport::None
        } else if since((4, 1)) {
            SamplingSupport::One
        } else {
            SamplingSupport::Both
        },
        adaptive: version.map(|version| version >= (4, 6)),
        budget: !since((4, 7)),
        system_turns: since((4, 8)),
    }
}

/// Parses the version in a name such as `claude-3-5-sonnet-20241022` or `anthropic/claude-opus-4.8`.
fn version(name: &str) -> Option<(u8, u8)> {
    let (_, rest) = name.split_once("claude-")?;
    let mut words = rest.split(['-', '.', '@', ':', '_', '/']);
    let number = |word: &str| (word.len() < 3).then(|| word.parse::<u8>().ok()).flatten();
    let major = words.by_ref().find_map(number)?;
    // The next number may be a date.
    Some((major, words.next().and_then(number).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_version_in_model_names() {
        let cases = [
            ("claude-3-5-sonnet-20241022", Some((3, 5))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-haiku-4-5-20251001", Some((4, 5))),
            ("anthropic.claude-opus-4-8-v1:0", Some((4, 8))),
            ("anthropic/claude-opus-4.7", Some((4, 7))),
            ("claude-sonnet-5", Some((5, 0))),
            ("claude-mythos-preview", None),
            ("gpt-5", None),
        ];
        for (name, found) in cases {
            assert_eq!(version(name), found, "{name}");
        }
        assert_eq!(for_model("claude-opus-4-8").sampling, SamplingSupport::None);
        assert_eq!(
            for_model("claude-sonnet-4-5").sampling,
            SamplingSupport::One
        );
        assert_eq!(for_model("m").sampling, SamplingSupport::Both);
        assert!(
            for_model("claude-opus-5").system_turns && !for_model("claude-opus-4-7").system_turns
        );
    }
}
