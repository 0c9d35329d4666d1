//! Finish reasons: Google's `Candidate.FinishReason` and the common form.

use crate::ir::FinishReason;

/// The reasons that map both ways.
const REASONS: [(&str, FinishReason); 3] = [
    ("MAX_TOKENS", FinishReason::Length),
    ("SAFETY", FinishReason::ContentFilter),
    ("STOP", FinishReason::Stop),
];

/// More reasons for a response that a filter held back.
const FILTER_REASONS: [&str; 8] = [
    "BLOCKLIST",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_SAFETY",
    "MODEL_ARMOR",
    "PROHIBITED_CONTENT",
    "RECITATION",
    "SPII",
];

/// The reasons without a common form. Google's clients reject any word that is in none of these lists.
const OTHER_REASONS: [&str; 3] = ["LANGUAGE", "NO_IMAGE", "OTHER"];

/// The reasons for a response that lacks the call that the model wanted to make.
const FAILURE_REASONS: [&str; 5] = [
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE",
    "TOO_MANY_TOOL_CALLS",
    "UNEXPECTED_TOOL_CALL",
];

/// Whether a response with this reason failed: another attempt may succeed.
pub(crate) fn is_failure(reason: &str) -> bool {
    FAILURE_REASONS.contains(&reason)
}

/// Whether a response with this reason is complete without any content. Others are empty by mistake: the model was done
/// before it began.
pub(crate) fn explains_empty_response(reason: &str) -> bool {
    reason == "MAX_TOKENS" || reason == "SAFETY" || FILTER_REASONS.contains(&reason)
}

/// Decodes a reason; an empty text stands for a missing one. Google has no reason of its own for a response
/// with tool calls.
pub(crate) fn decode(reason: &str, has_calls: bool) -> FinishReason {
    let known = REASONS.iter().find(|(name, _)| *name == reason);
    match (reason, known) {
        ("" | "STOP", _) if has_calls => FinishReason::ToolCalls,
        ("", _) => FinishReason::Stop,
        (_, Some((_, finish))) => finish.clone(),
        _ if FILTER_REASONS.contains(&reason) => FinishReason::ContentFilter,
        _ => FinishReason::Other(reason.to_owned()),
    }
}

/// Returns Google's nearest reason.
pub(crate) fn encode(finish: &FinishReason) -> &str {
    match finish {
        FinishReason::Refusal => "SAFETY",
        FinishReason::Other(word) if OTHER_REASONS.contains(&word.as_str()) => word,
        FinishReason::Other(_) => "OTHER",
        FinishReason::ContentFilter
        | FinishReason::Length
        | FinishReason::Stop
        | FinishReason::StopSequence(_)
        | FinishReason::ToolCalls => {
            let known = REASONS.iter().find(|(_, known)| known == finish);
            known.map_or("STOP", |(name, _)| name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_finish_reasons_round_trip() {
        for word in ["STOP", "MAX_TOKENS", "SAFETY"]
            .into_iter()
            .chain(OTHER_REASONS)
        {
            assert_eq!(encode(&decode(word, false)), word);
        }
        assert_eq!(decode("STOP", true), FinishReason::ToolCalls);
        assert_eq!(decode("MAX_TOKENS", true), FinishReason::Length);
        assert_eq!(decode("SPII", false), FinishReason::ContentFilter);
        assert_eq!(
            encode(&FinishReason::Other("pause_turn".to_owned())),
            "OTHER"
        );
    }
}
