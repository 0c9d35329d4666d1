//! The admin API, and the probes.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{Jackfield, TOKEN, Upstream, chat};

#[tokio::test]
async fn rejects_requests_without_the_token() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    for path in ["plugins", "credentials", "nowhere"] {
        let url = format!("http://{}/admin/v1/{path}", jackfield.admin);
        for invalid in [None, Some(""), Some("wrong"), Some(&TOKEN[1..])] {
            let mut request = jackfield.client.get(&url);
            if let Some(token) = invalid {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            assert_eq!(
                response.status(),
                StatusCode::UNAUTHORIZED,
                "{path} {invalid:?}"
            );
        }
    }
    // Nor is the admin API reachable where clients are.
    let request = jackfield
        .client
        .get(jackfield.url("/admin/v1/plugins"))
        .bearer_auth(TOKEN);
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn credentials_show_their_health_and_no_secret() {
    let upstream = Upstream::start(&["secret-of-a"]).await;
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "providers:\n  - name: practice\n    executor: openai-compatible\n    base-url: http://{}/v1\n    \
         credentials: [ {{ id: a, api-key: secret-of-a }}, {{ id: b, api-key: secret-of-b }} ]\n    \
         models: [ {{ name: gpt-practice }} ]\n",
        upstream.address
    );
    let jackfield = Jackfield::start_in(folder, &config).await;
    for _ in 0..2 {
        let (status, _) = jackfield
            .call(&chat("gpt-practice", false, &json!({})))
            .await;
        assert_eq!(status, 200);
    }
    let shown = jackfield.admin("credentials").await;
    assert!(!shown.to_string().contains("secret-of"), "{shown}");
    let credentials = shown["credentials"].as_array().unwrap();
    assert_eq!(credentials[0]["id"], "a");
    assert_eq!(credentials[0]["health"]["state"], "ready");
    assert_eq!(credentials[1]["health"]["state"], "cooling");
    assert_eq!(credentials[1]["health"]["cause"]["kind"], "authentication");
    assert_eq!(shown["leases"]["open"], 0);
    let plugins = jackfield.admin("plugins").await;
    assert!(!plugins.to_string().contains("secret-of"), "{plugins}");
}

#[tokio::test]
async fn explains_a_call_by_its_request_id() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    let response = jackfield
        .client
        .post(jackfield.url("/v1/chat/completions"))
        .body(r#"{"model":"practice","messages":[{"role":"user","content":"hi"}]}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let id = response.headers()["x-jackfield-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    response.bytes().await.unwrap();
    let record = jackfield.admin(&format!("requests/{id}")).await;
    let attempt = record["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["step"] == "attempt");
    assert_eq!(attempt.unwrap()["credential"], "practice-key-a", "{record}");
    assert_eq!(record["outcome"]["outcome"], "completed", "{record}");
    let listed = jackfield.admin("requests").await;
    assert_eq!(listed["requests"][0]["id"], json!(id));
}

#[tokio::test]
async fn serves_probes_and_models() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    for path in ["/healthz", "/readyz"] {
        let response = jackfield
            .client
            .get(jackfield.url(path))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
    }
    let models = jackfield
        .client
        .get(jackfield.url("/v1/models"))
        .send()
        .await
        .unwrap();
    let models: serde_json::Value = serde_json::from_str(&models.text().await.unwrap()).unwrap();
    let names: Vec<&str> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["gpt-practice", "practice"]);
}

#[tokio::test]
async fn unloaded_executor_makes_the_host_unready() {
    let upstream = Upstream::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let providers = crate::harness::provider("practice", "nowhere", &upstream, &["key-a"]);
    let jackfield = Jackfield::start_in(folder, &format!("providers:\n{providers}")).await;
    let response = jackfield
        .client
        .get(jackfield.url("/readyz"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    let reason = response.text().await.unwrap();
    assert!(
        reason.contains("executor `nowhere` is not loaded"),
        "{reason}"
    );
    let (status, error) = jackfield.call(&chat("practice", false, &json!({}))).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (500, &json!("executor_not_found")),
        "{error}"
    );
}
