//! Several models of one credential under one name.

use std::sync::Arc;

use jackfield_auth::Registration;
use jackfield_credential::Served;

use crate::chat_fixtures::COMPLETION;
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{Setting, Stage, text};

/// Makes the only credential serve two models under the name `model`.
fn stage_of_two_models(upstream: FakeUpstream) -> Stage {
    let setting = Setting::new(1).registered(|registration: &mut Registration| {
        let serve = |upstream| Served::new(upstream, vec![Arc::from("model")]);
        registration.credential.serves = vec![serve("one"), serve("two")];
    });
    setting.executor(FakeExecutor::patching()).stage(upstream)
}

#[tokio::test(start_paused = true)]
async fn goes_on_to_the_other_model_of_the_same_credential() {
    let upstream = FakeUpstream::in_order(vec![
        Script::json(429, "").header("retry-after", "3600"),
        Script::json(200, COMPLETION),
        Script::json(200, COMPLETION),
    ]);
    let stage = stage_of_two_models(upstream);
    for _ in 0..2 {
        text(stage.whole().await).await;
    }
    let models: Vec<String> = (0..3)
        .map(|request| {
            let body: serde_json::Value =
                serde_json::from_slice(&stage.upstream.body_of(request)).unwrap();
            body["model"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_ne!(models[0], models[1]);
    // The second call does not try the model that cools.
    assert_eq!(models[1], models[2]);
}
