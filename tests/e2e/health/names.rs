//! Names of models, several models behind one name, and calls of the operator that name a credential.

use serde_json::{Value, json};

use super::client::{ClientApi, ClientRequest};
use super::replies::well;
use super::scripted::{Reply, ScriptedProvider};
use super::{ONE, TWO, pool, start};
use crate::harness::TOKEN;

const CHAT: ClientApi = ClientApi::Chat;

/// A call that the operator pins to a credential tests that account, even while it cools.
#[tokio::test]
async fn pinned_call_uses_its_credential() {
    let provider = ScriptedProvider::start(|request| match request.key() {
        "key-a" if !request.contains("test") => Reply::html(401),
        _ => well(request),
    })
    .await;
    let providers = pool(
        "p",
        "openai-compatible",
        &provider.url("/v1"),
        &["key-a", "key-b"],
    );
    let jackfield = start(&providers, "").await;
    let plain = ClientRequest::plain_chat().by(ONE);
    plain.send(&jackfield).await.assert_served_by(CHAT, "key-b");
    let test = ClientRequest::new(CHAT, "m1", "test").by(ONE);
    let pinned = test.with_header("x-jackfield-credential", "key-a");
    let without_token = pinned.send(&jackfield).await;
    assert!(
        [401, 403].contains(&without_token.status),
        "{}",
        without_token.summary()
    );
    let pinned = pinned.with_header("x-jackfield-admin-token", TOKEN);
    pinned
        .send(&jackfield)
        .await
        .assert_served_by(CHAT, "key-a");
    for seen in provider.requests() {
        let names = seen.headers.iter().map(|(name, _)| &**name);
        assert!(names.clone().all(|name| !name.starts_with("x-jackfield")));
    }
}

/// The operator sends any request with the secrets of a credential.
#[tokio::test]
async fn operator_sends_a_request_with_a_credential() {
    let provider = ScriptedProvider::start(|request| match request.path.as_str() {
        "/v1/usage" => Reply::json(200, &json!({ "key": request.key(), "left": 7 })),
        _ => well(request),
    })
    .await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let jackfield = start(&providers, "").await;
    let url = format!("http://{}/admin/v1/http-request", jackfield.admin);
    let body = json!({ "credential": "key-a", "method": "GET", "url": provider.url("/v1/usage") });
    let request = jackfield.client.post(url).body(body.to_string());
    let response = request.bearer_auth(TOKEN).send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["status"], 200, "{text}");
    assert_eq!(provider.requests()[0].key(), "key-a");
    assert!(text.contains("left"), "{text}");
}

/// Two targets of one provider: the second model serves while the first one is missing.
#[tokio::test]
async fn several_models_behind_one_name() {
    let provider = ScriptedProvider::start(|request| {
        if request.json()["model"] == "m1" {
            let error = json!({ "error": { "message": "The model `m1` does not exist.",
                "type": "invalid_request_error", "code": "model_not_found" } });
            return Reply::json(404, &error);
        }
        well(request)
    })
    .await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"]);
    let targets = "models: [ { name: both, targets: [ { provider: p, model: m1, priority: 1 }, \
                   { provider: p, model: m2 } ] } ]\n";
    let jackfield = start(&providers, targets).await;
    for client in [ONE, TWO] {
        let request = ClientRequest::new(CHAT, "both", "hi").by(client);
        request
            .send(&jackfield)
            .await
            .assert_served_by(CHAT, "key-a");
    }
    let models: Vec<Value> = provider
        .requests()
        .iter()
        .map(|seen| seen.json()["model"].clone())
        .collect();
    assert_eq!(models, ["m1", "m2", "m2"]);
}

#[tokio::test]
async fn names_without_regard_to_case() {
    let provider = ScriptedProvider::start(well).await;
    let providers = pool("p", "openai-compatible", &provider.url("/v1"), &["key-a"])
        .replace("{ name: m1 }", "{ name: Big-Model }");
    let jackfield = start(&providers, "").await;
    for name in ["Big-Model", "big-model", "BIG-MODEL"] {
        let response = ClientRequest::new(CHAT, name, "hi")
            .by(ONE)
            .send(&jackfield)
            .await;
        assert!(response.is_served(CHAT), "{name}: {}", response.summary());
    }
    assert!(
        provider
            .requests()
            .iter()
            .all(|seen| seen.json()["model"] == "Big-Model")
    );
    let response = ClientRequest::new(CHAT, "big-modle", "hi")
        .by(ONE)
        .send(&jackfield)
        .await;
    assert_eq!(response.status, 404, "{}", response.summary());
    assert!(
        response.body.contains("Big-Model"),
        "{}",
        response.summary()
    );
}
