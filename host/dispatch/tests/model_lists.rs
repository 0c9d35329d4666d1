//! Lists of models that providers are asked for.

use jackfield_credential::CredentialId;
use jackfield_dispatch::limits::DISCOVERED_MODELS_MAX;
use jackfield_dispatch::plan::{PlannedBody, ResponseMode};
use serde_json::json;
use url::Url;

use crate::fake_plugins::{FakeExecutor, planned};
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, Stage};

fn stage(response: Script) -> Stage {
    let executor = FakeExecutor::new(|context| {
        assert_eq!(context.operation, "list-models");
        let mut plan = planned(PlannedBody::Original, ResponseMode::Relay);
        plan.request.url = Url::parse("https://provider.test/v1/models").unwrap();
        Ok(plan)
    });
    let executor = executor.planning("list-models");
    Setting::new(1)
        .executor(executor)
        .stage(FakeUpstream::in_order(vec![response]))
}

async fn listed(response: Script) -> Result<Vec<String>, String> {
    let stage = stage(response);
    let listed = stage.dispatcher.list_models(&CredentialId::from("a")).await;
    assert_eq!(stage.cooling(), Vec::<String>::new());
    stage.assert_closed();
    listed
}

#[tokio::test(start_paused = true)]
async fn lists_the_names_that_are_lines_of_text() {
    let long = "x".repeat(10_000);
    let models = ["a", "", "b/c:free", " d", "e\n", &long].map(|id| json!({ "id": id }));
    let list = json!({ "object": "list", "data": models }).to_string();
    assert_eq!(
        listed(Script::json(200, list)).await,
        Ok(vec!["a".to_owned(), "b/c:free".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn reports_why_there_is_no_list() {
    let many = vec![json!({ "id": "a" }); DISCOVERED_MODELS_MAX + 1];
    let many = json!({ "data": many }).to_string();
    let cases = [
        (
            Script::json(401, "sk-of-a is wrong"),
            "the provider responded with status 401",
        ),
        (
            Script::json(200, "<html>"),
            "invalid response from the provider: it is no list of models",
        ),
        (
            Script::json(200, many),
            "the provider lists 5001 models, and at most 5000 are supported",
        ),
        (
            Script::response(200, "application/json", vec![]).then(Piece::Wait(SECOND * 31)),
            "no complete response within 30 s",
        ),
    ];
    for (response, why) in cases {
        assert_eq!(listed(response).await, Err(why.to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn executors_that_list_no_models_are_named() {
    let stage = Setting::new(1).stage(FakeUpstream::in_order(vec![]));
    let listed = stage.dispatcher.list_models(&CredentialId::from("a")).await;
    let why = listed.unwrap_err();
    assert!(
        why.contains("fake-executor") && why.contains("list-models"),
        "{why}"
    );
    let listed = stage
        .dispatcher
        .list_models(&CredentialId::from("unknown"))
        .await;
    assert!(listed.unwrap_err().contains("unknown"));
}
