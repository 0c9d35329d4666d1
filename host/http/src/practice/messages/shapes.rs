//! The members of a message, by Anthropic's API reference ("Create a Message").

use crate::practice::shape::{COUNT, Member, Shape, may, must, null_or};

/// The body.
pub(super) static BODY: Shape = Shape::Object(&MEMBERS);

/// The body of a token count.
pub(super) static COUNT_BODY: Shape = Shape::Object(&COUNT_MEMBERS);

static MEMBERS: [Member; 25] = [
    must("model", Shape::Text),
    must("messages", Shape::List(&MESSAGE)),
    must("max_tokens", Shape::Whole(1, i64::MAX)),
    null_or("cache_control", CACHE),
    null_or("container", Shape::Any),
    // Beta, and sent by coding tools.
    null_or("context_management", Shape::Any),
    null_or("diagnostics", Shape::Any),
    null_or("inference_geo", Shape::Text),
    may("mcp_servers", Shape::Any),
    may(
        "metadata",
        Shape::Object(&[null_or("user_id", Shape::Text)]),
    ),
    may("output_config", Shape::Object(&OUTPUT)),
    may("practice", Shape::Any),
    may("service_tier", Shape::OneOf(&["auto", "standard_only"])),
    null_or("speed", Shape::OneOf(&["standard", "fast"])),
    may("stop_sequences", Shape::List(&Shape::Text)),
    may("stream", Shape::Flag),
    may("system", TEXT_OR_TEXTS),
    may("temperature", Shape::Number(0.0, 1.0)),
    may("thinking", Shape::Tagged("type", &THINKING)),
    may("tool_choice", Shape::Tagged("type", &CHOICES)),
    may("tools", Shape::List(&Shape::Map(&Shape::Any))),
    may("top_k", COUNT),
    may("top_p", Shape::Number(0.0, 1.0)),
    may("user_profile_id", Shape::Text),
    may("workspace_id", Shape::Text),
];

static COUNT_MEMBERS: [Member; 13] = [
    must("model", Shape::Text),
    must("messages", Shape::List(&MESSAGE)),
    null_or("cache_control", CACHE),
    null_or("context_management", Shape::Any),
    may("mcp_servers", Shape::Any),
    may("output_config", Shape::Object(&OUTPUT)),
    may("practice", Shape::Any),
    null_or("speed", Shape::OneOf(&["standard", "fast"])),
    may("system", TEXT_OR_TEXTS),
    may("thinking", Shape::Tagged("type", &THINKING)),
    may("tool_choice", Shape::Tagged("type", &CHOICES)),
    may("tools", Shape::List(&Shape::Map(&Shape::Any))),
    may("user_profile_id", Shape::Text),
];

const CACHE: Shape = Shape::Object(&[
    must("type", Shape::OneOf(&["ephemeral"])),
    may("ttl", Shape::OneOf(&["5m", "1h"])),
    // Beta, and sent by coding tools.
    may("scope", Shape::Text),
]);

const TEXT_OR_TEXTS: Shape =
    Shape::Either(&[Shape::Text, Shape::List(&Shape::Tagged("type", &TEXTS))]);

static OUTPUT: [Member; 3] = [
    null_or(
        "effort",
        Shape::OneOf(&["low", "medium", "high", "xhigh", "max"]),
    ),
    null_or("format", Shape::Object(&FORMAT)),
    null_or("task_budget", Shape::Any),
];

static FORMAT: [Member; 2] = [
    must("type", Shape::OneOf(&["json_schema"])),
    must("schema", Shape::Map(&Shape::Any)),
];

static THINKING: [(&str, &[Member]); 4] = [
    (
        "enabled",
        &[
            must("type", Shape::Text),
            must("budget_tokens", Shape::Whole(1024, i64::MAX)),
            null_or("display", Shape::OneOf(&["summarized", "omitted"])),
        ],
    ),
    (
        "adaptive",
        &[
            must("type", Shape::Text),
            null_or("display", Shape::OneOf(&["summarized", "omitted"])),
        ],
    ),
    ("between_tools", &[must("type", Shape::Text)]),
    ("disabled", &[must("type", Shape::Text)]),
];

static CHOICES: [(&str, &[Member]); 4] = [
    (
        "auto",
        &[
            must("type", Shape::Text),
            may("disable_parallel_tool_use", Shape::Flag),
        ],
    ),
    (
        "any",
        &[
            must("type", Shape::Text),
            may("disable_parallel_tool_use", Shape::Flag),
        ],
    ),
    (
        "tool",
        &[
            must("type", Shape::Text),
            must("name", Shape::Text),
            may("disable_parallel_tool_use", Shape::Flag),
        ],
    ),
    ("none", &[must("type", Shape::Text)]),
];

/// A tool of the client's own.
pub(super) static TOOL: Shape = Shape::Object(&[
    must("name", Shape::Text),
    must("input_schema", Shape::Map(&Shape::Any)),
    null_or("type", Shape::OneOf(&["custom"])),
    may("description", Shape::Text),
    null_or("cache_control", CACHE),
    may("strict", Shape::Flag),
    may("defer_loading", Shape::Flag),
    null_or("eager_input_streaming", Shape::Flag),
    may("input_examples", Shape::List(&Shape::Map(&Shape::Any))),
    may("allowed_callers", Shape::List(&Shape::Text)),
]);

static MESSAGE: Shape = Shape::Tagged(
    "role",
    &[
        (
            "user",
            &[
                must("role", Shape::Text),
                must(
                    "content",
                    Shape::Either(&[Shape::Text, Shape::List(&Shape::Tagged("type", &USER))]),
                ),
            ],
        ),
        (
            "assistant",
            &[
                must("role", Shape::Text),
                must(
                    "content",
                    Shape::Either(&[Shape::Text, Shape::List(&Shape::Tagged("type", &ASSISTANT))]),
                ),
            ],
        ),
        (
            "system",
            &[must("role", Shape::Text), must("content", TEXT_OR_TEXTS)],
        ),
    ],
);

static TEXT: [Member; 4] = [
    must("type", Shape::Text),
    must("text", Shape::Text),
    null_or("cache_control", CACHE),
    null_or("citations", Shape::List(&Shape::Map(&Shape::Any))),
];

static TEXTS: [(&str, &[Member]); 1] = [("text", &TEXT)];

static IMAGE: [Member; 4] = [
    must("type", Shape::Text),
    must("source", Shape::Tagged("type", &IMAGE_SOURCES)),
    null_or("cache_control", CACHE),
    null_or("transformations", Shape::Any),
];

static IMAGE_SOURCES: [(&str, &[Member]); 3] = [
    (
        "base64",
        &[
            must("type", Shape::Text),
            must(
                "media_type",
                Shape::OneOf(&["image/jpeg", "image/png", "image/gif", "image/webp"]),
            ),
            must("data", Shape::Text),
        ],
    ),
    (
        "url",
        &[must("type", Shape::Text), must("url", Shape::Text)],
    ),
    (
        "file",
        &[must("type", Shape::Text), must("file_id", Shape::Text)],
    ),
];

static DOCUMENT: [Member; 6] = [
    must("type", Shape::Text),
    must("source", Shape::Tagged("type", &DOCUMENT_SOURCES)),
    null_or("cache_control", CACHE),
    null_or("citations", Shape::Object(&[may("enabled", Shape::Flag)])),
    null_or("context", Shape::Text),
    null_or("title", Shape::Text),
];

static DOCUMENT_SOURCES: [(&str, &[Member]); 5] = [
    (
        "base64",
        &[
            must("type", Shape::Text),
            must("media_type", Shape::OneOf(&["application/pdf"])),
            must("data", Shape::Text),
        ],
    ),
    (
        "text",
        &[
            must("type", Shape::Text),
            must("media_type", Shape::OneOf(&["text/plain"])),
            must("data", Shape::Text),
        ],
    ),
    (
        "content",
        &[must("type", Shape::Text), must("content", Shape::Any)],
    ),
    (
        "url",
        &[must("type", Shape::Text), must("url", Shape::Text)],
    ),
    (
        "file",
        &[must("type", Shape::Text), must("file_id", Shape::Text)],
    ),
];

static TOOL_RESULT: [Member; 6] = [
    must("type", Shape::Text),
    must("tool_use_id", Shape::Text),
    may(
        "content",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Tagged("type", &RESULTS))]),
    ),
    may("is_error", Shape::Flag),
    null_or("cache_control", CACHE),
    null_or("toolset_name", Shape::Text),
];

static RESULTS: [(&str, &[Member]); 3] =
    [("text", &TEXT), ("image", &IMAGE), ("document", &DOCUMENT)];

static USER: [(&str, &[Member]); 4] = [
    ("text", &TEXT),
    ("image", &IMAGE),
    ("document", &DOCUMENT),
    ("tool_result", &TOOL_RESULT),
];

static ASSISTANT: [(&str, &[Member]); 4] = [
    ("text", &TEXT),
    (
        "thinking",
        &[
            must("type", Shape::Text),
            must("thinking", Shape::Text),
            must("signature", Shape::Text),
        ],
    ),
    (
        "redacted_thinking",
        &[must("type", Shape::Text), must("data", Shape::Text)],
    ),
    (
        "tool_use",
        &[
            must("type", Shape::Text),
            must("id", Shape::Text),
            must("name", Shape::Text),
            must("input", Shape::Map(&Shape::Any)),
            null_or("cache_control", CACHE),
            may("caller", Shape::Any),
            null_or("toolset_name", Shape::Text),
        ],
    ),
];
