//! The schemas of Anthropic's requests, by its API reference ("Create a Message").

use crate::schema::{COUNT, Member, Schema, nullable, optional, required};

/// The body of a message request.
pub(super) static BODY: Schema = Schema::Object(&MEMBERS);

/// The body of a token count.
pub(super) static COUNT_BODY: Schema = Schema::Object(&COUNT_MEMBERS);

static MEMBERS: [Member; 25] = [
    required("model", Schema::Text),
    required("messages", Schema::List(&MESSAGE)),
    required("max_tokens", Schema::Integer(1, i64::MAX)),
    nullable("cache_control", CACHE),
    nullable("container", Schema::Any),
    // Beta; coding tools send it.
    nullable("context_management", Schema::Any),
    nullable("diagnostics", Schema::Any),
    nullable("inference_geo", Schema::Text),
    optional("mcp_servers", Schema::Any),
    optional(
        "metadata",
        Schema::Object(&[nullable("user_id", Schema::Text)]),
    ),
    optional("output_config", Schema::Object(&OUTPUT)),
    optional("mock", Schema::Any),
    optional("service_tier", Schema::Enum(&["auto", "standard_only"])),
    nullable("speed", Schema::Enum(&["standard", "fast"])),
    optional("stop_sequences", Schema::List(&Schema::Text)),
    optional("stream", Schema::Boolean),
    optional("system", TEXT_OR_BLOCKS),
    optional("temperature", Schema::Number(0.0, 1.0)),
    optional("thinking", Schema::Tagged("type", &THINKING)),
    optional("tool_choice", Schema::Tagged("type", &CHOICES)),
    optional("tools", Schema::List(&Schema::Map(&Schema::Any))),
    optional("top_k", COUNT),
    optional("top_p", Schema::Number(0.0, 1.0)),
    optional("user_profile_id", Schema::Text),
    optional("workspace_id", Schema::Text),
];

static COUNT_MEMBERS: [Member; 13] = [
    required("model", Schema::Text),
    required("messages", Schema::List(&MESSAGE)),
    nullable("cache_control", CACHE),
    nullable("context_management", Schema::Any),
    optional("mcp_servers", Schema::Any),
    optional("output_config", Schema::Object(&OUTPUT)),
    optional("mock", Schema::Any),
    nullable("speed", Schema::Enum(&["standard", "fast"])),
    optional("system", TEXT_OR_BLOCKS),
    optional("thinking", Schema::Tagged("type", &THINKING)),
    optional("tool_choice", Schema::Tagged("type", &CHOICES)),
    optional("tools", Schema::List(&Schema::Map(&Schema::Any))),
    optional("user_profile_id", Schema::Text),
];

const CACHE: Schema = Schema::Object(&[
    required("type", Schema::Enum(&["ephemeral"])),
    optional("ttl", Schema::Enum(&["5m", "1h"])),
    // Beta; coding tools send it.
    optional("scope", Schema::Text),
]);

const TEXT_OR_BLOCKS: Schema = Schema::AnyOf(&[
    Schema::Text,
    Schema::List(&Schema::Tagged("type", &TEXT_BLOCKS)),
]);

static OUTPUT: [Member; 3] = [
    nullable(
        "effort",
        Schema::Enum(&["low", "medium", "high", "xhigh", "max"]),
    ),
    nullable("format", Schema::Object(&FORMAT)),
    nullable("task_budget", Schema::Any),
];

static FORMAT: [Member; 2] = [
    required("type", Schema::Enum(&["json_schema"])),
    required("schema", Schema::Map(&Schema::Any)),
];

static THINKING: [(&str, &[Member]); 4] = [
    (
        "enabled",
        &[
            required("type", Schema::Text),
            required("budget_tokens", Schema::Integer(1024, i64::MAX)),
            nullable("display", Schema::Enum(&["summarized", "omitted"])),
        ],
    ),
    (
        "adaptive",
        &[
            required("type", Schema::Text),
            nullable("display", Schema::Enum(&["summarized", "omitted"])),
        ],
    ),
    ("between_tools", &[required("type", Schema::Text)]),
    ("disabled", &[required("type", Schema::Text)]),
];

static CHOICES: [(&str, &[Member]); 4] = [
    (
        "auto",
        &[
            required("type", Schema::Text),
            optional("disable_parallel_tool_use", Schema::Boolean),
        ],
    ),
    (
        "any",
        &[
            required("type", Schema::Text),
            optional("disable_parallel_tool_use", Schema::Boolean),
        ],
    ),
    (
        "tool",
        &[
            required("type", Schema::Text),
            required("name", Schema::Text),
            optional("disable_parallel_tool_use", Schema::Boolean),
        ],
    ),
    ("none", &[required("type", Schema::Text)]),
];

/// A tool that the client runs.
pub(super) static TOOL: Schema = Schema::Object(&[
    required("name", Schema::Text),
    required("input_schema", Schema::Map(&Schema::Any)),
    nullable("type", Schema::Enum(&["custom"])),
    optional("description", Schema::Text),
    nullable("cache_control", CACHE),
    optional("strict", Schema::Boolean),
    optional("defer_loading", Schema::Boolean),
    nullable("eager_input_streaming", Schema::Boolean),
    optional("input_examples", Schema::List(&Schema::Map(&Schema::Any))),
    optional("allowed_callers", Schema::List(&Schema::Text)),
]);

static MESSAGE: Schema = Schema::Tagged(
    "role",
    &[
        (
            "user",
            &[
                required("role", Schema::Text),
                required(
                    "content",
                    Schema::AnyOf(&[Schema::Text, Schema::List(&Schema::Tagged("type", &USER))]),
                ),
            ],
        ),
        (
            "assistant",
            &[
                required("role", Schema::Text),
                required(
                    "content",
                    Schema::AnyOf(&[
                        Schema::Text,
                        Schema::List(&Schema::Tagged("type", &ASSISTANT)),
                    ]),
                ),
            ],
        ),
        (
            "system",
            &[
                required("role", Schema::Text),
                required("content", TEXT_OR_BLOCKS),
            ],
        ),
    ],
);

static TEXT: [Member; 4] = [
    required("type", Schema::Text),
    required("text", Schema::Text),
    nullable("cache_control", CACHE),
    nullable("citations", Schema::List(&Schema::Map(&Schema::Any))),
];

static TEXT_BLOCKS: [(&str, &[Member]); 1] = [("text", &TEXT)];

static IMAGE: [Member; 4] = [
    required("type", Schema::Text),
    required("source", Schema::Tagged("type", &IMAGE_SOURCES)),
    nullable("cache_control", CACHE),
    nullable("transformations", Schema::Any),
];

static IMAGE_SOURCES: [(&str, &[Member]); 3] = [
    (
        "base64",
        &[
            required("type", Schema::Text),
            required(
                "media_type",
                Schema::Enum(&["image/jpeg", "image/png", "image/gif", "image/webp"]),
            ),
            required("data", Schema::Text),
        ],
    ),
    (
        "url",
        &[
            required("type", Schema::Text),
            required("url", Schema::Text),
        ],
    ),
    (
        "file",
        &[
            required("type", Schema::Text),
            required("file_id", Schema::Text),
        ],
    ),
];

static DOCUMENT: [Member; 6] = [
    required("type", Schema::Text),
    required("source", Schema::Tagged("type", &DOCUMENT_SOURCES)),
    nullable("cache_control", CACHE),
    nullable(
        "citations",
        Schema::Object(&[optional("enabled", Schema::Boolean)]),
    ),
    nullable("context", Schema::Text),
    nullable("title", Schema::Text),
];

static DOCUMENT_SOURCES: [(&str, &[Member]); 5] = [
    (
        "base64",
        &[
            required("type", Schema::Text),
            required("media_type", Schema::Enum(&["application/pdf"])),
            required("data", Schema::Text),
        ],
    ),
    (
        "text",
        &[
            required("type", Schema::Text),
            required("media_type", Schema::Enum(&["text/plain"])),
            required("data", Schema::Text),
        ],
    ),
    (
        "content",
        &[
            required("type", Schema::Text),
            required("content", Schema::Any),
        ],
    ),
    (
        "url",
        &[
            required("type", Schema::Text),
            required("url", Schema::Text),
        ],
    ),
    (
        "file",
        &[
            required("type", Schema::Text),
            required("file_id", Schema::Text),
        ],
    ),
];

static TOOL_RESULT: [Member; 6] = [
    required("type", Schema::Text),
    required("tool_use_id", Schema::Text),
    optional(
        "content",
        Schema::AnyOf(&[
            Schema::Text,
            Schema::List(&Schema::Tagged("type", &RESULTS)),
        ]),
    ),
    optional("is_error", Schema::Boolean),
    nullable("cache_control", CACHE),
    nullable("toolset_name", Schema::Text),
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
            required("type", Schema::Text),
            required("thinking", Schema::Text),
            required("signature", Schema::Text),
        ],
    ),
    (
        "redacted_thinking",
        &[
            required("type", Schema::Text),
            required("data", Schema::Text),
        ],
    ),
    (
        "tool_use",
        &[
            required("type", Schema::Text),
            required("id", Schema::Text),
            required("name", Schema::Text),
            required("input", Schema::Map(&Schema::Any)),
            nullable("cache_control", CACHE),
            optional("caller", Schema::Any),
            nullable("toolset_name", Schema::Text),
        ],
    ),
];
