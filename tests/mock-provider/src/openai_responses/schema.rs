//! The schemas of Responses requests, by OpenAI's API reference ("Create a model response").

use crate::openai_chat::EFFORT;
use crate::schema::{Member, Schema, nullable, optional, required};

/// The body of a Responses request.
pub(super) static BODY: Schema = Schema::Object(&MEMBERS);

static MEMBERS: [Member; 35] = [
    required("model", Schema::Text),
    required(
        "input",
        Schema::AnyOf(&[Schema::Text, Schema::List(&Schema::Map(&Schema::Any))]),
    ),
    optional("access_programs", Schema::Any),
    nullable("background", Schema::Boolean),
    optional("background_options", Schema::Any),
    nullable("client_metadata", Schema::Any),
    nullable("context_management", Schema::Any),
    nullable("conversation", Schema::Any),
    nullable("include", Schema::List(&INCLUDABLE)),
    nullable("instructions", Schema::Text),
    nullable("max_output_tokens", Schema::Integer(16, i64::MAX)),
    nullable("max_tool_calls", Schema::Integer(1, i64::MAX)),
    nullable("metadata", Schema::Map(&Schema::Text)),
    nullable("moderation", Schema::Any),
    nullable("parallel_tool_calls", Schema::Boolean),
    optional("mock", Schema::Any),
    nullable("previous_response_id", Schema::Text),
    nullable("prompt", Schema::Any),
    nullable("prompt_cache_key", Schema::Text),
    optional("prompt_cache_options", Schema::Any),
    nullable(
        "prompt_cache_retention",
        Schema::Enum(&["in_memory", "24h"]),
    ),
    nullable("reasoning", Schema::Object(&REASONING)),
    nullable("safety_identifier", Schema::Text),
    nullable(
        "service_tier",
        Schema::Enum(&["auto", "default", "flex", "scale", "priority", "fast"]),
    ),
    nullable("store", Schema::Boolean),
    nullable("stream", Schema::Boolean),
    nullable(
        "stream_options",
        Schema::Object(&[optional("include_obfuscation", Schema::Boolean)]),
    ),
    nullable("temperature", Schema::Number(0.0, 2.0)),
    optional("text", Schema::Object(&TEXT)),
    optional(
        "tool_choice",
        Schema::AnyOf(&[
            Schema::Enum(&["none", "auto", "required"]),
            Schema::Map(&Schema::Any),
        ]),
    ),
    optional("tools", Schema::List(&Schema::Map(&Schema::Any))),
    nullable("top_logprobs", Schema::Integer(0, 20)),
    nullable("top_p", Schema::Number(0.0, 1.0)),
    nullable("truncation", Schema::Enum(&["auto", "disabled"])),
    optional("user", Schema::Text),
];

const INCLUDABLE: Schema = Schema::Enum(&[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]);

static REASONING: [Member; 5] = [
    nullable("effort", EFFORT),
    nullable("summary", Schema::Enum(&["auto", "concise", "detailed"])),
    nullable(
        "generate_summary",
        Schema::Enum(&["auto", "concise", "detailed"]),
    ),
    nullable(
        "context",
        Schema::Enum(&["auto", "current_turn", "all_turns"]),
    ),
    optional("mode", Schema::Text),
];

static TEXT: [Member; 2] = [
    optional("format", Schema::Tagged("type", &FORMATS)),
    nullable("verbosity", Schema::Enum(&["low", "medium", "high"])),
];

static FORMATS: [(&str, &[Member]); 3] = [
    ("text", &[required("type", Schema::Text)]),
    ("json_object", &[required("type", Schema::Text)]),
    (
        "json_schema",
        &[
            required("type", Schema::Text),
            required("name", Schema::Text),
            required("schema", Schema::Map(&Schema::Any)),
            optional("description", Schema::Text),
            nullable("strict", Schema::Boolean),
        ],
    ),
];

/// A function tool. The provider runs all other tools.
pub(super) static FUNCTION: Schema = Schema::Object(&[
    required("type", Schema::Text),
    required("name", Schema::Text),
    nullable("description", Schema::Text),
    nullable("parameters", Schema::Map(&Schema::Any)),
    nullable("strict", Schema::Boolean),
    optional("async", Schema::Boolean),
    nullable("allowed_callers", Schema::List(&Schema::Text)),
    optional("defer_loading", Schema::Boolean),
    nullable("output_schema", Schema::Map(&Schema::Any)),
]);

/// A tool choice that is an object.
pub(super) static CHOICE: Schema = Schema::Tagged(
    "type",
    &[
        (
            "function",
            &[
                required("type", Schema::Text),
                required("name", Schema::Text),
            ],
        ),
        (
            "custom",
            &[
                required("type", Schema::Text),
                required("name", Schema::Text),
            ],
        ),
        (
            "allowed_tools",
            &[
                required("type", Schema::Text),
                required("mode", Schema::Enum(&["auto", "required"])),
                required("tools", Schema::List(&Schema::Map(&Schema::Any))),
            ],
        ),
    ],
);

const STATUS: Schema = Schema::Enum(&["in_progress", "completed", "incomplete"]);

/// A message item, with or without its type.
pub(super) static MESSAGE: Schema = Schema::Object(&[
    optional("type", Schema::Text),
    required(
        "role",
        Schema::Enum(&["user", "assistant", "system", "developer"]),
    ),
    required(
        "content",
        Schema::AnyOf(&[Schema::Text, Schema::List(&Schema::Tagged("type", &PARTS))]),
    ),
    optional("id", Schema::Text),
    optional("status", STATUS),
    nullable("phase", Schema::Enum(&["commentary", "final_answer"])),
]);

/// All other items.
pub(super) static ITEM: Schema = Schema::Tagged(
    "type",
    &[
        (
            "function_call",
            &[
                required("type", Schema::Text),
                required("call_id", Schema::Text),
                required("name", Schema::Text),
                required("arguments", Schema::Text),
                optional("id", Schema::Text),
                optional("status", STATUS),
                optional("async", Schema::Boolean),
                nullable("caller", Schema::Any),
                optional("namespace", Schema::Text),
            ],
        ),
        (
            "function_call_output",
            &[
                required("type", Schema::Text),
                required("call_id", Schema::Text),
                required(
                    "output",
                    Schema::AnyOf(&[Schema::Text, Schema::List(&Schema::Tagged("type", &PARTS))]),
                ),
                nullable("id", Schema::Text),
                nullable("status", STATUS),
                nullable("caller", Schema::Any),
                nullable("name", Schema::Text),
                nullable("namespace", Schema::Text),
            ],
        ),
        (
            "custom_tool_call",
            &[
                required("type", Schema::Text),
                required("call_id", Schema::Text),
                required("name", Schema::Text),
                required("input", Schema::Text),
                optional("id", Schema::Text),
                optional("status", STATUS),
                optional("namespace", Schema::Text),
            ],
        ),
        (
            "custom_tool_call_output",
            &[
                required("type", Schema::Text),
                required("call_id", Schema::Text),
                required(
                    "output",
                    Schema::AnyOf(&[Schema::Text, Schema::List(&Schema::Tagged("type", &PARTS))]),
                ),
                optional("id", Schema::Text),
                nullable("name", Schema::Text),
            ],
        ),
        (
            "reasoning",
            &[
                required("type", Schema::Text),
                optional("id", Schema::Text),
                required("summary", Schema::List(&Schema::Tagged("type", &SUMMARIES))),
                nullable("content", Schema::List(&Schema::Tagged("type", &SUMMARIES))),
                nullable("encrypted_content", Schema::Text),
                nullable("status", STATUS),
            ],
        ),
        (
            "additional_tools",
            &[
                required("type", Schema::Text),
                optional("id", Schema::Text),
                optional("role", Schema::Enum(&["developer"])),
                required("tools", Schema::List(&Schema::Map(&Schema::Any))),
            ],
        ),
        (
            "tool_search_call",
            &[
                required("type", Schema::Text),
                required("arguments", Schema::Map(&Schema::Any)),
                nullable("call_id", Schema::Text),
                optional("execution", Schema::Enum(&["client", "server"])),
                optional("id", Schema::Text),
                optional("status", STATUS),
            ],
        ),
        (
            "tool_search_output",
            &[
                required("type", Schema::Text),
                required("tools", Schema::List(&Schema::Map(&Schema::Any))),
                nullable("call_id", Schema::Text),
                optional("execution", Schema::Enum(&["client", "server"])),
                optional("id", Schema::Text),
                optional("status", STATUS),
            ],
        ),
        (
            "item_reference",
            &[required("type", Schema::Text), required("id", Schema::Text)],
        ),
    ],
);

static SUMMARIES: [(&str, &[Member]); 2] = [
    (
        "summary_text",
        &[
            required("type", Schema::Text),
            required("text", Schema::Text),
        ],
    ),
    (
        "reasoning_text",
        &[
            required("type", Schema::Text),
            required("text", Schema::Text),
        ],
    ),
];

static PARTS: [(&str, &[Member]); 5] = [
    (
        "input_text",
        &[
            required("type", Schema::Text),
            required("text", Schema::Text),
            optional("prompt_cache_breakpoint", Schema::Any),
        ],
    ),
    (
        "input_image",
        &[
            required("type", Schema::Text),
            nullable("image_url", Schema::Text),
            nullable("file_id", Schema::Text),
            optional("detail", Schema::Enum(&["auto", "low", "high", "original"])),
            optional("prompt_cache_breakpoint", Schema::Any),
        ],
    ),
    (
        "input_file",
        &[
            required("type", Schema::Text),
            optional("file_data", Schema::Text),
            nullable("file_id", Schema::Text),
            optional("file_url", Schema::Text),
            optional("filename", Schema::Text),
            optional("detail", Schema::Enum(&["auto", "low", "high"])),
            optional("prompt_cache_breakpoint", Schema::Any),
        ],
    ),
    (
        "output_text",
        &[
            required("type", Schema::Text),
            required("text", Schema::Text),
            optional("annotations", Schema::List(&Schema::Map(&Schema::Any))),
            optional("logprobs", Schema::List(&Schema::Map(&Schema::Any))),
        ],
    ),
    (
        "refusal",
        &[
            required("type", Schema::Text),
            required("refusal", Schema::Text),
        ],
    ),
];
