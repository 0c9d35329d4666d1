//! Why an answer ended, in Google's words (`Candidate.FinishReason`) and in the common ones.

use crate::ir::FinishReason;

/// What a finish reason means. `calls`: whether the answer calls tools, for which Google has no word.
pub(crate) fn decode(reason: &str, calls: bool) -> FinishReason {
    match reason {
        "STOP" | "" if calls => FinishReason::ToolCalls,
        "STOP" | "" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        _ if FILTER_REASONS.contains(&reason) => FinishReason::ContentFilter,
        _ => FinishReason::Other(reason.to_owned()),
    }
}

/// Google's nearest word.
pub(crate) fn encode(finish: &FinishReason) -> &str {
    match finish {
        FinishReason::ContentFilter | FinishReason::Refusal => "SAFETY",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::Other(word) if OTHER_REASONS.contains(&word.as_str()) => word,
        FinishReason::Other(_) => "OTHER",
        FinishReason::Stop | FinishReason::StopSequence(_) | FinishReason::ToolCalls => "STOP",
    }
}

/// What holds an answer back for what is in it.
const FILTER_REASONS: [&str; 9] = [
    "BLOCKLIST",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_SAFETY",
    "MODEL_ARMOR",
    "PROHIBITED_CONTENT",
    "RECITATION",
    "SAFETY",
    "SPII",
];

/// Those that have no common word: clients check them against a list.
const OTHER_REASONS: [&str; 8] = [
    "LANGUAGE",
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE",
    "NO_IMAGE",
    "OTHER",
    "TOO_MANY_TOOL_CALLS",
    "UNEXPECTED_TOOL_CALL",
];

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
