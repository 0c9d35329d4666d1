//! The schemas of chat requests, by OpenAI's API reference ("Create chat completion").

use crate::schema::{COUNT, Member, Schema, nullable, optional, required};

/// The body of a chat request.
pub(super) static BODY: Schema = Schema::Object(&MEMBERS);

static MEMBERS: [Member; 38] = [
    required("model", Schema::Text),
    required("messages", Schema::List(&MESSAGE)),
    nullable("audio", Schema::Any),
    nullable("frequency_penalty", Schema::Number(-2.0, 2.0)),
    optional("function_call", Schema::Any),
    optional("functions", Schema::List(&Schema::Object(&FUNCTION))),
    nullable("logit_bias", Schema::Map(&Schema::Number(-100.0, 100.0))),
    nullable("logprobs", Schema::Boolean),
    nullable("max_completion_tokens", Schema::Integer(1, i64::MAX)),
    nullable("max_tokens", Schema::Integer(1, i64::MAX)),
    nullable("metadata", Schema::Map(&Schema::Text)),
    nullable(
        "modalities",
        Schema::List(&Schema::Enum(&["text", "audio"])),
    ),
    nullable("moderation", Schema::Any),
    nullable("n", Schema::Integer(1, 128)),
    optional("parallel_tool_calls", Schema::Boolean),
    optional("mock", Schema::Any),
    nullable("prediction", Schema::Any),
    nullable("presence_penalty", Schema::Number(-2.0, 2.0)),
    nullable("prompt_cache_key", Schema::Text),
    optional("prompt_cache_options", Schema::Any),
    nullable(
        "prompt_cache_retention",
        Schema::Enum(&["in_memory", "24h"]),
    ),
    nullable("reasoning_effort", EFFORT),
    optional("response_format", Schema::Tagged("type", &FORMATS)),
    nullable("safety_identifier", Schema::Text),
    nullable("seed", Schema::Integer(i64::MIN, i64::MAX)),
    nullable(
        "service_tier",
        Schema::Enum(&["auto", "default", "flex", "scale", "priority", "fast"]),
    ),
    nullable(
        "stop",
        Schema::AnyOf(&[Schema::Text, Schema::List(&Schema::Text)]),
    ),
    nullable("store", Schema::Boolean),
    nullable("stream", Schema::Boolean),
    nullable("stream_options", Schema::Object(&STREAM_OPTIONS)),
    nullable("temperature", Schema::Number(0.0, 2.0)),
    optional(
        "tool_choice",
        Schema::AnyOf(&[
            Schema::Enum(&["none", "auto", "required"]),
            Schema::Tagged("type", &CHOICES),
        ]),
    ),
    optional("tools", Schema::List(&Schema::Tagged("type", &TOOLS))),
    nullable("top_logprobs", Schema::Integer(0, 20)),
    nullable("top_p", Schema::Number(0.0, 1.0)),
    optional("user", Schema::Text),
    nullable("verbosity", Schema::Enum(&["low", "medium", "high"])),
    optional("web_search_options", Schema::Any),
];

/// The reasoning effort.
pub(crate) const EFFORT: Schema =
    Schema::Enum(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]);

static STREAM_OPTIONS: [Member; 2] = [
    optional("include_usage", Schema::Boolean),
    optional("include_obfuscation", Schema::Boolean),
];

static FORMATS: [(&str, &[Member]); 3] = [
    ("text", &[required("type", Schema::Text)]),
    ("json_object", &[required("type", Schema::Text)]),
    (
        "json_schema",
        &[
            required("type", Schema::Text),
            required("json_schema", Schema::Object(&JSON_SCHEMA)),
        ],
    ),
];

static JSON_SCHEMA: [Member; 4] = [
    required("name", Schema::Text),
    optional("description", Schema::Text),
    optional("schema", Schema::Map(&Schema::Any)),
    nullable("strict", Schema::Boolean),
];

static FUNCTION: [Member; 4] = [
    required("name", Schema::Text),
    optional("description", Schema::Text),
    optional("parameters", Schema::Map(&Schema::Any)),
    nullable("strict", Schema::Boolean),
];

static TOOLS: [(&str, &[Member]); 2] = [
    (
        "function",
        &[
            required("type", Schema::Text),
            required("function", Schema::Object(&FUNCTION)),
        ],
    ),
    (
        "custom",
        &[
            required("type", Schema::Text),
            required("custom", Schema::Map(&Schema::Any)),
        ],
    ),
];

static NAMED: [Member; 1] = [required("name", Schema::Text)];

static ALLOWED: [Member; 2] = [
    required("mode", Schema::Enum(&["auto", "required"])),
    required("tools", Schema::List(&Schema::Map(&Schema::Any))),
];

static CHOICES: [(&str, &[Member]); 3] = [
    (
        "function",
        &[
            required("type", Schema::Text),
            required("function", Schema::Object(&NAMED)),
        ],
    ),
    (
        "custom",
        &[
            required("type", Schema::Text),
            required("custom", Schema::Object(&NAMED)),
        ],
    ),
    (
        "allowed_tools",
        &[
            required("type", Schema::Text),
            required("allowed_tools", Schema::Object(&ALLOWED)),
        ],
    ),
];

static MESSAGE: Schema = Schema::Tagged("role", &MESSAGES);

static MESSAGES: [(&str, &[Member]); 6] = [
    ("developer", &SYSTEM),
    ("system", &SYSTEM),
    ("user", &USER),
    ("assistant", &ASSISTANT),
    ("tool", &TOOL),
    ("function", &DEPRECATED_FUNCTION),
];

const TEXT_OR_PARTS: Schema = Schema::AnyOf(&[
    Schema::Text,
    Schema::List(&Schema::Tagged("type", &TEXT_PARTS)),
]);

static SYSTEM: [Member; 3] = [
    required("role", Schema::Text),
    required("content", TEXT_OR_PARTS),
    optional("name", Schema::Text),
];

static USER: [Member; 3] = [
    required("role", Schema::Text),
    required(
        "content",
        Schema::AnyOf(&[Schema::Text, Schema::List(&Schema::Tagged("type", &PARTS))]),
    ),
    optional("name", Schema::Text),
];

static ASSISTANT: [Member; 8] = [
    required("role", Schema::Text),
    nullable(
        "content",
        Schema::AnyOf(&[
            Schema::Text,
            Schema::List(&Schema::Tagged("type", &ASSISTANT_PARTS)),
        ]),
    ),
    nullable("audio", Schema::Object(&[required("id", Schema::Text)])),
    nullable("function_call", Schema::Object(&FUNCTION_CALL)),
    optional("name", Schema::Text),
    nullable("refusal", Schema::Text),
    optional("tool_calls", Schema::List(&Schema::Tagged("type", &CALLS))),
    // Not OpenAI's: providers that return reasoning in chats accept it in the history.
    nullable("reasoning_content", Schema::Text),
];

static TOOL: [Member; 3] = [
    required("role", Schema::Text),
    required("content", TEXT_OR_PARTS),
    required("tool_call_id", Schema::Text),
];

static DEPRECATED_FUNCTION: [Member; 3] = [
    required("role", Schema::Text),
    nullable("content", Schema::Text),
    required("name", Schema::Text),
];

static FUNCTION_CALL: [Member; 2] = [
    required("name", Schema::Text),
    required("arguments", Schema::Text),
];

static CALLS: [(&str, &[Member]); 2] = [
    (
        "function",
        &[
            required("id", Schema::Text),
            required("type", Schema::Text),
            required("function", Schema::Object(&FUNCTION_CALL)),
        ],
    ),
    (
        "custom",
        &[
            required("id", Schema::Text),
            required("type", Schema::Text),
            required(
                "custom",
                Schema::Object(&[
                    required("name", Schema::Text),
                    required("input", Schema::Text),
                ]),
            ),
        ],
    ),
];

static TEXT_PART: [Member; 3] = [
    required("type", Schema::Text),
    required("text", Schema::Text),
    optional("prompt_cache_breakpoint", Schema::Any),
];

static TEXT_PARTS: [(&str, &[Member]); 1] = [("text", &TEXT_PART)];

static ASSISTANT_PARTS: [(&str, &[Member]); 2] = [
    ("text", &TEXT_PART),
    (
        "refusal",
        &[
            required("type", Schema::Text),
            required("refusal", Schema::Text),
        ],
    ),
];

static IMAGE_URL: [Member; 2] = [
    required("url", Schema::Text),
    optional("detail", Schema::Enum(&["auto", "low", "high", "original"])),
];

static PARTS: [(&str, &[Member]); 4] = [
    ("text", &TEXT_PART),
    (
        "image_url",
        &[
            required("type", Schema::Text),
            required("image_url", Schema::Object(&IMAGE_URL)),
            optional("prompt_cache_breakpoint", Schema::Any),
        ],
    ),
    (
        "input_audio",
        &[
            required("type", Schema::Text),
            required(
                "input_audio",
                Schema::Object(&[
                    required("data", Schema::Text),
                    required("format", Schema::Enum(&["wav", "mp3"])),
                ]),
            ),
            optional("prompt_cache_breakpoint", Schema::Any),
        ],
    ),
    (
        "file",
        &[
            required("type", Schema::Text),
            required(
                "file",
                Schema::Object(&[
                    optional("file_data", Schema::Text),
                    optional("file_id", Schema::Text),
                    optional("filename", Schema::Text),
                ]),
            ),
            optional("prompt_cache_breakpoint", Schema::Any),
        ],
    ),
];

/// The body of a legacy completion ("Create completion").
pub(crate) static COMPLETION_BODY: Schema = Schema::Object(&[
    required("model", Schema::Text),
    required(
        "prompt",
        Schema::AnyOf(&[Schema::Text, Schema::List(&Schema::Text)]),
    ),
    nullable("best_of", Schema::Integer(0, 20)),
    nullable("echo", Schema::Boolean),
    nullable("frequency_penalty", Schema::Number(-2.0, 2.0)),
    nullable("logit_bias", Schema::Map(&Schema::Number(-100.0, 100.0))),
    nullable("logprobs", Schema::Integer(0, 5)),
    nullable("max_tokens", COUNT),
    nullable("n", Schema::Integer(1, 128)),
    optional("mock", Schema::Any),
    nullable("presence_penalty", Schema::Number(-2.0, 2.0)),
    nullable("seed", Schema::Integer(i64::MIN, i64::MAX)),
    nullable(
        "stop",
        Schema::AnyOf(&[Schema::Text, Schema::List(&Schema::Text)]),
    ),
    nullable("stream", Schema::Boolean),
    nullable("stream_options", Schema::Object(&STREAM_OPTIONS)),
    nullable("suffix", Schema::Text),
    nullable("temperature", Schema::Number(0.0, 2.0)),
    nullable("top_p", Schema::Number(0.0, 1.0)),
    optional("user", Schema::Text),
]);
