//! The members of a response's request, by OpenAI's API reference ("Create a model response").

use crate::practice::chat::EFFORT;
use crate::practice::shape::{Member, Shape, may, must, null_or};

/// The body.
pub(super) static BODY: Shape = Shape::Object(&MEMBERS);

static MEMBERS: [Member; 35] = [
    must("model", Shape::Text),
    must(
        "input",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Map(&Shape::Any))]),
    ),
    may("access_programs", Shape::Any),
    null_or("background", Shape::Flag),
    may("background_options", Shape::Any),
    null_or("client_metadata", Shape::Any),
    null_or("context_management", Shape::Any),
    null_or("conversation", Shape::Any),
    null_or("include", Shape::List(&INCLUDABLE)),
    null_or("instructions", Shape::Text),
    null_or("max_output_tokens", Shape::Whole(16, i64::MAX)),
    null_or("max_tool_calls", Shape::Whole(1, i64::MAX)),
    null_or("metadata", Shape::Map(&Shape::Text)),
    null_or("moderation", Shape::Any),
    null_or("parallel_tool_calls", Shape::Flag),
    may("practice", Shape::Any),
    null_or("previous_response_id", Shape::Text),
    null_or("prompt", Shape::Any),
    null_or("prompt_cache_key", Shape::Text),
    may("prompt_cache_options", Shape::Any),
    null_or(
        "prompt_cache_retention",
        Shape::OneOf(&["in_memory", "24h"]),
    ),
    null_or("reasoning", Shape::Object(&REASONING)),
    null_or("safety_identifier", Shape::Text),
    null_or(
        "service_tier",
        Shape::OneOf(&["auto", "default", "flex", "scale", "priority", "fast"]),
    ),
    null_or("store", Shape::Flag),
    null_or("stream", Shape::Flag),
    null_or(
        "stream_options",
        Shape::Object(&[may("include_obfuscation", Shape::Flag)]),
    ),
    null_or("temperature", Shape::Number(0.0, 2.0)),
    may("text", Shape::Object(&TEXT)),
    may(
        "tool_choice",
        Shape::Either(&[
            Shape::OneOf(&["none", "auto", "required"]),
            Shape::Map(&Shape::Any),
        ]),
    ),
    may("tools", Shape::List(&Shape::Map(&Shape::Any))),
    null_or("top_logprobs", Shape::Whole(0, 20)),
    null_or("top_p", Shape::Number(0.0, 1.0)),
    null_or("truncation", Shape::OneOf(&["auto", "disabled"])),
    may("user", Shape::Text),
];

const INCLUDABLE: Shape = Shape::OneOf(&[
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
    null_or("effort", EFFORT),
    null_or("summary", Shape::OneOf(&["auto", "concise", "detailed"])),
    null_or(
        "generate_summary",
        Shape::OneOf(&["auto", "concise", "detailed"]),
    ),
    null_or(
        "context",
        Shape::OneOf(&["auto", "current_turn", "all_turns"]),
    ),
    may("mode", Shape::Text),
];

static TEXT: [Member; 2] = [
    may("format", Shape::Tagged("type", &FORMATS)),
    null_or("verbosity", Shape::OneOf(&["low", "medium", "high"])),
];

static FORMATS: [(&str, &[Member]); 3] = [
    ("text", &[must("type", Shape::Text)]),
    ("json_object", &[must("type", Shape::Text)]),
    (
        "json_schema",
        &[
            must("type", Shape::Text),
            must("name", Shape::Text),
            must("schema", Shape::Map(&Shape::Any)),
            may("description", Shape::Text),
            null_or("strict", Shape::Flag),
        ],
    ),
];

/// A function that may be called; other tools are the provider's own.
pub(super) static FUNCTION: Shape = Shape::Object(&[
    must("type", Shape::Text),
    must("name", Shape::Text),
    null_or("description", Shape::Text),
    null_or("parameters", Shape::Map(&Shape::Any)),
    null_or("strict", Shape::Flag),
    may("async", Shape::Flag),
    null_or("allowed_callers", Shape::List(&Shape::Text)),
    may("defer_loading", Shape::Flag),
    null_or("output_schema", Shape::Map(&Shape::Any)),
]);

/// A choice of a tool that is an object.
pub(super) static CHOICE: Shape = Shape::Tagged(
    "type",
    &[
        (
            "function",
            &[must("type", Shape::Text), must("name", Shape::Text)],
        ),
        (
            "custom",
            &[must("type", Shape::Text), must("name", Shape::Text)],
        ),
        (
            "allowed_tools",
            &[
                must("type", Shape::Text),
                must("mode", Shape::OneOf(&["auto", "required"])),
                must("tools", Shape::List(&Shape::Map(&Shape::Any))),
            ],
        ),
    ],
);

const STATUS: Shape = Shape::OneOf(&["in_progress", "completed", "incomplete"]);

/// A message of a user, a system, or an assistant in few words.
pub(super) static MESSAGE: Shape = Shape::Object(&[
    may("type", Shape::Text),
    must(
        "role",
        Shape::OneOf(&["user", "assistant", "system", "developer"]),
    ),
    must(
        "content",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Tagged("type", &PARTS))]),
    ),
    may("id", Shape::Text),
    may("status", STATUS),
    null_or("phase", Shape::OneOf(&["commentary", "final_answer"])),
]);

/// The other items that are known.
pub(super) static ITEM: Shape = Shape::Tagged(
    "type",
    &[
        (
            "function_call",
            &[
                must("type", Shape::Text),
                must("call_id", Shape::Text),
                must("name", Shape::Text),
                must("arguments", Shape::Text),
                may("id", Shape::Text),
                may("status", STATUS),
                may("async", Shape::Flag),
                null_or("caller", Shape::Any),
                may("namespace", Shape::Text),
            ],
        ),
        (
            "function_call_output",
            &[
                must("type", Shape::Text),
                must("call_id", Shape::Text),
                must(
                    "output",
                    Shape::Either(&[Shape::Text, Shape::List(&Shape::Tagged("type", &PARTS))]),
                ),
                null_or("id", Shape::Text),
                null_or("status", STATUS),
                null_or("caller", Shape::Any),
                null_or("name", Shape::Text),
                null_or("namespace", Shape::Text),
            ],
        ),
        (
            "custom_tool_call",
            &[
                must("type", Shape::Text),
                must("call_id", Shape::Text),
                must("name", Shape::Text),
                must("input", Shape::Text),
                may("id", Shape::Text),
                may("status", STATUS),
            ],
        ),
        (
            "custom_tool_call_output",
            &[
                must("type", Shape::Text),
                must("call_id", Shape::Text),
                must(
                    "output",
                    Shape::Either(&[Shape::Text, Shape::List(&Shape::Tagged("type", &PARTS))]),
                ),
                may("id", Shape::Text),
                null_or("name", Shape::Text),
            ],
        ),
        (
            "reasoning",
            &[
                must("type", Shape::Text),
                may("id", Shape::Text),
                must("summary", Shape::List(&Shape::Tagged("type", &SUMMARIES))),
                null_or("content", Shape::List(&Shape::Tagged("type", &SUMMARIES))),
                null_or("encrypted_content", Shape::Text),
                null_or("status", STATUS),
            ],
        ),
        (
            "item_reference",
            &[must("type", Shape::Text), must("id", Shape::Text)],
        ),
    ],
);

static SUMMARIES: [(&str, &[Member]); 2] = [
    (
        "summary_text",
        &[must("type", Shape::Text), must("text", Shape::Text)],
    ),
    (
        "reasoning_text",
        &[must("type", Shape::Text), must("text", Shape::Text)],
    ),
];

static PARTS: [(&str, &[Member]); 5] = [
    (
        "input_text",
        &[
            must("type", Shape::Text),
            must("text", Shape::Text),
            may("prompt_cache_breakpoint", Shape::Any),
        ],
    ),
    (
        "input_image",
        &[
            must("type", Shape::Text),
            null_or("image_url", Shape::Text),
            null_or("file_id", Shape::Text),
            may("detail", Shape::OneOf(&["auto", "low", "high", "original"])),
            may("prompt_cache_breakpoint", Shape::Any),
        ],
    ),
    (
        "input_file",
        &[
            must("type", Shape::Text),
            may("file_data", Shape::Text),
            null_or("file_id", Shape::Text),
            may("file_url", Shape::Text),
            may("filename", Shape::Text),
            may("detail", Shape::OneOf(&["auto", "low", "high"])),
            may("prompt_cache_breakpoint", Shape::Any),
        ],
    ),
    (
        "output_text",
        &[
            must("type", Shape::Text),
            must("text", Shape::Text),
            may("annotations", Shape::List(&Shape::Map(&Shape::Any))),
            may("logprobs", Shape::List(&Shape::Map(&Shape::Any))),
        ],
    ),
    (
        "refusal",
        &[must("type", Shape::Text), must("refusal", Shape::Text)],
    ),
];
