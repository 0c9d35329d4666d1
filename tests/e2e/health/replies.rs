//! The replies of a provider that is well, in the format of the path that was called, whole and in parts.

use serde_json::{Value, json};

use super::scripted::{ReceivedRequest, Reply};

/// The content type of server-sent events.
pub(crate) const SSE: &str = "text/event-stream";

/// A whole chat response of `key-a`, compressed with gzip, in hexadecimal digits.
pub(crate) const GZIP_CHAT: &str = "1f8b08000000000002032d8dc10ac23010057fa5bc735aec757f4544d264b5d1245bb28b584afe5d0a5e0766e6408a20\
    84d55b285b1e6738c8f2e2607f3a05295b664b52e1101a7be3089a1d8a44ce2094d309aba4c00aba1e4835f217747178\
    a49a74bd37f62a150435d9e05058d53f1974a0496610bc6a52f3d5ce9454e37afe95db87e3b0ecc39bf7d14fe8fdd67f\
    547dfca7b2000000";

/// The API of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProviderApi {
    Chat,
    Completions,
    Embeddings,
    Responses,
    Messages,
    TokenCount,
    Gemini,
    GeminiEmbeddings,
    Token,
}

impl ProviderApi {
    pub(crate) fn of(path: &str) -> Self {
        let found = [
            ("/chat/completions", Self::Chat),
            ("/completions", Self::Completions),
            ("/embeddings", Self::Embeddings),
            ("/responses", Self::Responses),
            ("/messages", Self::Messages),
            ("/count_tokens", Self::TokenCount),
            (":countTokens", Self::TokenCount),
            (":generateContent", Self::Gemini),
            (":streamGenerateContent", Self::Gemini),
            (":embedContent", Self::GeminiEmbeddings),
            (":batchEmbedContents", Self::GeminiEmbeddings),
            ("/token", Self::Token),
        ];
        let found = found.iter().find(|(end, _)| path.ends_with(end));
        found.unwrap_or_else(|| panic!("no API has {path}")).1
    }
}

/// The events of a stream, in its three parts.
#[derive(Debug, Clone)]
pub(crate) struct StreamParts {
    /// What comes before the first content.
    pub(crate) preamble: Vec<String>,
    pub(crate) content: Vec<String>,
    pub(crate) end: Vec<String>,
}

impl StreamParts {
    pub(crate) fn of(api: ProviderApi, text: &str) -> Self {
        match api {
            ProviderApi::Chat => chat_parts(text),
            ProviderApi::Responses => responses_parts(text),
            ProviderApi::Messages => messages_parts(text),
            ProviderApi::Gemini => gemini_parts(text),
            other => panic!("{other:?} has no streams"),
        }
    }

    pub(crate) fn all(self) -> Vec<String> {
        [self.preamble, self.content, self.end].concat()
    }
}

/// Returns the reply of a provider that is well. Its text names the key.
pub(crate) fn well(request: &ReceivedRequest) -> Reply {
    let api = ProviderApi::of(&request.path);
    let text = served_by(request.key());
    if request.wants_stream() {
        return Reply::stream(SSE, &StreamParts::of(api, &text).all());
    }
    Reply::json(200, &whole(api, &text))
}

/// The text of a reply to a request with this key.
pub(crate) fn served_by(key: &str) -> String {
    format!("served by {key}.")
}

/// Returns a whole response.
pub(crate) fn whole(api: ProviderApi, text: &str) -> Value {
    let usage = json!({ "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 });
    match api {
        ProviderApi::Chat => json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m1", "usage": usage,
            "choices": [{ "index": 0, "finish_reason": "stop",
                "message": { "role": "assistant", "content": text } }],
        }),
        ProviderApi::Completions => json!({
            "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m1", "usage": usage,
            "choices": [{ "index": 0, "finish_reason": "stop", "text": text, "logprobs": null }],
        }),
        ProviderApi::Embeddings => json!({
            "object": "list", "model": "m1", "usage": { "prompt_tokens": 1, "total_tokens": 1 },
            "data": [{ "object": "embedding", "index": 0, "embedding": [0.5, 0.25] }],
        }),
        ProviderApi::Responses => response_object("completed", text),
        ProviderApi::Messages => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m1",
            "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn",
            "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 },
        }),
        ProviderApi::TokenCount => json!({ "input_tokens": 1, "totalTokens": 1 }),
        ProviderApi::Gemini => gemini_chunk(text, Some("STOP")),
        ProviderApi::GeminiEmbeddings => json!({ "embedding": { "values": [0.5, 0.25] } }),
        ProviderApi::Token => json!({ "access_token": "at-1", "expires_in": 3600 }),
    }
}

/// Returns an event in the middle of a stream that reports an overload.
pub(crate) fn overloaded_event(api: ProviderApi) -> String {
    match api {
        ProviderApi::Messages => event(
            "error",
            &json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } }),
        ),
        ProviderApi::Responses => event(
            "error",
            &json!({ "type": "error", "code": "server_is_overloaded", "message": "Overloaded",
                "param": null, "sequence_number": 2 }),
        ),
        ProviderApi::Gemini => data(
            &json!({ "error": { "code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE" } }),
        ),
        _ => data(
            &json!({ "error": { "message": "Overloaded", "type": "overloaded_error", "code": 529 } }),
        ),
    }
}

/// Returns an event without a name.
pub(crate) fn data(body: &Value) -> String {
    format!("data: {body}\n\n")
}

/// Returns an event with a name.
pub(crate) fn event(name: &str, body: &Value) -> String {
    format!("event: {name}\ndata: {body}\n\n")
}

fn chat_parts(text: &str) -> StreamParts {
    let chunk = |delta: Value, finish: Option<&str>| {
        data(
            &json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m1",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }),
        )
    };
    let content = halves(text).map(|half| chunk(json!({ "content": half }), None));
    StreamParts {
        preamble: vec![chunk(json!({ "role": "assistant", "content": "" }), None)],
        content: content.to_vec(),
        end: vec![
            chunk(json!({}), Some("stop")),
            "data: [DONE]\n\n".to_owned(),
        ],
    }
}

fn response_object(status: &str, text: &str) -> Value {
    let output = json!([{ "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [] }] }]);
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m1",
        "output": if status == "completed" { output } else { json!([]) },
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {},
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "usage": { "input_tokens": 1, "output_tokens": 1, "total_tokens": 2,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens_details": { "reasoning_tokens": 0 } },
    })
}

fn responses_parts(text: &str) -> StreamParts {
    let item = |status: &str, content: Value| {
        json!({ "output_index": 0, "item": { "type": "message", "id": "msg_1", "role": "assistant",
            "status": status, "content": content } })
    };
    let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [] });
    let response = |status: &str, text: &str| json!({ "response": response_object(status, text) });
    let [first, second] = halves(text).map(|half| json!({ "delta": half, "logprobs": [] }));
    let whole = json!({ "text": text, "logprobs": [] });
    let delta = "response.output_text.delta";
    let preamble = [
        ("response.created", response("in_progress", "")),
        ("response.in_progress", response("in_progress", "")),
    ];
    let content = [
        ("response.output_item.added", item("in_progress", json!([]))),
        (
            "response.content_part.added",
            in_content(json!({ "part": part("") })),
        ),
        (delta, in_content(first)),
        (delta, in_content(second)),
    ];
    let end = [
        ("response.output_text.done", in_content(whole)),
        (
            "response.content_part.done",
            in_content(json!({ "part": part(text) })),
        ),
        (
            "response.output_item.done",
            item("completed", json!([part(text)])),
        ),
        ("response.completed", response("completed", text)),
    ];
    let mut number = 0;
    let mut numbered = |(name, mut body): (&str, Value)| {
        body["type"] = json!(name);
        body["sequence_number"] = json!(number);
        number += 1;
        event(name, &body)
    };
    StreamParts {
        preamble: preamble.into_iter().map(&mut numbered).collect(),
        content: content.into_iter().map(&mut numbered).collect(),
        end: end.into_iter().map(&mut numbered).collect(),
    }
}

/// Completes the members of an event about the only content part.
fn in_content(mut members: Value) -> Value {
    members["item_id"] = json!("msg_1");
    members["output_index"] = json!(0);
    members["content_index"] = json!(0);
    members
}

fn messages_parts(text: &str) -> StreamParts {
    let typed = |name: &str, mut body: Value| {
        body["type"] = json!(name);
        event(name, &body)
    };
    let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m1",
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 1, "output_tokens": 1 } });
    let block = json!({ "index": 0, "content_block": { "type": "text", "text": "" } });
    let deltas = halves(text).map(|half| {
        let delta = json!({ "type": "text_delta", "text": half });
        typed("content_block_delta", json!({ "index": 0, "delta": delta }))
    });
    let last = json!({ "delta": { "stop_reason": "end_turn", "stop_sequence": null },
        "usage": { "output_tokens": 2 } });
    StreamParts {
        preamble: vec![
            typed("message_start", json!({ "message": message })),
            typed("ping", json!({})),
        ],
        content: [vec![typed("content_block_start", block)], deltas.to_vec()].concat(),
        end: vec![
            typed("content_block_stop", json!({ "index": 0 })),
            typed("message_delta", last),
            typed("message_stop", json!({})),
        ],
    }
}

fn gemini_chunk(text: &str, finish: Option<&str>) -> Value {
    let mut candidate =
        json!({ "index": 0, "content": { "role": "model", "parts": [{ "text": text }] } });
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    json!({ "candidates": [candidate], "modelVersion": "m1", "responseId": "r1",
        "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2 } })
}

fn gemini_parts(text: &str) -> StreamParts {
    let content = halves(text).map(|half| data(&gemini_chunk(half, None)));
    StreamParts {
        preamble: vec![data(&gemini_chunk("", None))],
        content: content.to_vec(),
        end: vec![data(&gemini_chunk("", Some("STOP")))],
    }
}

fn halves(text: &str) -> [&str; 2] {
    let (first, second) = text.split_at(text.len() / 2);
    [first, second]
}
