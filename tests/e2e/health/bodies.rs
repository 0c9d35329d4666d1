//! Bodies: compressed requests, streams under other content types, and content encodings that were not
//! requested.

use tokio::task::JoinSet;

use super::client::{ClientApi, ClientRequest};
use super::replies::{ProviderApi, StreamParts, served_by, well, whole};
use super::scripted::{ReceivedRequest, Reply, ScriptedProvider};
use super::time::NATIVE;
use super::{ONE, TWO, pool, start};

/// `{"model":"m1","messages":[{"role":"user","content":"hi"}],"max_tokens":64}`, compressed.
const CHAT_BODIES: [(&str, &str); 4] = [
    (
        "gzip",
        "1f8b080000000000020305c1410a80201040d1bbfcb59b205acc5522426aa8c851700c02e9eebdd7b1b26b42b08180a97b3c\
         d491b9534b5284c7b512d84a6e9a1bc279f12d018befdacaadd99169fc7e0e79be7b4a000000",
    ),
    (
        "deflate",
        "789c05c1410a80201040d1bbfcb59b205acc5522426aa8c851700c02e9eebdd7b1b26b42b08180a97b3cd491b9534b5284c7\
         b512d84a6e9a1bc279f12d018befdacaadd99169fc7e85db1856",
    ),
    (
        "br",
        "1b4900482c0eecf61c5f1015c1aed7d4fda116d9c3fb9a6d6834adc3d2d537456cb632262c0d1c72c01c70f62d90040290fa\
         7312ad3a364082e544c12c2207ef8bbe1302ea",
    ),
    (
        "zstd",
        "28b52ffd244a350200a284101990c519030b28b406932411e0b3349ace5d672ca062d7ff2a016d20ee4d18d0750c4e6e8c36\
         60f95e09575264b3c2157c2352352bee45e5ec626e16f21b61a2390b009ac69781",
    ),
];

/// `{"model":"m1","input":"hi"}`, compressed.
const RESPONSES_BODIES: [(&str, &str); 4] = [
    (
        "gzip",
        "1f8b0800000000000203ab56cacd4f49cd51b252ca3554d251cacc2b282d51b252cac854aa0500f77823e61b000000",
    ),
    (
        "deflate",
        "789cab56cacd4f49cd51b252ca3554d251cacc2b282d51b252cac854aa050076350859",
    ),
    (
        "br",
        "0b0d807b226d6f64656c223a226d31222c22696e707574223a226869227d03",
    ),
    (
        "zstd",
        "28b52ffd241bd900007b226d6f64656c223a226d31222c22696e707574223a226869227d66ead679",
    ),
];

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// Codex compresses with zstd by default. Sources: Wei-Shaw/sub2api#1990, mlflow/mlflow#24573,
/// zyycn/codex-proxy-rs#66, BYK/loreai#1049, farion1231/cc-switch#3817.
#[tokio::test]
async fn compressed_requests_are_served() {
    let provider = ScriptedProvider::start(well).await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "").await;
    for (api, bodies) in [
        (ClientApi::Chat, CHAT_BODIES),
        (ClientApi::Messages, CHAT_BODIES),
        (ClientApi::Responses, RESPONSES_BODIES),
    ] {
        for (encoding, hex) in bodies {
            let request = ClientRequest::new(api, "m1", "hi").by(ONE);
            let request = request.with_header("content-encoding", encoding);
            let response = request.send_bytes(&jackfield, from_hex(hex)).await;
            assert!(
                response.is_served(api),
                "{encoding} {api:?}: {}",
                response.summary()
            );
        }
    }
    // The provider gets plain JSON.
    for seen in provider.requests() {
        assert_eq!(seen.header("content-encoding"), None);
        assert!(seen.json().is_object());
    }
}

#[tokio::test]
async fn unknown_content_encoding_is_415() {
    let provider = ScriptedProvider::start(well).await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "").await;
    let request = ClientRequest::plain_chat().by(ONE);
    let unknown = request.clone().with_header("content-encoding", "snappy");
    let response = unknown.send(&jackfield).await;
    assert_eq!(response.status, 415, "{}", response.summary());
    let identity = request.with_header("content-encoding", "identity");
    identity
        .send(&jackfield)
        .await
        .assert_served(ClientApi::Chat);
    assert_eq!(provider.count(), 1);
}

/// A body of 1 KiB that becomes 512 MiB, and one that is no zstd at all.
#[tokio::test]
async fn decompression_is_bounded() {
    let provider = ScriptedProvider::start(well).await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "").await;
    let before = jackfield.resident_kib();
    // RFC 8878, section 3.1.1: a frame with a window of 8 MiB, of RLE blocks of 128 KiB each.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    for block in 0..4096_u32 {
        let last = u32::from(block == 4095);
        let header = last | 1 << 1 | (128 << 10) << 3;
        bomb.extend_from_slice(&header.to_le_bytes()[..3]);
        bomb.push(b' ');
    }
    let request = ClientRequest::plain_chat()
        .by(ONE)
        .with_header("content-encoding", "zstd");
    let response = request.send_bytes(&jackfield, bomb).await;
    assert_eq!(response.status, 413, "{}", response.summary());
    let grown = jackfield.resident_kib().saturating_sub(before);
    // It is refused before any of it is stored: the window, and the buffers of the decoder.
    assert!(grown < 64 << 10, "the memory grew by {grown} KiB");
    let response = request
        .send_bytes(&jackfield, b"{\"model\":\"m1\"}".to_vec())
        .await;
    assert_eq!(response.status, 400, "{}", response.summary());
    assert_eq!(provider.count(), 0);
}

/// The limit of a body can be configured. Source: the case `huge-bodies`.
#[tokio::test]
async fn body_limit_is_configurable() {
    let provider = ScriptedProvider::start(well).await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "limits: { request-body: 1MiB }\n").await;
    let request = ClientRequest::new(ClientApi::Chat, "m1", &"x".repeat(1_100_000)).by(ONE);
    let response = request.send(&jackfield).await;
    assert_eq!(response.status, 413, "{}", response.summary());
    let request = ClientRequest::new(ClientApi::Chat, "m1", &"x".repeat(900_000)).by(ONE);
    request
        .send(&jackfield)
        .await
        .assert_served(ClientApi::Chat);
}

fn sse(request: &ReceivedRequest) -> Vec<String> {
    StreamParts::of(ProviderApi::of(&request.path), &served_by(request.key())).all()
}

/// `sse-content-types`: 0 of 8 calls were served. Sources: Wei-Shaw/sub2api#2826, openclaw/openclaw#97454,
/// maximhq/bifrost#3928, 54xzh/FLIT#71, xiaoliu10/claude-code-router-next#45.
#[tokio::test]
async fn stream_under_another_content_type_is_a_stream() {
    let mut cases = JoinSet::new();
    for (api, executor) in NATIVE {
        cases.spawn(async move {
            for kind in [
                "text/plain",
                "application/json",
                "application/octet-stream",
                "",
            ] {
                let provider =
                    ScriptedProvider::start(move |request| Reply::stream(kind, &sse(request)))
                        .await;
                let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
                let jackfield = start(&providers, "").await;
                let request = ClientRequest::streamed(api, "m1", "hi").by(ONE);
                let response = request.send(&jackfield).await;
                assert!(
                    response.is_served(api),
                    "{api:?} under {kind:?}: {}",
                    response.summary()
                );
                assert_eq!(provider.count(), 1, "{api:?} under {kind:?}");
            }
        });
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

/// `sse-despite-nonstream`: 502 in 6 of 6. Source: BYK/loreai#605.
#[tokio::test]
async fn stream_that_was_not_requested_becomes_a_whole_response() {
    for (api, executor) in NATIVE {
        let provider =
            ScriptedProvider::start(|request| Reply::stream(super::replies::SSE, &sse(request)))
                .await;
        let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
        let jackfield = start(&providers, "").await;
        let response = ClientRequest::new(api, "m1", "hi")
            .by(ONE)
            .send(&jackfield)
            .await;
        response.assert_served_by(api, "key-a");
        assert!(
            response.json().is_object(),
            "{api:?}: {}",
            response.summary()
        );
        assert_eq!(provider.count(), 1);
    }
}

/// JSON where a stream was requested.
#[tokio::test]
async fn whole_response_to_a_stream_becomes_a_stream() {
    for (api, executor) in NATIVE {
        let provider = ScriptedProvider::start(|request| {
            let api = ProviderApi::of(&request.path);
            Reply::json(200, &whole(api, &served_by(request.key())))
        })
        .await;
        let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
        let jackfield = start(&providers, "").await;
        let response = ClientRequest::streamed(api, "m1", "hi")
            .by(ONE)
            .send(&jackfield)
            .await;
        assert_eq!(
            response.text(api),
            served_by("key-a"),
            "{api:?}: {}",
            response.summary()
        );
        assert!(response.is_complete(api), "{api:?}: {}", response.summary());
        assert_eq!(provider.count(), 1);
    }
}

/// A content encoding that was not requested is decoded, or refused with words; never passed on as text.
#[tokio::test]
async fn content_encoding_that_was_not_requested() {
    // `gzip` of a whole chat response with the text `served by key-a.`
    let body = from_hex(super::replies::GZIP_CHAT);
    let provider = ScriptedProvider::start(move |_| {
        Reply::bytes(200, "application/json", body.clone()).with_header("content-encoding", "gzip")
    })
    .await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "").await;
    for client in [ONE, TWO] {
        let response = ClientRequest::plain_chat()
            .by(client)
            .send(&jackfield)
            .await;
        let in_words = [502, 503].contains(&response.status) && response.body.contains("encod");
        assert!(
            response.is_served(ClientApi::Chat) || in_words,
            "{}",
            response.summary()
        );
    }
}
