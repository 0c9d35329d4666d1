//! Remembered plans: when the guest is not called again, and that no plan is used for a call for which the
//! guest would plan another.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use jackfield_credential::Credential;
use jackfield_dispatch::ClientDigest;
use jackfield_dispatch::plan::{Context, Planned};
use jackfield_dispatch::port::Executor;
use jackfield_runtime::Plugin;
use jackfield_runtime::limits::{PLAN_VARIANTS_MAX, PLANS_MAX};
use jackfield_test_support::{guest, plugin};

use crate::harness::{
    CapturedLog, as_executor, context, head, header, load, load_remembering, wait_until,
};

type Headers = [(&'static str, &'static str)];

fn digest(client: &str) -> ClientDigest {
    let mut hasher = DefaultHasher::new();
    client.hash(&mut hasher);
    ClientDigest::new(hasher.finish())
}

/// The call of a client with these headers.
fn call(client: &str, model: &str, headers: &Headers) -> Context {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    Context {
        principal: Some(Arc::from(client)),
        client: digest(client),
        headers: Arc::new(map),
        ..context(model)
    }
}

async fn prepare(executor: &dyn Executor, context: &Context, body: &str) -> Planned {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let planned = executor.prepare(context, &body).await;
    planned.unwrap_or_else(|rejection| panic!("no plan: {rejection:?}"))
}

/// What the guest read for a plan.
async fn read(executor: &dyn Executor, context: &Context, body: &str) -> String {
    let planned = prepare(executor, context, body).await;
    header(&planned, "x-read").to_owned()
}

async fn remembers() -> (Plugin, Arc<dyn Executor>) {
    let plugin = load_remembering("remembers", guest("remembers")).await;
    let executor = as_executor(&plugin);
    (plugin, executor)
}

/// Nothing of a client was read, so the plan is every client's, whatever they send.
#[tokio::test]
async fn calls_the_guest_once_for_a_target() {
    let (plugin, executor) = remembers().await;
    for (number, client) in ["a", "b", "c", "a"].into_iter().enumerate() {
        let context = Context {
            attempt: u32::try_from(number).unwrap(),
            now_ms: 7,
            session: Some(number as u64),
            ..call(client, "m", &[("user-agent", "x/1"), ("x-a", "1")])
        };
        let planned = prepare(&*executor, &context, "{\"a\": 1}").await;
        assert_eq!(planned.is_remembered(), number > 0);
        assert_eq!(planned.request.forward_headers[0], "user-agent");
    }
    let counts = plugin.counts();
    assert_eq!((counts.calls, counts.plans, counts.faults), (1, 1, 0));
    let other = Context {
        stream: true,
        ..context("m")
    };
    assert!(!prepare(&*executor, &other, "{}").await.is_remembered());
}

#[tokio::test]
async fn calls_the_guest_each_time_if_turned_off() {
    let plugin = load("remembers", guest("remembers")).await;
    let executor = as_executor(&plugin);
    for _ in 0..3 {
        assert!(
            !prepare(&*executor, &context("m"), "{}")
                .await
                .is_remembered()
        );
    }
    assert_eq!((plugin.counts().calls, plugin.counts().plans), (3, 0));
}

#[tokio::test]
async fn what_differs_in_each_call_is_never_remembered() {
    let (plugin, executor) = remembers().await;
    for model in ["body", "time", "wasi-clock", "large"] {
        for _ in 0..2 {
            let planned = prepare(&*executor, &context(model), "{}").await;
            assert!(!planned.is_remembered(), "{model}");
        }
    }
    for _ in 0..2 {
        let refused = executor.prepare(&context("refuses"), &Bytes::new()).await;
        refused.unwrap_err();
    }
    assert_eq!((plugin.counts().calls, plugin.counts().plans), (10, 0));
}

#[tokio::test]
async fn two_clients_with_different_headers_get_their_own_plans() {
    let (plugin, executor) = remembers().await;
    let first = call("a", "two-headers", &[("x-a", "1"), ("x-b", "2")]);
    let second = call("b", "two-headers", &[("x-a", "3")]);
    for _ in 0..3 {
        let (one, two) = tokio::join!(
            read(&*executor, &first, "{}"),
            read(&*executor, &second, "{}")
        );
        assert_eq!((&*one, &*two), ("1,2", "3"));
    }
    assert_eq!(plugin.counts().calls, 2);
    // The values of another client do not find its plan.
    let same_values = call("b", "two-headers", &[("x-a", "1"), ("x-b", "2")]);
    let planned = prepare(&*executor, &same_values, "{}").await;
    assert!(!planned.is_remembered());
    // A value that is missing is a value, too.
    assert_eq!(
        read(&*executor, &call("a", "two-headers", &[]), "{}").await,
        ""
    );
    assert_eq!(plugin.counts().calls, 4);
}

/// What a guest has of one client in its memory never reaches another: the instance is dropped.
#[tokio::test]
async fn a_header_in_a_global_reaches_no_other_client() {
    let (plugin, executor) = remembers().await;
    for round in 0..10 {
        let secretive = call("a", "global", &[("x-a", "of a")]);
        assert_eq!(read(&*executor, &secretive, "{}").await, "of a");
        for client in ["b", "c"] {
            let context = call(client, "global", &[]);
            let other = Context {
                client_model: Arc::from(format!("spelling {round}")),
                ..context
            };
            assert_eq!(read(&*executor, &other, "{}").await, "", "{client}");
            let plain = Context {
                client_model: Arc::from(format!("spelling {round}")),
                ..call(client, "m", &[])
            };
            assert_eq!(read(&*executor, &plain, "{}").await, "", "{client}");
        }
    }
    assert_eq!(plugin.counts().faults, 0);
}

#[tokio::test]
async fn depends_on_values_of_the_body_the_session_and_the_client() {
    let (plugin, executor) = remembers().await;
    let pointer = context("pointer");
    for (body, user) in [
        (r#"{"user": "x", "n": 1}"#, "\"x\""),
        (r#"{"n": 2, "user": "x"}"#, "\"x\""),
        (r#"{"user": "y"}"#, "\"y\""),
        ("{}", ""),
        ("no JSON", ""),
    ] {
        assert_eq!(read(&*executor, &pointer, body).await, user);
    }
    assert_eq!(plugin.counts().calls, 3);
    for (session, text) in [(Some(1), "Some(1)"), (None, "None"), (Some(1), "Some(1)")] {
        let context = Context {
            session,
            ..context("session")
        };
        assert_eq!(read(&*executor, &context, "{}").await, text);
    }
    for client in ["a", "b", "a"] {
        let context = call(client, "client", &[]);
        assert_eq!(read(&*executor, &context, "{}").await, client);
    }
    assert_eq!(plugin.counts().calls, 7);
}

/// A plan that was made with settings of before a reload is found by no call with the new ones.
#[tokio::test]
async fn a_change_of_settings_is_seen_at_once() {
    let (_plugin, executor) = remembers().await;
    let with = |settings: &str| Context {
        settings: Arc::from(settings),
        ..context("m")
    };
    let (old, new) = (with("{\"v\":1}"), with("{\"v\":2}"));
    let nothing = Bytes::new();
    // The old call goes on after the change, and so its plan is remembered after that of the new one.
    let late = executor.prepare(&old, &nothing);
    assert_eq!(
        header(&prepare(&*executor, &new, "").await, "x-settings"),
        "{\"v\":2}"
    );
    late.await.unwrap();
    for (context, settings) in [
        (&new, "{\"v\":2}"),
        (&old, "{\"v\":1}"),
        (&new, "{\"v\":2}"),
    ] {
        let planned = prepare(&*executor, context, "").await;
        assert!(planned.is_remembered());
        assert_eq!(header(&planned, "x-settings"), settings);
    }
}

#[tokio::test]
async fn a_refresh_and_a_new_attribute_are_seen_at_once() {
    let (_plugin, executor) = remembers().await;
    let with = |change: &dyn Fn(&mut Credential)| {
        let context = context("m");
        let mut credential = Credential::clone(&context.credential);
        change(&mut credential);
        Context {
            credential: Arc::new(credential),
            ..context
        }
    };
    let key = with(&|_| ());
    let token = with(&|credential| credential.secret_fields.push("access-token".to_owned()));
    let attribute = with(&|credential| {
        let region = ("region".to_owned(), "eu".to_owned());
        credential.attributes.extend([region]);
    });
    let base_url = with(&|credential| credential.base_url = Arc::from("https://other.invalid/v1"));
    for remembered in [false, true] {
        for (context, secret, region, host) in [
            (&key, "api-key", "", "acme.invalid"),
            (&token, "access-token", "", "acme.invalid"),
            (&attribute, "api-key", "eu", "acme.invalid"),
            (&base_url, "api-key", "", "other.invalid"),
        ] {
            let planned = prepare(&*executor, context, "{}").await;
            assert_eq!(planned.is_remembered(), remembered);
            assert_eq!(planned.request.secrets[0].0, secret);
            assert_eq!(header(&planned, "x-region"), region);
            assert_eq!(planned.request.url.host_str(), Some(host));
        }
    }
    // The same values in another allocation are the same credential: a reload forgets nothing.
    assert!(
        prepare(&*executor, &with(&|_| ()), "{}")
            .await
            .is_remembered()
    );
}

#[tokio::test]
async fn two_providers_with_one_executor_get_their_own_plans() {
    let (_plugin, executor) = remembers().await;
    let of = |provider: &str, base_url: &str| Context {
        credential: Arc::new(Credential::new("same-id", provider, base_url)),
        ..context("m")
    };
    let (one, two) = (
        of("one", "https://one.invalid"),
        of("two", "https://two.invalid"),
    );
    for _ in 0..2 {
        for (context, host) in [(&one, "one.invalid"), (&two, "two.invalid")] {
            let planned = prepare(&*executor, context, "{}").await;
            assert_eq!(planned.request.url.host_str(), Some(host));
        }
    }
}

/// A client invents spellings of a model's name: the bound holds, and the plans of the others stay.
#[tokio::test]
async fn spellings_of_a_model_push_out_only_their_own_clients_plans() {
    let (plugin, executor) = remembers().await;
    let victim = call("victim", "two-headers", &[("x-a", "1")]);
    prepare(&*executor, &victim, "{}").await;
    for number in 0..PLANS_MAX + 100 {
        let context = Context {
            client_model: Arc::from(format!("m{number}")),
            ..call("inventive", "m", &[])
        };
        prepare(&*executor, &context, "{}").await;
    }
    assert_eq!(plugin.counts().plans, PLANS_MAX);
    assert!(prepare(&*executor, &victim, "{}").await.is_remembered());
    for number in 0..20 {
        let agent = format!("agent {number}");
        let mut context = call("variable", "two-headers", &[]);
        let mut headers = HeaderMap::new();
        headers.insert("x-a", agent.parse().unwrap());
        context.headers = Arc::new(headers);
        prepare(&*executor, &context, "{}").await;
    }
    let before = plugin.counts().calls;
    for number in (0..20).rev().take(PLAN_VARIANTS_MAX) {
        let mut context = call("variable", "two-headers", &[]);
        let mut headers = HeaderMap::new();
        headers.insert("x-a", format!("agent {number}").parse().unwrap());
        context.headers = Arc::new(headers);
        assert!(prepare(&*executor, &context, "{}").await.is_remembered());
    }
    assert_eq!(plugin.counts().calls, before);
}

/// Its plans depend on its memory. The proof of the first use finds it, and nothing is remembered any more.
#[tokio::test]
async fn a_guest_with_a_counter_is_found_out() {
    let (log, _guard) = CapturedLog::capture();
    let plugin = load_remembering("counts", guest("counts")).await;
    let executor = as_executor(&plugin);
    for (model, calls) in [("m1", "1"), ("m2", "2"), ("m2", "2")] {
        let planned = prepare(&*executor, &context(model), "").await;
        assert_eq!(header(&planned, "x-calls"), calls);
    }
    wait_until("the proof fails", || plugin.counts().faults == 1).await;
    assert_eq!(plugin.counts().plans, 0);
    let planned = prepare(&*executor, &context("m2"), "").await;
    assert!(!planned.is_remembered());
    let lines = log.lines_with("`request.headers` differs");
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[tokio::test]
async fn a_plan_that_did_not_fit_is_forgotten() {
    let (plugin, executor) = remembers().await;
    let context = context("patch");
    prepare(&*executor, &context, "{\"temperature\": 0}").await;
    assert!(prepare(&*executor, &context, "{}").await.is_remembered());
    let body = Bytes::from_static(b"{}");
    let again = executor.prepare_again(&context, &body).await;
    assert!(!again.unwrap().is_remembered());
    assert_eq!((plugin.counts().calls, plugin.counts().plans), (2, 0));
}

/// A thousand sessions whose user agent, session id, idempotency key and body all differ.
#[tokio::test]
async fn most_plans_of_a_thousand_sessions_are_remembered() {
    let built_in = load_remembering("anthropic", plugin("anthropic")).await;
    let anthropic = as_executor(&built_in);
    let (reading, reads) = remembers().await;
    for number in 0..1_000_u64 {
        let body = format!(r#"{{"model":"m","messages":[{number}]}}"#);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("user-agent", format!("claude-cli/{number}")),
            ("x-claude-code-session-id", format!("session-{number}")),
            ("idempotency-key", format!("key-{number}")),
            ("anthropic-beta", format!("beta-{}", number % 4)),
            ("x-a", format!("{}", number % 4)),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let session = Context {
            dialect: "anthropic-messages",
            client: ClientDigest::new(1 + number % 5),
            headers: Arc::new(headers),
            session: Some(number),
            ..context("m")
        };
        prepare(&*anthropic, &session, &body).await;
        let mut token = Credential::clone(&session.credential);
        token.secret_fields = vec!["access-token".to_owned()];
        let with_token = Context {
            credential: Arc::new(token),
            ..session.clone()
        };
        prepare(&*anthropic, &with_token, &body).await;
        let two_headers = Context {
            model: Arc::from("two-headers"),
            ..session
        };
        prepare(&*reads, &two_headers, &body).await;
    }
    // One plan with an API key, and with a token one for each client and its betas.
    assert_eq!(built_in.counts().calls, 1 + 20);
    assert_eq!(reading.counts().calls, 20);
}

/// An instance that has judged a response is dropped, so it plans nothing for another client.
#[tokio::test]
async fn plans_come_from_clean_instances() {
    let plugin = load_remembering("counts", guest("counts")).await;
    let executor = as_executor(&plugin);
    let nothing = Bytes::new();
    let (context, failed) = (context("m"), head(500, &[]));
    let judged = executor.judge(&context, &nothing, &failed, &nothing);
    judged.await.unwrap();
    let planned = prepare(&*executor, &context, "").await;
    assert_eq!(header(&planned, "x-calls"), "1");
}
