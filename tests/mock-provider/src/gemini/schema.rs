//! The schemas of Gemini's requests, by its API reference ("Generating content", "Caching",
//! "Embeddings", "Counting tokens").

use crate::schema::{Member, Schema, optional, required};

/// The body of a content request.
pub(super) static BODY: Schema = Schema::Object(&[
    required("contents", Schema::List(&CONTENT)),
    optional("systemInstruction", CONTENT),
    optional("tools", Schema::List(&Schema::Object(&TOOL))),
    optional("toolConfig", Schema::Object(&TOOL_CONFIG)),
    optional("safetySettings", Schema::List(&Schema::Object(&SAFETY))),
    optional("generationConfig", Schema::Object(&GENERATION)),
    optional("cachedContent", Schema::Text),
    optional("labels", Schema::Map(&Schema::Text)),
    optional("model", Schema::Text),
    optional("serviceTier", Schema::Text),
    optional("store", Schema::Boolean),
    optional("mock", Schema::Any),
]);

/// The body of a token count.
pub(super) static COUNT: Schema = Schema::Object(&[
    optional("contents", Schema::List(&CONTENT)),
    optional("generateContentRequest", Schema::Map(&Schema::Any)),
    optional("mock", Schema::Any),
]);

/// The body of one embedding.
pub(super) static EMBED: Schema = Schema::Object(&EMBED_MEMBERS);

/// The body of several embeddings.
pub(super) static BATCH_EMBED: Schema = Schema::Object(&[
    required("requests", Schema::List(&Schema::Object(&EMBED_MEMBERS))),
    optional("mock", Schema::Any),
]);

static EMBED_MEMBERS: [Member; 7] = [
    required("content", CONTENT),
    optional("model", Schema::Text),
    optional("taskType", Schema::Text),
    optional("title", Schema::Text),
    optional("outputDimensionality", Schema::Integer(1, 3072)),
    optional("embedContentConfig", Schema::Map(&Schema::Any)),
    optional("mock", Schema::Any),
];

const CONTENT: Schema = Schema::Object(&CONTENT_MEMBERS);

static CONTENT_MEMBERS: [Member; 2] = [
    required("parts", Schema::List(&Schema::Object(&PART))),
    optional("role", Schema::Enum(&["user", "model"])),
];

static PART: [Member; 13] = [
    optional("text", Schema::Text),
    optional("inlineData", Schema::Object(&BLOB)),
    optional("fileData", Schema::Object(&FILE)),
    optional("functionCall", Schema::Object(&CALL)),
    optional("functionResponse", Schema::Object(&RESPONSE)),
    optional("executableCode", Schema::Map(&Schema::Any)),
    optional("codeExecutionResult", Schema::Map(&Schema::Any)),
    optional("thought", Schema::Boolean),
    optional("thoughtSignature", Schema::Text),
    optional("videoMetadata", Schema::Map(&Schema::Any)),
    optional("mediaResolution", Schema::Any),
    optional("mediaProcessing", Schema::Any),
    optional("partMetadata", Schema::Map(&Schema::Any)),
];

static BLOB: [Member; 3] = [
    required("mimeType", Schema::Text),
    required("data", Schema::Text),
    optional("displayName", Schema::Text),
];

static FILE: [Member; 3] = [
    optional("mimeType", Schema::Text),
    required("fileUri", Schema::Text),
    optional("displayName", Schema::Text),
];

static CALL: [Member; 3] = [
    required("name", Schema::Text),
    optional("args", Schema::Map(&Schema::Any)),
    optional("id", Schema::Text),
];

static RESPONSE: [Member; 6] = [
    required("name", Schema::Text),
    required("response", Schema::Map(&Schema::Any)),
    optional("id", Schema::Text),
    optional("parts", Schema::List(&Schema::Object(&RESPONSE_PART))),
    optional("willContinue", Schema::Boolean),
    optional("scheduling", Schema::Text),
];

static RESPONSE_PART: [Member; 2] = [
    optional("inlineData", Schema::Object(&BLOB)),
    optional("fileData", Schema::Object(&FILE)),
];

static TOOL: [Member; 8] = [
    optional(
        "functionDeclarations",
        Schema::List(&Schema::Object(&DECLARATION)),
    ),
    optional("googleSearch", Schema::Map(&Schema::Any)),
    optional("googleSearchRetrieval", Schema::Map(&Schema::Any)),
    optional("codeExecution", Schema::Map(&Schema::Any)),
    optional("urlContext", Schema::Map(&Schema::Any)),
    optional("fileSearch", Schema::Map(&Schema::Any)),
    optional("googleMaps", Schema::Map(&Schema::Any)),
    optional("computerUse", Schema::Map(&Schema::Any)),
];

static DECLARATION: [Member; 7] = [
    required("name", Schema::Text),
    optional("description", Schema::Text),
    optional("parameters", SCHEMA),
    optional("parametersJsonSchema", Schema::Map(&Schema::Any)),
    optional("response", Schema::Map(&Schema::Any)),
    optional("responseJsonSchema", Schema::Map(&Schema::Any)),
    optional(
        "behavior",
        Schema::Enum(&["UNSPECIFIED", "BLOCKING", "NON_BLOCKING"]),
    ),
];

static TOOL_CONFIG: [Member; 3] = [
    optional("functionCallingConfig", Schema::Object(&FUNCTION_CALLING)),
    optional("retrievalConfig", Schema::Map(&Schema::Any)),
    optional("includeServerSideToolInvocations", Schema::Boolean),
];

static FUNCTION_CALLING: [Member; 2] = [
    optional(
        "mode",
        Schema::Enum(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"]),
    ),
    optional("allowedFunctionNames", Schema::List(&Schema::Text)),
];

static SAFETY: [Member; 3] = [
    required("category", Schema::Text),
    required("threshold", Schema::Text),
    optional("method", Schema::Text),
];

static GENERATION: [Member; 21] = [
    optional("stopSequences", Schema::List(&Schema::Text)),
    optional(
        "responseMimeType",
        Schema::Enum(&["text/plain", "application/json", "text/x.enum"]),
    ),
    optional("responseSchema", SCHEMA),
    optional("responseJsonSchema", Schema::Map(&Schema::Any)),
    optional("responseFormat", Schema::Any),
    optional("responseModalities", Schema::List(&Schema::Text)),
    optional("candidateCount", Schema::Integer(1, 8)),
    optional("maxOutputTokens", Schema::Integer(1, 1 << 31)),
    optional("temperature", Schema::Number(0.0, 2.0)),
    optional("topP", Schema::Number(0.0, 1.0)),
    optional("topK", Schema::Number(1.0, 1e9)),
    optional("seed", Schema::Integer(-(1 << 31), (1 << 31) - 1)),
    optional("presencePenalty", Schema::Number(-2.0, 2.0)),
    optional("frequencyPenalty", Schema::Number(-2.0, 2.0)),
    optional("responseLogprobs", Schema::Boolean),
    optional("logprobs", Schema::Integer(0, 20)),
    optional("enableEnhancedCivicAnswers", Schema::Boolean),
    optional("speechConfig", Schema::Map(&Schema::Any)),
    optional("thinkingConfig", Schema::Object(&THINKING)),
    optional("imageConfig", Schema::Map(&Schema::Any)),
    optional("mediaResolution", Schema::Text),
];

static THINKING: [Member; 3] = [
    optional("includeThoughts", Schema::Boolean),
    optional("thinkingBudget", Schema::Integer(-1, 32_768)),
    optional(
        "thinkingLevel",
        Schema::Enum(&[
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

const SCHEMA: Schema = Schema::Object(&SCHEMA_MEMBERS);

/// A 64-bit integer. JSON of protocol buffers has it as a string, but accepts a number.
const BOUND: Schema = Schema::AnyOf(&[Schema::Text, Schema::Integer(0, i64::MAX)]);

/// The members of a schema in Gemini's own format, a subset of OpenAPI 3.0.
static SCHEMA_MEMBERS: [Member; 22] = [
    optional(
        "type",
        Schema::Enum(&[
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
    optional("format", Schema::Text),
    optional("title", Schema::Text),
    optional("description", Schema::Text),
    optional("nullable", Schema::Boolean),
    optional("enum", Schema::List(&Schema::Text)),
    optional("maxItems", BOUND),
    optional("minItems", BOUND),
    optional("properties", Schema::Map(&Schema::Object(&SCHEMA_MEMBERS))),
    optional("required", Schema::List(&Schema::Text)),
    optional("minProperties", BOUND),
    optional("maxProperties", BOUND),
    optional("minLength", BOUND),
    optional("maxLength", BOUND),
    optional("pattern", Schema::Text),
    optional("example", Schema::Any),
    optional("anyOf", Schema::List(&Schema::Object(&SCHEMA_MEMBERS))),
    optional("propertyOrdering", Schema::List(&Schema::Text)),
    optional("default", Schema::Any),
    optional("items", Schema::Object(&SCHEMA_MEMBERS)),
    optional("minimum", Schema::Number(f64::MIN, f64::MAX)),
    optional("maximum", Schema::Number(f64::MIN, f64::MAX)),
];
