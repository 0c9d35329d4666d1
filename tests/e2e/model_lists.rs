//! Models that are discovered: Jackfield asks the providers for their lists, and serves what they list.

use jackfield_mock_provider::MockFailure;
use serde_json::{Value, json};

use crate::harness::{Jackfield, Upstream, chat, wait_until};

/// A provider for each API, with credentials whose keys are their ids.
fn providers(upstream: &Upstream, models: &str) -> String {
    let provider = |executor: &str, path: &str| {
        format!(
            "  - name: {executor}\n    executor: {executor}\n    base-url: {}{path}\n    \
             credentials: [ {{ id: key-of-{executor}, api-key: key-of-{executor} }} ]\n    {models}\n",
            upstream.origin()
        )
    };
    let all = [
        provider("openai-compatible", "/v1"),
        provider("anthropic", ""),
        provider("gemini", ""),
    ];
    format!("providers:\n{}", all.concat())
}

/// Returns the ids of the models that clients can use, with who serves them.
async fn served(jackfield: &Jackfield) -> Vec<(String, String)> {
    let url = jackfield.url("/v1/models");
    let listed = jackfield.client.get(url).send().await.unwrap();
    let listed: Value = serde_json::from_slice(&listed.bytes().await.unwrap()).unwrap();
    let models = listed["data"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    models
        .map(|model| (text(&model["id"]), text(&model["owned_by"])))
        .collect()
}

async fn wait_for_models(jackfield: &Jackfield, names: &[&str]) {
    wait_until("the models are served", async || {
        let served = served(jackfield).await;
        served
            .iter()
            .map(|(name, _)| &**name)
            .eq(names.iter().copied())
    })
    .await;
}

#[tokio::test]
async fn models_that_providers_list_are_served_also_after_a_restart() {
    let upstream = Upstream::start(&[]).await;
    let config = providers(&upstream, "models: discover");
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    wait_for_models(&jackfield, &["mock-large", "mock-small"]).await;
    // Each of the three APIs has listed them.
    wait_until("all providers were asked", async || {
        let shown = jackfield.admin("credentials").await;
        let credentials = shown["credentials"].as_array().unwrap().clone();
        let count = |one: &Value| one["models"].as_array().map_or(0, Vec::len);
        credentials.iter().all(|one| count(one) == 2)
    })
    .await;
    let (status, response) = jackfield.call(&chat("mock-large", false, &json!({}))).await;
    assert_eq!(status, 200, "{response}");
    let folder = jackfield.stop().await;
    // The lists of the last run count until there are new ones, which the provider does not send now.
    for executor in ["openai-compatible", "anthropic", "gemini"] {
        let failure = MockFailure {
            status: MockFailure::TOO_MANY_REQUESTS,
            retry_after: None,
        };
        upstream
            .provider
            .fail(&format!("key-of-{executor}"), Some(failure));
    }
    let jackfield = Jackfield::restart(folder).await;
    let names = served(&jackfield).await;
    let names: Vec<&str> = names.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["mock-large", "mock-small"]);
}

#[tokio::test]
async fn patterns_and_a_reload_decide_which_listed_models_are_served() {
    let upstream = Upstream::start(&[]).await;
    let some = "models: [ { name: own, alias: mine } ]\n    discover: { include: [ \"mock-*\" ], exclude: [ \"*-small\" ] }";
    let config = providers(&upstream, some);
    let jackfield = Jackfield::start_in(tempfile::tempdir().unwrap(), &config).await;
    wait_for_models(&jackfield, &["mine", "mock-large", "own"]).await;
    jackfield.configure(&providers(&upstream, "models: [ { name: own } ]"));
    let (status, response) = jackfield.reload().await;
    assert_eq!(status, 200, "{response}");
    wait_for_models(&jackfield, &["own"]).await;
}
