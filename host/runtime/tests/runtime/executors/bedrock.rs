//! The executor `bedrock`.

use bytes::Bytes;
use jackfield_credential::Scope;
use jackfield_dispatch::plan::{Context, Frame};
use jackfield_dispatch::port::{PluginReply, Rejection};
use serde_json::{Value, json};

use super::{ERROR_CASE, ErrorCase, PLAN_CASE, PlanCase, built_in, check_errors, check_plans};
use crate::harness::{context, head};

const BEDROCK: PlanCase = PlanCase {
    dialect: "anthropic-messages",
    base_url: "https://bedrock-runtime.eu-central-1.amazonaws.com",
    model: "eu.anthropic.claude-x-v1:0",
    client_model: "sonnet",
    body: r#"{"model":"sonnet","max_tokens":1}"#,
    ..PLAN_CASE
};

const CONVERSE: PlanCase = PlanCase {
    model: "amazon.nova-lite-v1:0",
    ..BEDROCK
};

const PLANS: &[PlanCase] = &[
    PlanCase {
        name: "Claude with an API key",
        expect: r#"POST https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.anthropic.claude-x-v1%3A0/invoke
            content-type: application/json
            secret api-key as bearer
            body {"max_tokens":1,"anthropic_version":"bedrock-2023-05-31"}"#,
        ..BEDROCK
    },
    PlanCase {
        name: "Claude as a stream with an access key, whose region is that of the URL",
        stream: true,
        secrets: &["access-key-id", "secret-access-key", "session-token"],
        body: r#"{"model":"sonnet","stream":true,"max_tokens":1}"#,
        expect: r#"POST https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.anthropic.claude-x-v1%3A0/invoke-with-response-stream
            content-type: application/json
            secret secret-access-key as Scheme { name: "aws-sigv4", parameters: [("region", "eu-central-1"), ("service", "bedrock")] }
            body {"max_tokens":1,"anthropic_version":"bedrock-2023-05-31"}
            Frames(AwsEventStream)"#,
        ..BEDROCK
    },
    PlanCase {
        name: "the region of the credential before that of the settings",
        base_url: "https://bedrock.proxy.example",
        secrets: &["access-key-id", "secret-access-key"],
        attributes: &[("region", "us-west-2")],
        settings: r#"{"region":"us-east-1"}"#,
        expect: r#"POST https://bedrock.proxy.example/model/eu.anthropic.claude-x-v1%3A0/invoke
            content-type: application/json
            secret secret-access-key as Scheme { name: "aws-sigv4", parameters: [("region", "us-west-2"), ("service", "bedrock")] }
            body {"max_tokens":1,"anthropic_version":"bedrock-2023-05-31"}"#,
        ..BEDROCK
    },
    PlanCase {
        name: "an access key without a region",
        base_url: "https://bedrock.proxy.example",
        secrets: &["access-key-id", "secret-access-key"],
        expect: "refused request invalid: the region is not known: set `region` in the settings of the provider",
        ..BEDROCK
    },
    PlanCase {
        name: "no secret of use",
        secrets: &["access-key-id"],
        expect: "refused credential authentication: the credential needs the secret `api-key`, or `access-key-id` and `secret-access-key`",
        ..BEDROCK
    },
    PlanCase {
        name: "only betas that the operator names",
        headers: &[
            ("anthropic-beta", "a-1, context-1m-2025-08-07"),
            ("anthropic-beta", "b-2"),
        ],
        settings: r#"{"betas":["context-1m-2025-08-07"]}"#,
        expect: r#"POST https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.anthropic.claude-x-v1%3A0/invoke
            content-type: application/json
            secret api-key as bearer
            body {"max_tokens":1,"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07"]}"#,
        ..BEDROCK
    },
    PlanCase {
        name: "a profile's ARN by the setting",
        model: "arn:aws:bedrock:eu-central-1:1:application-inference-profile/a",
        settings: r#"{"api":"invoke"}"#,
        expect: r#"POST https://bedrock-runtime.eu-central-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Aapplication-inference-profile%2Fa/invoke
            content-type: application/json
            secret api-key as bearer
            body {"max_tokens":1,"anthropic_version":"bedrock-2023-05-31"}"#,
        ..BEDROCK
    },
    PlanCase {
        name: "Converse with everything",
        body: r#"{
            "model":"sonnet","max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":3,"stop_sequences":["x"],
            "system":[{"type":"text","text":"Be brief","cache_control":{"type":"ephemeral"}}],
            "tools":[{"name":"t","description":"d","input_schema":{"type":"object"}}],
            "tool_choice":{"type":"tool","name":"t"},
            "messages":[
                {"role":"user","content":[{"type":"text","text":"hi"},
                    {"type":"image","source":{"type":"base64","media_type":"image/png","data":"YQ=="}},
                    {"type":"document","source":{"type":"text","media_type":"text/plain","data":"abc"}}]},
                {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
                    {"type":"tool_use","id":"c1","name":"t","input":{"a":1}}]},
                {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","is_error":true,"content":"no"}]}]}"#,
        expect: r#"POST https://bedrock-runtime.eu-central-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse
            content-type: application/json
            secret api-key as bearer
            body written {"messages":[{"role":"user","content":[{"text":"hi"},{"image":{"format":"png","source":{"bytes":"YQ=="}}},{"document":{"format":"txt","name":"document-1","source":{"bytes":"YWJj"}}}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"toolUse":{"toolUseId":"c1","name":"t","input":{"a":1}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"no"}],"status":"error"}}]}],"system":[{"text":"Be brief"}],"inferenceConfig":{"maxTokens":9,"temperature":0.5,"topP":0.9,"stopSequences":["x"]},"toolConfig":{"tools":[{"toolSpec":{"name":"t","inputSchema":{"json":{"type":"object"}},"description":"d"}}],"toolChoice":{"tool":{"name":"t"}}},"additionalModelRequestFields":{"inferenceConfig":{"topK":3}}}
            Whole"#,
        ..CONVERSE
    },
    PlanCase {
        name: "Converse as a stream, without tools that must not be called",
        stream: true,
        body: r#"{"model":"sonnet","stream":true,"max_tokens":9,"tool_choice":{"type":"none"},
            "tools":[{"name":"t","input_schema":{}}],"messages":[{"role":"user","content":"hi"}]}"#,
        expect: r#"POST https://bedrock-runtime.eu-central-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse-stream
            content-type: application/json
            secret api-key as bearer
            body written {"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":9}}
            Frames(AwsEventStream)"#,
        ..CONVERSE
    },
    PlanCase {
        name: "an image that Converse cannot have",
        body: r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://a.invalid"}}]}]}"#,
        expect: "refused request invalid: the Converse API of Amazon Bedrock does not take images by URL or file id",
        ..CONVERSE
    },
    PlanCase {
        name: "a raw request",
        operation: "http-request",
        options: &[
            ("method", "GET"),
            (
                "url",
                "https://bedrock-runtime.eu-central-1.amazonaws.com/async-invoke",
            ),
        ],
        expect: "GET https://bedrock-runtime.eu-central-1.amazonaws.com/async-invoke
            secret api-key as bearer
            body unchanged",
        ..BEDROCK
    },
    PlanCase {
        name: "another operation",
        operation: "embed",
        expect: "refused request unsupported: this executor does not support the operation `embed`",
        ..BEDROCK
    },
];

#[tokio::test]
async fn plans() {
    check_plans("bedrock", PLANS).await;
}

const ERROR: ErrorCase = ErrorCase {
    body_part: r#"{"type":"error","error":{"type":""#,
    ..ERROR_CASE
};

const ERRORS: &[ErrorCase] = &[
    ErrorCase {
        name: "an invalid API key",
        status: 403,
        body: r#"{"Message":"Authentication failed: Please make sure your API Key is valid."}"#,
        scope: Scope::Credential,
        kind: "authentication",
        message_part: "API Key is valid",
        ..ERROR
    },
    ErrorCase {
        name: "a wrong signature",
        status: 403,
        headers: &[(
            "x-amzn-errortype",
            "InvalidSignatureException:http://internal.amazon.com/coral/com.amazon.coral.service/",
        )],
        body: r#"{"message":"The request signature we calculated does not match the signature you provided."}"#,
        scope: Scope::Credential,
        kind: "authentication",
        message_part: "does not match",
        ..ERROR
    },
    ErrorCase {
        name: "a clock that is wrong",
        status: 403,
        headers: &[("x-amzn-errortype", "InvalidSignatureException")],
        body: r#"{"message":"Signature expired: 20261201T000000Z is now earlier than 20261201T040709Z"}"#,
        scope: Scope::Provider,
        kind: "transient",
        message_part: "Signature expired",
        ..ERROR
    },
    ErrorCase {
        name: "a model without access, named in the body",
        status: 403,
        body: r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"You don't have access to the model with the specified model ID."}"#,
        scope: Scope::Model,
        kind: "permission",
        ..ERROR
    },
    ErrorCase {
        name: "throttling",
        status: 429,
        headers: &[("x-amzn-errortype", "ThrottlingException")],
        body: r#"{"message":"Too many requests, please wait before trying again."}"#,
        scope: Scope::Model,
        kind: "rate-limit",
        body_part: "rate_limit_error",
        ..ERROR
    },
    ErrorCase {
        name: "a daily quota",
        status: 429,
        headers: &[("x-amzn-errortype", "ThrottlingException")],
        body: r#"{"message":"Too many tokens per day, please wait before trying again."}"#,
        scope: Scope::Model,
        kind: "quota",
        ..ERROR
    },
    ErrorCase {
        name: "a model that needs a profile",
        headers: &[("x-amzn-errortype", "ValidationException")],
        body: r#"{"message":"Invocation of model ID m with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model."}"#,
        scope: Scope::Model,
        kind: "unsupported",
        ..ERROR
    },
    ErrorCase {
        name: "an invalid request",
        headers: &[("x-amzn-errortype", "ValidationException")],
        body: r#"{"message":"max_tokens: Field required"}"#,
        message_part: "max_tokens",
        body_part: "invalid_request_error",
        ..ERROR
    },
    ErrorCase {
        name: "what has no name",
        status: 502,
        body: "<html>",
        scope: Scope::Provider,
        kind: "transient",
        ..ERROR
    },
];

#[tokio::test]
async fn errors() {
    check_errors("bedrock", "anthropic-messages", ERRORS).await;
}

/// The reply to the plan of a model.
async fn reply(model: &'static str, stream: bool) -> Box<dyn PluginReply> {
    let executor = built_in("bedrock").await;
    let case = PlanCase {
        model,
        stream,
        body: r#"{"model":"m","messages":[]}"#,
        ..BEDROCK
    };
    let body = Bytes::from_static(case.body.as_bytes());
    let context = Context {
        stream,
        dialect: "anthropic-messages",
        ..context(model)
    };
    let plan = match executor.prepare(&case.context(), &body).await {
        Ok(plan) => plan,
        Err(rejection) => panic!("{rejection:?}"),
    };
    let reply = executor.reply(&context, &body, plan.state.clone()).await;
    let mut reply = reply.expect("a reply");
    let headers = [("x-amzn-requestid", &b"r-1"[..])];
    reply.head(head(200, &headers)).await.expect("a head");
    reply
}

fn frame(name: &str, data: &Value) -> Frame {
    Frame {
        name: name.to_owned(),
        data: data.to_string().into(),
    }
}

#[tokio::test]
async fn chunks_are_unpacked_and_exceptions_are_failures() {
    let mut claude = reply("anthropic.claude-x", true).await;
    // {"type":"ping"}
    let chunk = frame(
        "chunk",
        &json!({ "bytes": "eyJ0eXBlIjoicGluZyJ9", "p": "ab" }),
    );
    let output = claude.push(vec![chunk], false).await.expect("an output");
    let expected = Frame {
        name: "ping".to_owned(),
        data: r#"{"type":"ping"}"#.into(),
    };
    assert_eq!(output.frames, [expected]);
    for (name, data, scope, kind) in [
        (
            "exception:throttlingException",
            json!({ "message": "slow" }),
            Scope::Model,
            "rate-limit",
        ),
        (
            "exception:modelStreamErrorException",
            json!({ "message": "x" }),
            Scope::Model,
            "transient",
        ),
        (
            "exception:newException",
            json!({}),
            Scope::Provider,
            "transient",
        ),
        (
            "error:InternalFailure",
            json!("broken"),
            Scope::Provider,
            "transient",
        ),
        (
            "chunk",
            json!({ "bytes": "?" }),
            Scope::Provider,
            "transient",
        ),
    ] {
        let mut claude = reply("anthropic.claude-x", true).await;
        let Err(Rejection::Refused(refusal)) = claude.push(vec![frame(name, &data)], false).await
        else {
            panic!("{name}");
        };
        let failure = refusal.failure;
        assert_eq!((failure.scope, &*failure.kind), (scope, kind), "{name}");
    }
}

#[tokio::test]
async fn whole_response_of_converse_is_a_message() {
    let mut converse = reply("amazon.nova-lite-v1:0", false).await;
    let response = json!({
        "output": { "message": { "role": "assistant", "content": [
            { "reasoningContent": { "reasoningText": { "text": "hm", "signature": "s" } } },
            { "text": "hi" },
            { "toolUse": { "toolUseId": "c1", "name": "t", "input": { "a": 1 } } },
        ] } },
        "stopReason": "tool_use",
        "usage": { "inputTokens": 5, "outputTokens": 7, "totalTokens": 15, "cacheReadInputTokens": 3 },
    });
    let output = converse
        .push(vec![frame("", &response)], true)
        .await
        .expect("an output");
    let usage = output.usage.expect("usage");
    assert_eq!((usage.input, usage.cached_input, usage.output), (8, 3, 7));
    let message: Value = serde_json::from_slice(&output.frames[0].data).expect("JSON");
    let expected = json!({
        "id": "msg_r-1", "type": "message", "role": "assistant", "model": "amazon.nova-lite-v1:0",
        "content": [
            { "type": "thinking", "thinking": "hm", "signature": "s" },
            { "type": "text", "text": "hi" },
            { "type": "tool_use", "id": "c1", "name": "t", "input": { "a": 1 } },
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {
            "input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 3, "output_tokens": 7,
        },
    });
    assert_eq!(message, expected);
}

#[tokio::test]
async fn stream_of_converse_is_a_stream_of_messages() {
    let mut converse = reply("amazon.nova-lite-v1:0", true).await;
    let delta = |index: u32, delta: Value| {
        let event = json!({ "contentBlockIndex": index, "delta": delta });
        frame("contentBlockDelta", &event)
    };
    let stop = |index: u32| frame("contentBlockStop", &json!({ "contentBlockIndex": index }));
    let start = json!({ "toolUse": { "toolUseId": "c1", "name": "t" } });
    let frames = vec![
        frame("messageStart", &json!({ "role": "assistant" })),
        delta(0, json!({ "reasoningContent": { "text": "hm" } })),
        delta(0, json!({ "reasoningContent": { "signature": "s" } })),
        stop(0),
        delta(1, json!({ "text": "hi" })),
        stop(1),
        frame(
            "contentBlockStart",
            &json!({ "contentBlockIndex": 2, "start": start }),
        ),
        delta(2, json!({ "toolUse": { "input": "{}" } })),
        stop(2),
        frame("newEvent", &json!({})),
        frame("messageStop", &json!({ "stopReason": "tool_use" })),
        frame(
            "metadata",
            &json!({ "usage": { "inputTokens": 5, "outputTokens": 7 } }),
        ),
    ];
    let output = converse.push(frames, false).await.expect("an output");
    assert_eq!(
        output.usage.map(|usage| (usage.input, usage.output)),
        Some((5, 7))
    );
    let event = |frame: &Frame| -> Value { serde_json::from_slice(&frame.data).expect("JSON") };
    let events: Vec<Value> = output.frames.iter().map(event).collect();
    let types: Vec<(&str, Option<u64>)> = events
        .iter()
        .map(|event| {
            (
                event["type"].as_str().unwrap_or_default(),
                event["index"].as_u64(),
            )
        })
        .collect();
    let block = |index: u64, deltas: usize| {
        let mut block = vec![("content_block_start", Some(index))];
        block.extend(vec![("content_block_delta", Some(index)); deltas]);
        block.push(("content_block_stop", Some(index)));
        block
    };
    let expected = [
        vec![("message_start", None)],
        block(0, 2),
        block(1, 1),
        block(2, 1),
        vec![("message_delta", None), ("message_stop", None)],
    ];
    assert_eq!(types, expected.concat());
    assert_eq!(events[0]["message"]["id"], "msg_r-1");
    assert_eq!(
        events[5]["content_block"],
        json!({ "type": "text", "text": "" })
    );
    assert_eq!(events[11]["delta"]["stop_reason"], "tool_use");
    // Nothing follows the end.
    let output = converse.push(Vec::new(), true).await.expect("an output");
    assert_eq!(output.frames, []);
}
