//! The members of Gemini's requests, by its API reference ("Generating content", "Caching",
//! "Embeddings", "Counting tokens").

use crate::practice::shape::{Member, Shape, may, must};

/// The body of a call for content.
pub(super) static BODY: Shape = Shape::Object(&[
    must("contents", Shape::List(&CONTENT)),
    may("systemInstruction", CONTENT),
    may("tools", Shape::List(&Shape::Object(&TOOL))),
    may("toolConfig", Shape::Object(&TOOL_CONFIG)),
    may("safetySettings", Shape::List(&Shape::Object(&SAFETY))),
    may("generationConfig", Shape::Object(&GENERATION)),
    may("cachedContent", Shape::Text),
    may("labels", Shape::Map(&Shape::Text)),
    may("model", Shape::Text),
    may("serviceTier", Shape::Text),
    may("store", Shape::Flag),
    may("practice", Shape::Any),
]);

/// The body of a token count.
pub(super) static COUNT: Shape = Shape::Object(&[
    may("contents", Shape::List(&CONTENT)),
    may("generateContentRequest", Shape::Map(&Shape::Any)),
    may("practice", Shape::Any),
]);

/// The body of one embedding.
pub(super) static EMBED: Shape = Shape::Object(&EMBED_MEMBERS);

/// The body of several embeddings.
pub(super) static EMBEDS: Shape = Shape::Object(&[
    must("requests", Shape::List(&Shape::Object(&EMBED_MEMBERS))),
    may("practice", Shape::Any),
]);

static EMBED_MEMBERS: [Member; 7] = [
    must("content", CONTENT),
    may("model", Shape::Text),
    may("taskType", Shape::Text),
    may("title", Shape::Text),
    may("outputDimensionality", Shape::Whole(1, 3072)),
    may("embedContentConfig", Shape::Map(&Shape::Any)),
    may("practice", Shape::Any),
];

const CONTENT: Shape = Shape::Object(&CONTENT_MEMBERS);

static CONTENT_MEMBERS: [Member; 2] = [
    must("parts", Shape::List(&Shape::Object(&PART))),
    may("role", Shape::OneOf(&["user", "model"])),
];

static PART: [Member; 13] = [
    may("text", Shape::Text),
    may("inlineData", Shape::Object(&BLOB)),
    may("fileData", Shape::Object(&FILE)),
    may("functionCall", Shape::Object(&CALL)),
    may("functionResponse", Shape::Object(&RESPONSE)),
    may("executableCode", Shape::Map(&Shape::Any)),
    may("codeExecutionResult", Shape::Map(&Shape::Any)),
    may("thought", Shape::Flag),
    may("thoughtSignature", Shape::Text),
    may("videoMetadata", Shape::Map(&Shape::Any)),
    may("mediaResolution", Shape::Any),
    may("mediaProcessing", Shape::Any),
    may("partMetadata", Shape::Map(&Shape::Any)),
];

static BLOB: [Member; 3] = [
    must("mimeType", Shape::Text),
    must("data", Shape::Text),
    may("displayName", Shape::Text),
];

static FILE: [Member; 3] = [
    may("mimeType", Shape::Text),
    must("fileUri", Shape::Text),
    may("displayName", Shape::Text),
];

static CALL: [Member; 3] = [
    must("name", Shape::Text),
    may("args", Shape::Map(&Shape::Any)),
    may("id", Shape::Text),
];

static RESPONSE: [Member; 6] = [
    must("name", Shape::Text),
    must("response", Shape::Map(&Shape::Any)),
    may("id", Shape::Text),
    may("parts", Shape::List(&Shape::Object(&RESPONSE_PART))),
    may("willContinue", Shape::Flag),
    may("scheduling", Shape::Text),
];

static RESPONSE_PART: [Member; 2] = [
    may("inlineData", Shape::Object(&BLOB)),
    may("fileData", Shape::Object(&FILE)),
];

static TOOL: [Member; 8] = [
    may(
        "functionDeclarations",
        Shape::List(&Shape::Object(&DECLARATION)),
    ),
    may("googleSearch", Shape::Map(&Shape::Any)),
    may("googleSearchRetrieval", Shape::Map(&Shape::Any)),
    may("codeExecution", Shape::Map(&Shape::Any)),
    may("urlContext", Shape::Map(&Shape::Any)),
    may("fileSearch", Shape::Map(&Shape::Any)),
    may("googleMaps", Shape::Map(&Shape::Any)),
    may("computerUse", Shape::Map(&Shape::Any)),
];

static DECLARATION: [Member; 7] = [
    must("name", Shape::Text),
    may("description", Shape::Text),
    may("parameters", SCHEMA),
    may("parametersJsonSchema", Shape::Map(&Shape::Any)),
    may("response", Shape::Map(&Shape::Any)),
    may("responseJsonSchema", Shape::Map(&Shape::Any)),
    may(
        "behavior",
        Shape::OneOf(&["UNSPECIFIED", "BLOCKING", "NON_BLOCKING"]),
    ),
];

static TOOL_CONFIG: [Member; 3] = [
    may("functionCallingConfig", Shape::Object(&CALLING)),
    may("retrievalConfig", Shape::Map(&Shape::Any)),
    may("includeServerSideToolInvocations", Shape::Flag),
];

static CALLING: [Member; 2] = [
    may(
        "mode",
        Shape::OneOf(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"]),
    ),
    may("allowedFunctionNames", Shape::List(&Shape::Text)),
];

static SAFETY: [Member; 3] = [
    must("category", Shape::Text),
    must("threshold", Shape::Text),
    may("method", Shape::Text),
];

static GENERATION: [Member; 21] = [
    may("stopSequences", Shape::List(&Shape::Text)),
    may(
        "responseMimeType",
        Shape::OneOf(&["text/plain", "application/json", "text/x.enum"]),
    ),
    may("responseSchema", SCHEMA),
    may("responseJsonSchema", Shape::Map(&Shape::Any)),
    may("responseFormat", Shape::Any),
    may("responseModalities", Shape::List(&Shape::Text)),
    may("candidateCount", Shape::Whole(1, 8)),
    may("maxOutputTokens", Shape::Whole(1, 1 << 31)),
    may("temperature", Shape::Number(0.0, 2.0)),
    may("topP", Shape::Number(0.0, 1.0)),
    may("topK", Shape::Number(1.0, 1e9)),
    may("seed", Shape::Whole(-(1 << 31), (1 << 31) - 1)),
    may("presencePenalty", Shape::Number(-2.0, 2.0)),
    may("frequencyPenalty", Shape::Number(-2.0, 2.0)),
    may("responseLogprobs", Shape::Flag),
    may("logprobs", Shape::Whole(0, 20)),
    may("enableEnhancedCivicAnswers", Shape::Flag),
    may("speechConfig", Shape::Map(&Shape::Any)),
    may("thinkingConfig", Shape::Object(&THINKING)),
    may("imageConfig", Shape::Map(&Shape::Any)),
    may("mediaResolution", Shape::Text),
];

static THINKING: [Member; 3] = [
    may("includeThoughts", Shape::Flag),
    may("thinkingBudget", Shape::Whole(-1, 32_768)),
    may(
        "thinkingLevel",
        Shape::OneOf(&[
            "THINKING_LEVEL_UNSPECIFIED",
            "MINIMAL",
            "LOW",
            "MEDIUM",
            "HIGH",
            "XHIGH",
            "minimal",
            "low",
            "medium",
            "high",
        ]),
    ),
];

const SCHEMA: Shape = Shape::Object(&SCHEMA_MEMBERS);

/// Numbers of 64 bits are strings in the JSON of protocol buffers, and read as numbers too.
const BOUND: Shape = Shape::Either(&[Shape::Text, Shape::Whole(0, i64::MAX)]);

/// What Gemini's own schemas may have: a selection of OpenAPI 3.0.
static SCHEMA_MEMBERS: [Member; 22] = [
    may(
        "type",
        Shape::OneOf(&[
            "TYPE_UNSPECIFIED",
            "STRING",
            "NUMBER",
            "INTEGER",
            "BOOLEAN",
            "ARRAY",
            "OBJECT",
            "NULL",
            "string",
            "number",
            "integer",
            "boolean",
            "array",
            "object",
            "null",
        ]),
    ),
    may("format", Shape::Text),
    may("title", Shape::Text),
    may("description", Shape::Text),
    may("nullable", Shape::Flag),
    may("enum", Shape::List(&Shape::Text)),
    may("maxItems", BOUND),
    may("minItems", BOUND),
    may("properties", Shape::Map(&Shape::Object(&SCHEMA_MEMBERS))),
    may("required", Shape::List(&Shape::Text)),
    may("minProperties", BOUND),
    may("maxProperties", BOUND),
    may("minLength", BOUND),
    may("maxLength", BOUND),
    may("pattern", Shape::Text),
    may("example", Shape::Any),
    may("anyOf", Shape::List(&Shape::Object(&SCHEMA_MEMBERS))),
    may("propertyOrdering", Shape::List(&Shape::Text)),
    may("default", Shape::Any),
    may("items", Shape::Object(&SCHEMA_MEMBERS)),
    may("minimum", Shape::Number(f64::MIN, f64::MAX)),
    may("maximum", Shape::Number(f64::MIN, f64::MAX)),
];
