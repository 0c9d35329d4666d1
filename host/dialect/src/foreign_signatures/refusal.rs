//! The sentences by which providers refuse a request for its signatures, with their sources.

/// Returns whether an error, as its message or its whole body, says that the provider refused signatures,
/// thinking or encrypted content of the request.
#[must_use]
pub fn refuses_signatures(error: &[u8]) -> bool {
    let text = String::from_utf8_lossy(error).to_ascii_lowercase();
    SENTENCES.iter().any(|sentence| {
        let mut parts = sentence.parts.iter();
        parts.all(|part| text.contains(part))
    })
}

/// A sentence.
struct Sentence {
    /// The parts that identify it, in lower case. Quotes of code are left out where providers or gateways differ in
    /// them.
    parts: &'static [&'static str],
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "documents the sentence, and tests read it")
    )]
    source: &'static str,
}

/// All known sentences. That a server wants its reasoning back (`must be passed back`) does not count.
const SENTENCES: &[Sentence] = &[
    Sentence {
        parts: &["invalid", "signature", " in ", "thinking", "block"],
        source: "Anthropic: Invalid `signature` in `thinking` block; router-for-me/CLIProxyAPI#1584, \
            anomalyco/opencode#6418, vybestack/llxprt-code#2335",
    },
    Sentence {
        parts: &["invalid", "data", " in ", "redacted_thinking", "block"],
        source: "Anthropic: Invalid 'data' in 'redacted_thinking' block; microsoft/vscode#320196",
    },
    Sentence {
        parts: &[
            "thinking",
            "blocks in the latest assistant",
            "cannot be modified",
        ],
        source: "Anthropic; openclaw/openclaw#107221, anthropics/claude-code#63284",
    },
    Sentence {
        parts: &["expected", "thinking", "redacted_thinking", "but found"],
        source: "Anthropic: Expected `thinking` or `redacted_thinking`, but found `tool_use`; zed-industries/zed#33317",
    },
    Sentence {
        parts: &["thinking.signature: field required"],
        source: "Anthropic, validation of members, as for redacted_thinking.data in diegosouzapw/OmniRoute#2191",
    },
    Sentence {
        parts: &["redacted_thinking.data: field required"],
        source: "Anthropic; diegosouzapw/OmniRoute#2191",
    },
    Sentence {
        parts: &["invalid_encrypted_content"],
        source: "OpenAI, code; openai/codex#8145, Wei-Shaw/sub2api#2863",
    },
    Sentence {
        parts: &["encrypted content", "could not be verified"],
        source: "OpenAI; openai/codex#8119, smallmain/vscode-unify-chat-provider#178",
    },
    Sentence {
        parts: &["could not decrypt the provided encrypted_content"],
        source: "xAI; Wei-Shaw/sub2api#4535, hackerai-tech/hackerai#996",
    },
    Sentence {
        parts: &["could not decode the compaction blob"],
        source: "xAI, for reasoning as well; chenyme/grok2api#688",
    },
    Sentence {
        parts: &["item with id 'rs_", "not found"],
        source: "OpenAI: Item with id 'rs_...' not found. Items are not persisted when `store` is set to false; \
            vercel/ai#7543, openai/openai-agents-python#919",
    },
    Sentence {
        parts: &["was provided without its required 'reasoning' item"],
        source: "OpenAI; VRSEN/agency-swarm#367, omnigent-ai/omnigent#5066",
    },
    Sentence {
        parts: &["of type 'reasoning' was provided without its required following item"],
        source: "OpenAI; vercel/ai#8379",
    },
    Sentence {
        parts: &["thought signature"],
        source: "Gemini: Corrupted thought signature; Thought signature is not valid; google-gemini/gemini-cli#13467, \
            NoeFabris/opencode-antigravity-auth#368",
    },
    Sentence {
        parts: &["thought_signature"],
        source: "Gemini: Function call is missing a thought_signature in functionCall parts; langgenius/dify#29187; \
            Base64 decoding failed at contents[].parts[].thought_signature",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_lowercase_and_have_sources() {
        for sentence in SENTENCES {
            assert!(sentence.source.contains(['#', ':']), "{:?}", sentence.parts);
            for part in sentence.parts {
                assert_eq!(part.to_ascii_lowercase(), *part);
            }
        }
    }

    #[test]
    fn recognizes_refusals_as_providers_write_them() {
        let refusals = [
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block"}}"#,
            "messages.1.content.0: Invalid signature in thinking block",
            "Invalid 'data' in 'redacted_thinking' block",
            "messages.3.content.8: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
            r#"{"error":{"message":"The encrypted content gAAA...DQ== could not be verified.","code":"invalid_encrypted_content"}}"#,
            "The encrypted content for item rs_0a could not be verified. Reason: Encrypted content could not be decrypted or parsed.",
            r#"{"code":"invalid-argument","error":"Could not decrypt the provided encrypted_content. Ensure the value is the unmodified encrypted_content from a previous response."}"#,
            "Item with id 'rs_68' not found. Items are not persisted when `store` is set to false.",
            "Item 'fc_01' of type 'function_call' was provided without its required 'reasoning' item: 'rs_01'.",
            r#"{"error":{"code":400,"message":"Corrupted thought signature.","status":"INVALID_ARGUMENT"}}"#,
            "Unable to submit request because Thought signature is not valid..",
            "Function call is missing a thought_signature in functionCall parts.",
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\n  \"error\": {\n    \"message\": \"Corrupted thought signature.\"}}"}}}"#,
        ];
        for refusal in refusals {
            assert!(refuses_signatures(refusal.as_bytes()), "{refusal}");
        }
        let others = [
            "The `reasoning_content` in the thinking mode must be passed back to the API.",
            "The `content[].thinking` in the thinking mode must be passed back to the API.",
            "`temperature` may only be set to 1 when thinking is enabled.",
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
            "prompt is too long: 200001 tokens > 200000 maximum",
            "Unsupported parameter: 'include' with 'reasoning.encrypted_content'",
            "signature of the webhook is invalid",
            "",
        ];
        for other in others {
            assert!(!refuses_signatures(other.as_bytes()), "{other}");
        }
    }
}
