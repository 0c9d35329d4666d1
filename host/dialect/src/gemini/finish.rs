//! Why an answer ended, in Google's words (`Candidate.FinishReason`) and in the common ones.

use crate::interlingua::Finish;

/// What a finish reason means. `calls`: whether the answer calls tools, for which Google has no word.
pub(super) fn read(reason: &str, calls: bool) -> Finish {
    match reason {
        "STOP" | "" if calls => Finish::ToolCalls,
        "STOP" | "" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        _ if FILTERS.contains(&reason) => Finish::ContentFilter,
        _ => Finish::Other(reason.to_owned()),
    }
}

/// Google's nearest word.
pub(super) fn write(finish: &Finish) -> &str {
    match finish {
        Finish::ContentFilter | Finish::Refusal => "SAFETY",
        Finish::Length => "MAX_TOKENS",
        Finish::Other(word) if OTHERS.contains(&word.as_str()) => word,
        Finish::Other(_) => "OTHER",
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => "STOP",
    }
}

/// What holds an answer back for what is in it.
const FILTERS: [&str; 9] = [
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
const OTHERS: [&str; 8] = [
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
    fn reasons_survive_where_there_is_a_word_for_them() {
        for word in ["STOP", "MAX_TOKENS", "SAFETY"].into_iter().chain(OTHERS) {
            assert_eq!(write(&read(word, false)), word);
        }
        assert_eq!(read("STOP", true), Finish::ToolCalls);
        assert_eq!(read("MAX_TOKENS", true), Finish::Length);
        assert_eq!(read("SPII", false), Finish::ContentFilter);
        assert_eq!(write(&Finish::Other("pause_turn".to_owned())), "OTHER");
    }
}
