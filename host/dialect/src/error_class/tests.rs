//! Classes of errors, and their labels in every dialect.

use super::*;
use crate::ir::{Event, ResponseContext};
use crate::{Dialect, translate_error_response};

use ErrorClass::{
    Authentication, ContentPolicy, ContextLength, InvalidRequest, NotFound, Overloaded, Permission,
    Quota, RateLimit, Server, Timeout, TooLarge,
};

const DIALECTS: [Dialect; 4] = [
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
];

/// Bodies and events of public reports, with the status of the response if it was an error response.
const REPORTED: &[(&str, Option<u16>, ErrorClass)] = &[
    // pi-mono#792, openai/codex#2921: in `response.failed`.
    (
        r#"{"error":{"code":"context_length_exceeded","message":"Your input exceeds the context window of this model."}}"#,
        None,
        ContextLength,
    ),
    // oh-my-claudecode#3574, Gemini API.
    (
        r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
        Some(400),
        ContextLength,
    ),
    // anthropics/claude-code#7866.
    (
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 216327 tokens > 200000 maximum"}}"#,
        Some(400),
        ContextLength,
    ),
    // musistudio/claude-code-router#1799, vLLM behind a gateway that wraps it in a 502.
    (
        r#"{"object":"error","type":"BadRequestError","message":"Requested token count exceeds the model's maximum context length of 262144 tokens. You requested a total of 262462 tokens: 230462 tokens from the input messages and 32000 tokens for the completion."}"#,
        Some(502),
        ContextLength,
    ),
    // router-for-me/CLIProxyAPI#1014.
    (
        r#"{"error":{"code":400,"message":"Prompt is too long","status":"FAILED_PRECONDITION"}}"#,
        Some(400),
        ContextLength,
    ),
    // Aider-AI/aider#1880: OpenAI's limit of one minute, which no wait extends.
    (
        r#"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000. The input or output tokens must be reduced in order to run successfully.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        Some(429),
        ContextLength,
    ),
    (
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        Some(429),
        Quota,
    ),
    // Gemini has the same sentence for a limit of a minute.
    (
        r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. Please retry in 41s.","status":"RESOURCE_EXHAUSTED"}}"#,
        Some(429),
        RateLimit,
    ),
    (
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
        Some(400),
        Quota,
    ),
    (
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
        Some(402),
        Quota,
    ),
    // OpenRouter: the balance covers a smaller request.
    (
        r#"{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 27342.","code":402}}"#,
        Some(402),
        InvalidRequest,
    ),
    (
        r#"{"error":{"message":"Prompt tokens limit exceeded: 36163 > 29652.","code":402}}"#,
        Some(402),
        ContextLength,
    ),
    (
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        None,
        Overloaded,
    ),
    (
        r#"{"error":{"message":"Slow down","type":"server_error","code":"slow_down"}}"#,
        Some(503),
        Overloaded,
    ),
    (
        r#"{"error":{"code":429,"message":"Provider returned error"}}"#,
        None,
        RateLimit,
    ),
    (
        r#"{"error":{"message":"m","type":"invalid_request_error","code":"content_policy_violation"}}"#,
        Some(400),
        ContentPolicy,
    ),
    (
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#,
        Some(400),
        ContentPolicy,
    ),
    (
        r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#,
        Some(400),
        Authentication,
    ),
    (r#"{"detail":"Not Found"}"#, Some(404), NotFound),
    (r#"{"error":{"message":"m"}}"#, Some(403), Permission),
    (r#"{"error":{"message":"m"}}"#, Some(413), TooLarge),
    (r#"{"error":{"message":"m"}}"#, Some(504), Timeout),
    (r#"{"error":{"message":"m"}}"#, Some(422), InvalidRequest),
    (r#"{"error":{"message":"m"}}"#, None, Server),
    (r#"{"error":{"message":"m"}}"#, Some(200), Server),
];

fn read(body: &str) -> ProviderError {
    ProviderError::read(body.as_bytes()).unwrap_or_default()
}

#[test]
fn finds_class_of_reported_errors() {
    for (body, status, class) in REPORTED {
        assert_eq!(read(body).class(*status), *class, "{body}");
    }
}

/// What a dialect has no label for: the class by which its clients read it.
fn readable(dialect: Dialect, class: ErrorClass) -> ErrorClass {
    match (dialect, class) {
        (Dialect::AnthropicMessages | Dialect::Gemini, ContentPolicy) => InvalidRequest,
        (Dialect::Gemini, Quota) => RateLimit,
        _ => class,
    }
}

/// An error of this class as a provider of the dialect reports it, without a phrase in the message.
fn error_of(dialect: Dialect, class: ErrorClass) -> (u16, ProviderError) {
    let labels = (dialect.codec().errors().labels)(class);
    let error = ProviderError {
        message: "m".to_owned(),
        kind: Some(labels.kind.to_owned()),
        code: labels.codes.first().map(|code| (*code).to_owned()),
        param: None,
        passed_on: None,
    };
    (labels.status, error)
}

#[test]
fn class_and_status_survive_every_translation() {
    for (client, provider) in pairs() {
        for class in ErrorClass::ALL {
            let (status, error) = error_of(provider, class);
            let class = error.class(Some(status));
            let (translated, body) = translate_error_response(client, status, &error);
            let found = ProviderError::read(&body).unwrap_or_default();
            let place = format!("{class:?} from {provider} to {client}");
            let labels = (client.codec().errors().labels)(class);
            if (class, status) == (Quota, 402) {
                // A status of its own, which no client retries.
                assert_eq!(
                    (translated, found.class(Some(402))),
                    (402, Quota),
                    "{place}"
                );
                continue;
            }
            assert_eq!(
                found.class(Some(translated)),
                readable(client, class),
                "{place}"
            );
            assert_eq!(translated, labels.status, "{place}");
            assert_eq!(found.kind.as_deref(), Some(labels.kind), "{place}");
        }
    }
}

#[test]
fn class_survives_every_translation_of_streams() {
    // A stream has no status, so the classes with a label of their own.
    let labelled = [
        Authentication,
        ContentPolicy,
        ContextLength,
        NotFound,
        Overloaded,
        Quota,
        RateLimit,
    ];
    for (client, provider) in pairs() {
        for class in labelled {
            let (_, error) = error_of(provider, class);
            let class = error.class(None);
            let place = format!("{class:?} from {provider} to {client}");
            let mut frames = Vec::new();
            let mut encoder = client.codec().encoder(ResponseContext::default());
            encoder.event(&Event::Error(error), &mut frames);
            let mut observer = client.codec().observer();
            let read = frames
                .iter()
                .map(|frame| observer.observe(&frame.name, &frame.data))
                .find_map(|event| match event {
                    crate::EventClass::Error(error) => Some(error.class(None)),
                    _ => None,
                });
            assert_eq!(read, Some(readable(client, class)), "{place}");
        }
    }
}

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let with_all = |client| DIALECTS.map(move |provider| (client, provider));
    DIALECTS.into_iter().flat_map(with_all)
}

#[test]
fn clients_recognize_requests_that_are_too_long() {
    let openai = "This model's maximum context length is 128,000 tokens. However, your messages resulted in 130250 tokens.";
    let vllm = "Requested token count exceeds the model's maximum context length of 262144 tokens. You requested a total of 262462 tokens: 230462 tokens from the input messages and 32000 tokens for the completion.";
    let gemini =
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
    let claude = "prompt is too long: 216327 tokens > 200000 maximum";
    let codex = "Your input exceeds the context window of this model.";
    let cases = [
        (
            openai,
            "prompt is too long: 130250 tokens > 128000 maximum: ",
            "The input token count (130250) exceeds the maximum number of tokens allowed (128000): ",
        ),
        (
            vllm,
            "input length and `max_tokens` exceed context limit: 230462 + 32000 > 262144, decrease input length or `max_tokens` and try again: ",
            "The input token count (262462) exceeds the maximum number of tokens allowed (262144): ",
        ),
        (
            gemini,
            "prompt is too long: 1200000 tokens > 1048576 maximum: ",
            "",
        ),
        (
            claude,
            "",
            "The input token count (216327) exceeds the maximum number of tokens allowed (200000): ",
        ),
        (
            codex,
            "prompt is too long: ",
            "The input token count exceeds the maximum number of tokens allowed: ",
        ),
    ];
    for (message, to_anthropic, to_gemini) in cases {
        let error = ProviderError::from_message(message);
        let messages = DIALECTS.map(|client| {
            let (status, body) = translate_error_response(client, 400, &error);
            assert_eq!(status, 400, "{message}");
            ProviderError::read(&body).unwrap_or_default()
        });
        let [anthropic, gemini, chat, responses] = messages;
        assert_eq!(anthropic.message, format!("{to_anthropic}{message}"));
        assert_eq!(gemini.message, format!("{to_gemini}{message}"));
        for openai in [chat, responses] {
            assert_eq!(openai.message, message);
            assert_eq!(openai.code.as_deref(), Some("context_length_exceeded"));
        }
    }
}

#[test]
fn finds_counts_that_agree() {
    let found = |message: &str| {
        let counts = ContextCounts::find(message)?;
        Some((counts.input, counts.output, counts.context))
    };
    for (message, expected) in [
        ("", None),
        ("128000", None),
        ("at most 4096 tokens, not 4096", None),
        ("1000 2000 3000", None),
        (
            "gpt-4o-2024-08-06 allows 128000, got 130000",
            Some((130_000, None, 128_000)),
        ),
        ("9999 + 1 > 9000", Some((9999, None, 9000))),
        // The input alone is too long.
        ("context 8192, requested 10500: 10000 in, 500 out", None),
        (
            "context 8192, requested 12000: 10000 in, 2000 out",
            Some((10_000, None, 8192)),
        ),
        // Numbers that do not add up.
        ("8192 of 12000: 10000 in, 3000 out", None),
    ] {
        assert_eq!(found(message), expected, "{message}");
    }
}

/// Codex compares these codes, and retries after any other one.
#[test]
fn codex_codes_survive() {
    for code in [
        "context_length_exceeded",
        "cyber_policy",
        "insufficient_quota",
        "invalid_prompt",
        "rate_limit_exceeded",
        "server_is_overloaded",
        "slow_down",
        "usage_not_included",
    ] {
        let error = ProviderError {
            code: Some(code.to_owned()),
            ..ProviderError::from_message("m")
        };
        let mut frames = Vec::new();
        let mut encoder = Dialect::OpenaiResponses
            .codec()
            .encoder(ResponseContext::default());
        encoder.event(&Event::Error(error), &mut frames);
        let last = frames.last().map(|frame| frame.data.as_slice());
        let data: serde_json::Value = serde_json::from_slice(last.unwrap_or_default()).unwrap();
        assert_eq!(data["response"]["error"]["code"], code);
    }
}
