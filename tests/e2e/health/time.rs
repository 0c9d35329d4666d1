//! Slow and silent providers: whole responses that take long, streams that reason in silence, streams that
//! stall, and providers that hang.

use std::time::Duration;

use tokio::task::JoinSet;

use super::client::{ClientApi, ClientRequest, ClientResponse};
use super::replies::{ProviderApi, SSE, StreamParts, overloaded_event, served_by, well};
use super::scripted::{ReceivedRequest, Reply, ReplyEnd, ScriptedProvider};
use super::{ONE, TWO, pool, start};

/// The executor whose dialect is the client's, with the path of its base URL.
pub(crate) const NATIVE: [(ClientApi, &str); 4] = [
    (ClientApi::Chat, "openai-compatible"),
    (ClientApi::Responses, "openai"),
    (ClientApi::Messages, "anthropic"),
    (ClientApi::Gemini, "gemini"),
];

fn parts(request: &ReceivedRequest) -> StreamParts {
    StreamParts::of(ProviderApi::of(&request.path), &served_by(request.key()))
}

/// Runs a case in each dialect, all at once.
async fn in_each_dialect<F: Future<Output = ()> + Send + 'static>(
    case: impl Fn(ClientApi, &'static str) -> F,
) {
    let mut cases = JoinSet::new();
    for (api, executor) in NATIVE {
        cases.spawn(case(api, executor));
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

/// `slow-whole-answer`: 502 after both keys were tried. Sources: BerriAI/litellm#9551,
/// wanshuiyin/Auto-claude-code-research-in-sleep#60.
async fn whole_response_may_take_longer_than_the_first_byte() {
    let provider =
        ScriptedProvider::start(|request| well(request).after(Duration::from_secs(3))).await;
    let providers = pool(
        "p",
        "openai-compatible",
        &provider.url("/v1"),
        &["key-a", "key-b"],
    );
    let jackfield = start(&providers, "timeouts: { first-byte: 1s, total: 20s }\n").await;
    let response = ClientRequest::plain_chat().by(ONE).send(&jackfield).await;
    response.assert_served_by(ClientApi::Chat, "key-a");
    assert_eq!(provider.count(), 1);
}

/// A whole response that did not arrive in time is not requested, and paid for, a second time.
async fn timeout_of_a_whole_response_is_final() {
    let provider =
        ScriptedProvider::start(|request| well(request).after(Duration::from_secs(30))).await;
    let providers = pool(
        "p",
        "openai-compatible",
        &provider.url("/v1"),
        &["key-a", "key-b"],
    );
    let jackfield = start(&providers, "timeouts: { first-byte: 1s, total: 3s }\n").await;
    let response = ClientRequest::plain_chat().by(ONE).send(&jackfield).await;
    assert_eq!(response.status, 504, "{}", response.summary());
    assert!(
        response.elapsed < Duration::from_secs(6),
        "{:?}",
        response.elapsed
    );
    assert_eq!(provider.count(), 1);
}

/// The default configuration: a stream of a provider that hangs is served by another one within 20 s.
async fn hung_provider_and_a_well_one() {
    let p = ScriptedProvider::start(|_| Reply::nothing(ReplyEnd::Silence)).await;
    let q = ScriptedProvider::start(well).await;
    let providers = pool("p", "openai-compatible", &p.url("/v1"), &["key-a"])
        + &pool("q", "openai-compatible", &q.url("/v1"), &["key-q"]);
    let jackfield = start(&providers, "").await;
    let request = ClientRequest::streamed(ClientApi::Chat, "m1", "hi").by(ONE);
    let response = request.send(&jackfield).await;
    response.assert_served_by(ClientApi::Chat, "key-q");
    assert!(
        response.elapsed < Duration::from_secs(20),
        "{:?}",
        response.elapsed
    );
}

/// The next client does not wait for the provider that hangs.
async fn provider_that_timed_out_is_left_alone() {
    let p = ScriptedProvider::start(|_| Reply::nothing(ReplyEnd::Silence)).await;
    let q = ScriptedProvider::start(well).await;
    let providers = pool("p", "openai-compatible", &p.url("/v1"), &["key-a"])
        + &pool("q", "openai-compatible", &q.url("/v1"), &["key-q"]);
    let jackfield = start(&providers, "timeouts: { first-byte: 2s }\n").await;
    let first = ClientRequest::streamed(ClientApi::Chat, "m1", "hi").by(ONE);
    first
        .send(&jackfield)
        .await
        .assert_served_by(ClientApi::Chat, "key-q");
    let next = ClientRequest::streamed(ClientApi::Chat, "m1", "hi").by(TWO);
    let response = next.send(&jackfield).await;
    response.assert_served_by(ClientApi::Chat, "key-q");
    assert!(
        response.elapsed < Duration::from_secs(1),
        "{:?}",
        response.elapsed
    );
}

/// `silent-first-token`, `slow-first-token`: 35 s of reasoning were 35 s of silence. Sources:
/// BerriAI/litellm#37322, theopenco/llmgateway#1541, openclaw/openclaw#70739, router-for-me/CLIProxyAPI#4280.
async fn client_gets_its_head_before_the_first_content() {
    in_each_dialect(async |api, executor| {
        let provider = ScriptedProvider::start(|request| {
            let StreamParts {
                preamble,
                content,
                end,
            } = parts(request);
            Reply::stream(SSE, &preamble)
                .pause(Duration::from_secs(5))
                .then(&content)
                .then(&end)
        })
        .await;
        let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
        let jackfield = start(&providers, "timeouts: { client-head: 1s }\n").await;
        let request = ClientRequest::streamed(api, "m1", "hi").by(ONE);
        let response = request.send(&jackfield).await;
        response.assert_served_by(api, "key-a");
        let head = response.head_after;
        assert!(
            head < Duration::from_secs(3),
            "{api:?}: the head after {head:?}"
        );
        let first = response.chunks_at[0];
        assert!(
            first < Duration::from_secs(3),
            "{api:?}: the first byte after {first:?}"
        );
        assert_eq!(provider.count(), 1);
    })
    .await;
}

/// Eight seconds of preamble, then an overload, before the client has its head and after it: failover is unseen.
async fn overload_after_the_preamble_is_failed_over() {
    let with_head_after = |client_head: &'static str| {
        in_each_dialect(move |api, executor| async move {
            let provider = ScriptedProvider::start(|request| {
                if request.key() == "key-b" {
                    return well(request);
                }
                let overloaded = overloaded_event(ProviderApi::of(&request.path));
                Reply::stream(SSE, &parts(request).preamble)
                    .pause(Duration::from_secs(8))
                    .then(&[overloaded])
            })
            .await;
            let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
            let more = format!("timeouts: {{ client-head: {client_head} }}\n");
            let jackfield = start(&providers, &more).await;
            let request = ClientRequest::streamed(api, "m1", "hi").by(ONE);
            let response = request.send(&jackfield).await;
            response.assert_served_by(api, "key-b");
            assert_eq!(provider.count(), 2);
        })
    };
    tokio::join!(with_head_after("10s"), with_head_after("1s"));
}

/// After the client's head, a failure of all keys is one error event.
async fn failure_after_the_head_is_one_event() {
    in_each_dialect(async |api, executor| {
        let provider = ScriptedProvider::start(|request| {
            Reply::stream(SSE, &parts(request).preamble)
                .pause(Duration::from_secs(2))
                .then(&[overloaded_event(ProviderApi::of(&request.path))])
        })
        .await;
        let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
        let more = "timeouts: { client-head: 1s }\nretry: { rounds: 1 }\n";
        let jackfield = start(&providers, more).await;
        let response = ClientRequest::streamed(api, "m1", "hi")
            .by(ONE)
            .send(&jackfield)
            .await;
        assert_eq!(response.status, 200, "{api:?}: {}", response.summary());
        assert_one_error_event(api, &response);
    })
    .await;
}

#[track_caller]
fn assert_one_error_event(api: ClientApi, response: &ClientResponse) {
    let events = response.error_events();
    assert_eq!(events, 1, "{api:?}: {}", response.summary());
    assert!(
        !response.is_complete(api),
        "{api:?}: {}",
        response.summary()
    );
}

/// `idle-timeout`, the matrix row `s-stall-content`: 15 s instead of 2 s.
async fn idle_timeout_below_15_seconds() {
    in_each_dialect(async |api, executor| {
        let provider = ScriptedProvider::start(|request| {
            let StreamParts {
                preamble, content, ..
            } = parts(request);
            Reply::stream(SSE, &[preamble, content].concat()).ending(ReplyEnd::Silence)
        })
        .await;
        let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
        let jackfield = start(&providers, "timeouts: { idle: 2s }\n").await;
        let response = ClientRequest::streamed(api, "m1", "hi")
            .by(ONE)
            .send(&jackfield)
            .await;
        assert_one_error_event(api, &response);
        let seconds = response.elapsed.as_secs_f64();
        assert!((1.9..5.0).contains(&seconds), "{api:?}: {seconds} s");
    })
    .await;
}

/// `total-cuts-live-stream`.
async fn total_does_not_cut_a_stream_that_flows() {
    in_each_dialect(async |api, executor| {
        let provider = ScriptedProvider::start(|request| {
            let StreamParts {
                preamble,
                content,
                end,
            } = parts(request);
            let pause = Duration::from_millis(1200);
            let (first, second) = content.split_at(content.len() - 1);
            Reply::stream(SSE, &[&preamble, first].concat())
                .pause(pause)
                .then(second)
                .pause(pause)
                .then(&end)
        })
        .await;
        let providers = pool("p", executor, &provider.url("/v1"), &["key-a", "key-b"]);
        let jackfield = start(&providers, "timeouts: { total: 2s }\n").await;
        let response = ClientRequest::streamed(api, "m1", "hi")
            .by(ONE)
            .send(&jackfield)
            .await;
        response.assert_served_by(api, "key-a");
    })
    .await;
}

/// The operator can limit the whole life of a stream.
async fn stream_timeout_ends_a_stream_that_flows() {
    let provider = ScriptedProvider::start(|request| {
        let StreamParts {
            preamble,
            content,
            end,
        } = parts(request);
        Reply::stream(SSE, &[preamble, content].concat())
            .pause(Duration::from_secs(8))
            .then(&end)
    })
    .await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "timeouts: { stream: 2s }\n").await;
    let request = ClientRequest::streamed(ClientApi::Chat, "m1", "hi").by(ONE);
    let response = request.send(&jackfield).await;
    assert_one_error_event(ClientApi::Chat, &response);
    assert!(
        response.elapsed < Duration::from_secs(6),
        "{:?}",
        response.elapsed
    );
}

#[tokio::test]
async fn slow_providers() {
    together!(
        whole_response_may_take_longer_than_the_first_byte,
        timeout_of_a_whole_response_is_final,
        hung_provider_and_a_well_one,
        provider_that_timed_out_is_left_alone,
        client_gets_its_head_before_the_first_content,
        overload_after_the_preamble_is_failed_over,
        failure_after_the_head_is_one_event,
        idle_timeout_below_15_seconds,
        total_does_not_cut_a_stream_that_flows,
        stream_timeout_ends_a_stream_that_flows,
    );
}
