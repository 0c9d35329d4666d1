//! The schema of requests of Converse (Amazon Bedrock API reference). Members that this mock has no use for are left out.

use crate::schema::{Member, Schema, optional, required};

/// The body of a request.
pub(super) static BODY: Schema = Schema::Object(&[
    required("messages", Schema::List(&MESSAGE)),
    optional("system", Schema::List(&SYSTEM)),
    optional("inferenceConfig", Schema::Object(&INFERENCE)),
    optional("toolConfig", Schema::Object(&TOOLS)),
    optional("additionalModelRequestFields", Schema::Any),
    optional("requestMetadata", Schema::Map(&Schema::Text)),
]);

static MESSAGE: Schema = Schema::Object(&[
    required("role", Schema::Enum(&["user", "assistant"])),
    required("content", Schema::List(&BLOCK)),
]);

/// A union: `converse` checks that there is exactly one member.
static BLOCK: Schema = Schema::Object(&[
    optional("text", Schema::Text),
    optional("image", Schema::Object(&IMAGE)),
    optional("document", Schema::Object(&DOCUMENT)),
    optional("toolUse", Schema::Object(&TOOL_USE)),
    optional("toolResult", Schema::Object(&TOOL_RESULT)),
    optional("reasoningContent", Schema::Object(&REASONING)),
    optional("cachePoint", Schema::Any),
]);

static IMAGE: [Member; 2] = [
    required("format", Schema::Enum(&["png", "jpeg", "gif", "webp"])),
    required("source", Schema::Object(&[required("bytes", Schema::Text)])),
];

static DOCUMENT: [Member; 3] = [
    required(
        "format",
        Schema::Enum(&[
            "pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md",
        ]),
    ),
    required("name", Schema::Text),
    required("source", Schema::Object(&[required("bytes", Schema::Text)])),
];

static TOOL_USE: [Member; 3] = [
    required("toolUseId", Schema::Text),
    required("name", Schema::Text),
    required("input", Schema::Any),
];

static TOOL_RESULT: [Member; 3] = [
    required("toolUseId", Schema::Text),
    required("content", Schema::List(&RESULT_BLOCK)),
    optional("status", Schema::Enum(&["success", "error"])),
];

static RESULT_BLOCK: Schema = Schema::Object(&[
    optional("json", Schema::Any),
    optional("text", Schema::Text),
    optional("image", Schema::Object(&IMAGE)),
    optional("document", Schema::Object(&DOCUMENT)),
]);

static REASONING: [Member; 2] = [
    optional(
        "reasoningText",
        Schema::Object(&[
            required("text", Schema::Text),
            optional("signature", Schema::Text),
        ]),
    ),
    optional("redactedContent", Schema::Text),
];

static SYSTEM: Schema = Schema::Object(&[
    optional("text", Schema::Text),
    optional("cachePoint", Schema::Any),
]);

static INFERENCE: [Member; 4] = [
    optional("maxTokens", Schema::Integer(1, i64::MAX)),
    optional("temperature", Schema::Number(0.0, 1.0)),
    optional("topP", Schema::Number(0.0, 1.0)),
    optional("stopSequences", Schema::List(&Schema::Text)),
];

static TOOLS: [Member; 2] = [
    required("tools", Schema::List(&TOOL)),
    optional(
        "toolChoice",
        Schema::Object(&[
            optional("auto", Schema::Object(&[])),
            optional("any", Schema::Object(&[])),
            optional("tool", Schema::Object(&[required("name", Schema::Text)])),
        ]),
    ),
];

static TOOL: Schema = Schema::Object(&[required(
    "toolSpec",
    Schema::Object(&[
        required("name", Schema::Text),
        optional("description", Schema::Text),
        required(
            "inputSchema",
            Schema::Object(&[required("json", Schema::Map(&Schema::Any))]),
        ),
        optional("strict", Schema::Boolean),
    ]),
)]);
