//! Raw HTTP requests of a caller, sent with a credential (CLIProxyAPI's rules, section 1.15).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue};
use http::{HeaderMap, Method};
use jackfield_credential::CredentialId;
use jackfield_dispatch::limits::RAW_RESPONSE_BYTES_MAX;
use jackfield_dispatch::plan::{Context, Plan, PlannedBody, ResponseMode};
use jackfield_dispatch::{CallError, RawRequest};
use tokio::time::Instant;
use url::Url;

use crate::fake_plugins::{FakeExecutor, planned};
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, Stage, read_body};

/// Sends the given request, with the credential's key as a bearer token.
fn plan_raw_request(context: &Context) -> Plan {
    let of = |name: &str| {
        let mut options = context.options.iter();
        let found = options.find(|(option, _)| *option == name);
        found.unwrap().1.clone()
    };
    let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
    plan.request.method = Method::from_bytes(of("method").as_bytes()).unwrap();
    plan.request.url = Url::parse(&of("url")).unwrap();
    plan.request
        .headers
        .insert("x-plan", HeaderValue::from_static("plan"));
    plan
}

fn stage(upstream: FakeUpstream) -> Stage {
    let executor =
        FakeExecutor::new(|context| Ok(plan_raw_request(context))).planning("http-request");
    Setting::new(2).executor(executor).stage(upstream)
}

fn unused_upstream() -> FakeUpstream {
    FakeUpstream::in_order(vec![])
}

fn raw(method: &str, url: &str) -> RawRequest {
    RawRequest {
        method: method.to_owned(),
        url: url.to_owned(),
        ..RawRequest::default()
    }
}

fn id(name: &str) -> CredentialId {
    CredentialId::from(name)
}

const URL: &str = "https://provider.test/v1/files?x=1";

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_15_adds_credentials_and_defaults_to_get() {
    let stage = stage(unused_upstream());
    let headers = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("text/plain")),
        (
            "x-plan".parse().unwrap(),
            HeaderValue::from_static("client"),
        ),
    ]);
    let request = RawRequest {
        headers,
        body: Bytes::from_static(b"words"),
        ..raw(" ", URL)
    };
    let id = id("b");
    let prepared = stage.dispatcher.prepare_http_request(&id, request).await;
    let prepared = prepared.unwrap();
    assert_eq!((prepared.method, prepared.url.as_str()), (Method::GET, URL));
    assert_eq!(prepared.headers[AUTHORIZATION], "Bearer sk-of-b");
    assert_eq!(prepared.headers[ACCEPT], "text/plain");
    let plans: Vec<_> = prepared.headers.get_all("x-plan").iter().collect();
    assert_eq!(plans, ["plan"], "the executor's method and URL are used");
    assert_eq!(&prepared.body[..], b"words");
    assert_eq!(stage.upstream.calls(), 0, "the request is only prepared");
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_15_raw_request_records_no_outcome() {
    let response = Script::response(401, "text/plain", vec![]).header("x-request-id", "r1");
    let pieces = ["no ", "good"].map(|text| Piece::Chunk(Bytes::from_static(text.as_bytes())));
    let response = pieces.into_iter().fold(response, Script::then);
    let stage = stage(FakeUpstream::in_order(vec![response]));
    let id = id("a");
    let given = stage.dispatcher.http_request(&id, raw("PUT", URL)).await;
    let given = given.unwrap();
    assert_eq!(given.status.as_u16(), 401);
    assert_eq!(given.headers["x-request-id"], "r1");
    let (body, body_error) = read_body(given).await;
    assert_eq!((&body[..], body_error.is_none()), (&b"no good"[..], true));
    assert_eq!(stage.cooling(), Vec::<String>::new());
    assert_eq!(stage.failed_credentials(), Vec::<String>::new());
    assert_eq!(stage.counts().failed, 0);
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_15_invalid_raw_request_has_cliproxyapi_code() {
    let stage = stage(unused_upstream());
    let code = async |stage: &Stage, credential: &str, request| {
        let sent = stage
            .dispatcher
            .http_request(&id(credential), request)
            .await;
        sent.unwrap_err().code().unwrap()
    };
    assert_eq!(code(&stage, "", raw("", URL)).await, "auth_not_found");
    assert_eq!(code(&stage, "z", raw("", URL)).await, "auth_not_found");
    assert_eq!(
        code(&stage, "a", raw("", "no URL")).await,
        "invalid_request"
    );
    assert_eq!(code(&stage, "a", raw("G T", URL)).await, "invalid_request");
    let mut smuggled = raw("", URL);
    smuggled
        .headers
        .insert(HOST, HeaderValue::from_static("other.test"));
    assert_eq!(code(&stage, "a", smuggled).await, "invalid_request");
    let plain = Setting::new(1).stage(unused_upstream());
    assert_eq!(code(&plain, "a", raw("", URL)).await, "not_supported");
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    Arc::make_mut(&mut snapshot.plugins).executors.clear();
    stage.snapshot.store(snapshot.clone().into());
    assert_eq!(code(&stage, "a", raw("", URL)).await, "executor_not_found");
    snapshot.providers.clear();
    stage.snapshot.store(snapshot.into());
    assert_eq!(code(&stage, "a", raw("", URL)).await, "provider_not_found");
}

/// CLIProxyAPI's `InjectCredentials` does nothing if there is nothing to inject, and the request
/// is sent as it is. Here the request fails.
#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_15_fails_when_credentials_cannot_be_injected() {
    let stage = stage(unused_upstream());
    let prepared = async |stage: &Stage, credential: &str| {
        let request = RawRequest {
            body: Bytes::from_static(b"as it is"),
            ..raw("POST", URL)
        };
        let credential = id(credential);
        let dispatcher = &stage.dispatcher;
        dispatcher.prepare_http_request(&credential, request).await
    };
    let whole = prepared(&stage, "a").await.unwrap();
    assert_eq!(whole.headers[AUTHORIZATION], "Bearer sk-of-a");
    assert!(whole.headers[AUTHORIZATION].is_sensitive());
    assert_eq!(&whole.body[..], b"as it is");
    for unknown_id in ["", " ", "z"] {
        let error = prepared(&stage, unknown_id).await.unwrap_err();
        assert_eq!(error.code(), Some("auth_not_found"), "{unknown_id:?}");
    }
    // No `RequestPreparer`.
    let plain = Setting::new(1).stage(unused_upstream());
    let error = prepared(&plain, "a").await.unwrap_err();
    assert_eq!(error.code(), Some("not_supported"));
    // The credential lacks what the executor wants to inject.
    let other = FakeExecutor::new(|context| {
        let mut plan = plan_raw_request(context);
        plan.request.secrets[0].0 = "access-token".to_owned();
        Ok(plan)
    });
    let other = Setting::new(1).executor(other.planning("http-request"));
    let error = prepared(&other.stage(unused_upstream()), "a")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`access-token`"), "{error}");
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    Arc::make_mut(&mut snapshot.plugins).executors.clear();
    stage.snapshot.store(snapshot.into());
    let error = prepared(&stage, "a").await.unwrap_err();
    assert_eq!(error.code(), Some("executor_not_found"));
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_15_raw_request_is_never_retried() {
    let stage = stage(FakeUpstream::new(|_, _| Script::json(429, "")));
    let given = stage.dispatcher.http_request(&id("a"), raw("", URL)).await;
    assert_eq!(given.unwrap().status.as_u16(), 429);
    assert_eq!(stage.upstream.credentials(), ["a"]);
    assert_eq!(stage.cooling(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn cliproxyapi_compat_1_15_disabled_credential_still_signs_raw_requests() {
    let stage = stage(unused_upstream());
    let a = id("a");
    stage
        .dispatcher
        .auth()
        .set_enabled(&a, false)
        .await
        .unwrap();
    let prepared = stage
        .dispatcher
        .prepare_http_request(&a, raw("", URL))
        .await;
    assert_eq!(prepared.unwrap().headers[AUTHORIZATION], "Bearer sk-of-a");
}

#[tokio::test(start_paused = true)]
async fn does_not_send_secrets_to_another_origin() {
    let stage = stage(unused_upstream());
    let foreign = raw("", "https://elsewhere.test/v1/files");
    let error = stage.dispatcher.http_request(&id("a"), foreign).await;
    let error = error.unwrap_err();
    assert!(matches!(error, CallError::Plugin(_)), "{error:?}");
    assert!(error.to_string().contains("elsewhere.test"), "{error}");
    assert_eq!(stage.executor.faults(), 1);
}

#[tokio::test(start_paused = true)]
async fn silent_upstream_times_out() {
    let silent = Script::response(200, "text/plain", vec![Piece::Hang]);
    let stage = stage(FakeUpstream::in_order(vec![
        Script::hang(),
        Script::refuse(),
        silent,
    ]));
    let id = id("a");
    let send = || stage.dispatcher.http_request(&id, raw("", URL));
    let start = Instant::now();
    for waited in [60 * SECOND, 60 * SECOND] {
        let error = send().await.unwrap_err();
        assert_eq!(error.code(), Some("upstream_unreachable"));
        assert_eq!(start.elapsed(), waited);
    }
    let (body, body_error) = read_body(send().await.unwrap()).await;
    assert!(body.is_empty() && body_error.is_some());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn whole_response_shows_no_secret() {
    let echoed = Script::json(401, "wrong key sk-of-a, not sk-of-a")
        .header("x-echo", "sk-of-a")
        .header("x-other", "sk-of-b");
    let endless = Script::dripping(200, "text/plain", SECOND / 100, vec![b'x'; 1 << 20], 100);
    let stage = stage(FakeUpstream::in_order(vec![echoed, endless]));
    let id = id("a");
    let send = || stage.dispatcher.whole_http_request(&id, raw("", URL));
    let response = send().await.unwrap();
    assert_eq!(response.status, 401);
    assert_eq!(&response.body[..], b"wrong key [secret], not [secret]");
    assert!(!response.headers.contains_key("x-echo"));
    assert_eq!(response.headers["x-other"], "sk-of-b");
    let error = send().await.unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
    assert!(stage.upstream.bytes_read() <= RAW_RESPONSE_BYTES_MAX + (2 << 20));
    assert_eq!(stage.failed_credentials(), Vec::<String>::new());
    stage.assert_closed();
}

#[tokio::test(start_paused = true)]
async fn context_has_a_dialect_that_the_executor_declared() {
    let executor = FakeExecutor::new(|context| {
        assert_eq!(context.dialect, "anthropic-messages");
        assert_eq!((&*context.model, &*context.client_model), ("", ""));
        Ok(plan_raw_request(context))
    });
    let executor = executor
        .planning("http-request")
        .accepting_first("anthropic-messages")
        .accepting_first("of-a-newer-host");
    let stage = Setting::new(1).executor(executor).stage(unused_upstream());
    let prepared = stage
        .dispatcher
        .prepare_http_request(&id("a"), raw("", URL))
        .await;
    assert!(prepared.is_ok(), "{prepared:?}");
}

#[tokio::test(start_paused = true)]
async fn executor_without_a_known_dialect_is_not_used() {
    let executor = FakeExecutor::new(|_| panic!("it was not to plan"));
    let executor = executor
        .planning("http-request")
        .accepting("of-a-newer-host");
    let stage = Setting::new(1).executor(executor).stage(unused_upstream());
    let prepared = stage
        .dispatcher
        .prepare_http_request(&id("a"), raw("", URL))
        .await;
    let error = prepared.unwrap_err();
    assert_eq!(error.code(), Some("misconfigured"), "{error}");
}
