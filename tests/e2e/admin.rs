//! Tests the admin API, and the health probes.

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
    // The clients' listener must not serve the admin API.
    let request = jackfield
        .client
        .get(jackfield.url("/admin/v1/plugins"))
        .bearer_auth(TOKEN);
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}

/// Method, path, body, status and code.
const WRONG_REQUESTS: [(&str, &str, &str, u16, &str); 13] = [
    ("POST", "credentials", "{", 400, "invalid_request"),
    ("GET", "credentials/%ff", "", 400, "invalid_request"),
    ("GET", "credentials/x", "", 404, "credential_not_found"),
    (
        "POST",
        "credentials/x/refresh",
        "",
        404,
        "credential_not_found",
    ),
    ("POST", "plugins/x/rollback", "", 404, "plugin_not_found"),
    (
        "POST",
        "plugins/openai/rollback",
        "",
        409,
        "no_previous_version",
    ),
    (
        "POST",
        "plugins/openai/rollback",
        r#"{"to":7}"#,
        409,
        "generation_not_held",
    ),
    (
        "POST",
        "plugins/openai/rollback",
        r#"{"too":7}"#,
        400,
        "invalid_request",
    ),
    ("POST", "plugins/x/unload", "", 404, "plugin_not_found"),
    (
        "POST",
        "plugins/openai/unload",
        "",
        409,
        "plugin_still_there",
    ),
    ("GET", "requests/x", "", 404, "request_not_found"),
    ("GET", "nowhere", "", 404, "not_found"),
    ("POST", "plugins", "", 405, "method_not_allowed"),
];

#[tokio::test]
async fn errors_are_json_with_a_code() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    let large = " ".repeat(jackfield_admin::limits::BODY_BYTES_MAX + 1);
    let too_large = ["credentials", "reload"];
    let too_large = too_large.map(|path| ("POST", path, large.as_str(), 413, "payload_too_large"));
    for (method, path, body, status, code) in too_large.into_iter().chain(WRONG_REQUESTS) {
        let url = format!("http://{}/admin/v1/{path}", jackfield.admin);
        let response = jackfield
            .client
            .request(method.parse().unwrap(), url)
            .bearer_auth(TOKEN)
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        let text = response.text().await.unwrap();
        let error: jackfield_admin::types::ErrorResponse = serde_json::from_str(&text).unwrap();
        assert_eq!(error.error.code, code, "{method} {path}: {text}");
    }
}

#[tokio::test]
async fn credentials_show_their_health_and_no_secret() {
    let upstream = Upstream::start(&["secret-of-a"]).await;
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "providers:\n  - name: mock\n    executor: openai-compatible\n    base-url: http://{}/v1\n    \
         credentials: [ {{ id: a, api-key: secret-of-a }}, {{ id: b, api-key: secret-of-b }} ]\n    \
         models: [ {{ name: gpt-mock }} ]\n",
        upstream.address
    );
    let jackfield = Jackfield::start_in(folder, &config).await;
    for _ in 0..2 {
        let (status, _) = jackfield.call(&chat("gpt-mock", false, &json!({}))).await;
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
    let plugins: jackfield_admin::types::PluginList = serde_json::from_value(plugins).unwrap();
    let serving = plugins.plugins.iter().find_map(|plugin| {
        let used = plugin.name == "openai-compatible";
        used.then_some(plugin.serving.as_ref()).flatten()
    });
    assert!(serving.unwrap().instances.created > 0, "{plugins:?}");
}

#[tokio::test]
async fn explains_a_call_by_its_request_id() {
    let upstream = Upstream::start(&[]).await;
    let jackfield = Jackfield::start(&upstream, &["key-a"], "").await;
    let response = jackfield
        .client
        .post(jackfield.url("/v1/chat/completions"))
        .body(r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#)
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
    assert_eq!(attempt.unwrap()["credential"], "mock-key-a", "{record}");
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
    assert_eq!(names, ["gpt-mock", "mock"]);
}

#[tokio::test]
async fn unloaded_executor_makes_the_host_unready() {
    let upstream = Upstream::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let providers = crate::harness::provider("mock", "nowhere", &upstream, &["key-a"]);
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
    let (status, error) = jackfield.call(&chat("mock", false, &json!({}))).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (500, &json!("executor_not_found")),
        "{error}"
    );
}
