//! The members of a chat, by OpenAI's API reference ("Create chat completion").

use crate::practice::shape::{COUNT, Member, Shape, may, must, null_or};

/// The body.
pub(super) static BODY: Shape = Shape::Object(&MEMBERS);

static MEMBERS: [Member; 38] = [
    must("model", Shape::Text),
    must("messages", Shape::List(&MESSAGE)),
    null_or("audio", Shape::Any),
    null_or("frequency_penalty", Shape::Number(-2.0, 2.0)),
    may("function_call", Shape::Any),
    may("functions", Shape::List(&Shape::Object(&FUNCTION))),
    null_or("logit_bias", Shape::Map(&Shape::Number(-100.0, 100.0))),
    null_or("logprobs", Shape::Flag),
    null_or("max_completion_tokens", Shape::Whole(1, i64::MAX)),
    null_or("max_tokens", Shape::Whole(1, i64::MAX)),
    null_or("metadata", Shape::Map(&Shape::Text)),
    null_or("modalities", Shape::List(&Shape::OneOf(&["text", "audio"]))),
    null_or("moderation", Shape::Any),
    null_or("n", Shape::Whole(1, 128)),
    may("parallel_tool_calls", Shape::Flag),
    may("practice", Shape::Any),
    null_or("prediction", Shape::Any),
    null_or("presence_penalty", Shape::Number(-2.0, 2.0)),
    null_or("prompt_cache_key", Shape::Text),
    may("prompt_cache_options", Shape::Any),
    null_or(
        "prompt_cache_retention",
        Shape::OneOf(&["in_memory", "24h"]),
    ),
    null_or("reasoning_effort", EFFORT),
    may("response_format", Shape::Tagged("type", &FORMATS)),
    null_or("safety_identifier", Shape::Text),
    null_or("seed", Shape::Whole(i64::MIN, i64::MAX)),
    null_or(
        "service_tier",
        Shape::OneOf(&["auto", "default", "flex", "scale", "priority", "fast"]),
    ),
    null_or(
        "stop",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]),
    ),
    null_or("store", Shape::Flag),
    null_or("stream", Shape::Flag),
    null_or("stream_options", Shape::Object(&STREAM_OPTIONS)),
    null_or("temperature", Shape::Number(0.0, 2.0)),
    may(
        "tool_choice",
        Shape::Either(&[
            Shape::OneOf(&["none", "auto", "required"]),
            Shape::Tagged("type", &CHOICES),
        ]),
    ),
    may("tools", Shape::List(&Shape::Tagged("type", &TOOLS))),
    null_or("top_logprobs", Shape::Whole(0, 20)),
    null_or("top_p", Shape::Number(0.0, 1.0)),
    may("user", Shape::Text),
    null_or("verbosity", Shape::OneOf(&["low", "medium", "high"])),
    may("web_search_options", Shape::Any),
];

/// How hard a model is to think.
pub(in crate::practice) const EFFORT: Shape =
    Shape::OneOf(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]);

static STREAM_OPTIONS: [Member; 2] = [
    may("include_usage", Shape::Flag),
    may("include_obfuscation", Shape::Flag),
];

static FORMATS: [(&str, &[Member]); 3] = [
    ("text", &[must("type", Shape::Text)]),
    ("json_object", &[must("type", Shape::Text)]),
    (
        "json_schema",
        &[
            must("type", Shape::Text),
            must("json_schema", Shape::Object(&JSON_SCHEMA)),
        ],
    ),
];

static JSON_SCHEMA: [Member; 4] = [
    must("name", Shape::Text),
    may("description", Shape::Text),
    may("schema", Shape::Map(&Shape::Any)),
    null_or("strict", Shape::Flag),
];

static FUNCTION: [Member; 4] = [
    must("name", Shape::Text),
    may("description", Shape::Text),
    may("parameters", Shape::Map(&Shape::Any)),
    null_or("strict", Shape::Flag),
];

static TOOLS: [(&str, &[Member]); 2] = [
    (
        "function",
        &[
            must("type", Shape::Text),
            must("function", Shape::Object(&FUNCTION)),
        ],
    ),
    (
        "custom",
        &[
            must("type", Shape::Text),
            must("custom", Shape::Map(&Shape::Any)),
        ],
    ),
];

static NAMED: [Member; 1] = [must("name", Shape::Text)];

static ALLOWED: [Member; 2] = [
    must("mode", Shape::OneOf(&["auto", "required"])),
    must("tools", Shape::List(&Shape::Map(&Shape::Any))),
];

static CHOICES: [(&str, &[Member]); 3] = [
    (
        "function",
        &[
            must("type", Shape::Text),
            must("function", Shape::Object(&NAMED)),
        ],
    ),
    (
        "custom",
        &[
            must("type", Shape::Text),
            must("custom", Shape::Object(&NAMED)),
        ],
    ),
    (
        "allowed_tools",
        &[
            must("type", Shape::Text),
            must("allowed_tools", Shape::Object(&ALLOWED)),
        ],
    ),
];

static MESSAGE: Shape = Shape::Tagged("role", &MESSAGES);

static MESSAGES: [(&str, &[Member]); 6] = [
    ("developer", &SYSTEM),
    ("system", &SYSTEM),
    ("user", &USER),
    ("assistant", &ASSISTANT),
    ("tool", &TOOL),
    ("function", &OLD_FUNCTION),
];

const TEXT_OR_TEXTS: Shape = Shape::Either(&[
    Shape::Text,
    Shape::List(&Shape::Tagged("type", &TEXT_PARTS)),
]);

static SYSTEM: [Member; 3] = [
    must("role", Shape::Text),
    must("content", TEXT_OR_TEXTS),
    may("name", Shape::Text),
];

static USER: [Member; 3] = [
    must("role", Shape::Text),
    must(
        "content",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Tagged("type", &PARTS))]),
    ),
    may("name", Shape::Text),
];

static ASSISTANT: [Member; 8] = [
    must("role", Shape::Text),
    null_or(
        "content",
        Shape::Either(&[
            Shape::Text,
            Shape::List(&Shape::Tagged("type", &ASSISTANT_PARTS)),
        ]),
    ),
    null_or("audio", Shape::Object(&[must("id", Shape::Text)])),
    null_or("function_call", Shape::Object(&FUNCTION_CALL)),
    may("name", Shape::Text),
    null_or("refusal", Shape::Text),
    may("tool_calls", Shape::List(&Shape::Tagged("type", &CALLS))),
    // What providers that show their reasoning in chats take back.
    null_or("reasoning_content", Shape::Text),
];

static TOOL: [Member; 3] = [
    must("role", Shape::Text),
    must("content", TEXT_OR_TEXTS),
    must("tool_call_id", Shape::Text),
];

static OLD_FUNCTION: [Member; 3] = [
    must("role", Shape::Text),
    null_or("content", Shape::Text),
    must("name", Shape::Text),
];

static FUNCTION_CALL: [Member; 2] = [must("name", Shape::Text), must("arguments", Shape::Text)];

static CALLS: [(&str, &[Member]); 2] = [
    (
        "function",
        &[
            must("id", Shape::Text),
            must("type", Shape::Text),
            must("function", Shape::Object(&FUNCTION_CALL)),
        ],
    ),
    (
        "custom",
        &[
            must("id", Shape::Text),
            must("type", Shape::Text),
            must(
                "custom",
                Shape::Object(&[must("name", Shape::Text), must("input", Shape::Text)]),
            ),
        ],
    ),
];

static TEXT_PART: [Member; 3] = [
    must("type", Shape::Text),
    must("text", Shape::Text),
    may("prompt_cache_breakpoint", Shape::Any),
];

static TEXT_PARTS: [(&str, &[Member]); 1] = [("text", &TEXT_PART)];

static ASSISTANT_PARTS: [(&str, &[Member]); 2] = [
    ("text", &TEXT_PART),
    (
        "refusal",
        &[must("type", Shape::Text), must("refusal", Shape::Text)],
    ),
];

static IMAGE_URL: [Member; 2] = [
    must("url", Shape::Text),
    may("detail", Shape::OneOf(&["auto", "low", "high", "original"])),
];

static PARTS: [(&str, &[Member]); 4] = [
    ("text", &TEXT_PART),
    (
        "image_url",
        &[
            must("type", Shape::Text),
            must("image_url", Shape::Object(&IMAGE_URL)),
            may("prompt_cache_breakpoint", Shape::Any),
        ],
    ),
    (
        "input_audio",
        &[
            must("type", Shape::Text),
            must(
                "input_audio",
                Shape::Object(&[
                    must("data", Shape::Text),
                    must("format", Shape::OneOf(&["wav", "mp3"])),
                ]),
            ),
            may("prompt_cache_breakpoint", Shape::Any),
        ],
    ),
    (
        "file",
        &[
            must("type", Shape::Text),
            must(
                "file",
                Shape::Object(&[
                    may("file_data", Shape::Text),
                    may("file_id", Shape::Text),
                    may("filename", Shape::Text),
                ]),
            ),
            may("prompt_cache_breakpoint", Shape::Any),
        ],
    ),
];

/// The body of a legacy completion ("Create completion").
pub(in crate::practice) static COMPLETION: Shape = Shape::Object(&[
    must("model", Shape::Text),
    must(
        "prompt",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]),
    ),
    null_or("best_of", Shape::Whole(0, 20)),
    null_or("echo", Shape::Flag),
    null_or("frequency_penalty", Shape::Number(-2.0, 2.0)),
    null_or("logit_bias", Shape::Map(&Shape::Number(-100.0, 100.0))),
    null_or("logprobs", Shape::Whole(0, 5)),
    null_or("max_tokens", COUNT),
    null_or("n", Shape::Whole(1, 128)),
    may("practice", Shape::Any),
    null_or("presence_penalty", Shape::Number(-2.0, 2.0)),
    null_or("seed", Shape::Whole(i64::MIN, i64::MAX)),
    null_or(
        "stop",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]),
    ),
    null_or("stream", Shape::Flag),
    null_or("stream_options", Shape::Object(&STREAM_OPTIONS)),
    null_or("suffix", Shape::Text),
    null_or("temperature", Shape::Number(0.0, 2.0)),
    null_or("top_p", Shape::Number(0.0, 1.0)),
    may("user", Shape::Text),
]);
