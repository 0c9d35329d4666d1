//! What a plugin can see is derived from its imports and exports, and can be required.

use jackfield_runtime::{Origin, PluginPolicies, Registry, Requirement};
use jackfield_test_support::{GuestKind, example_guest, guest, plugin};

use crate::harness::{engine, load};

async fn sees(name: &str, component: Vec<u8>) -> Vec<&'static str> {
    load(name, component).await.sees().words().collect()
}

#[tokio::test]
async fn shows_what_a_component_imports_and_exports() {
    for (name, component, expected) in [
        ("openai-compatible", plugin("openai-compatible"), &[][..]),
        ("openai", plugin("openai"), &["error-bodies"]),
        (
            "anthropic",
            plugin("anthropic"),
            &["client-headers", "error-bodies"],
        ),
        ("gemini", plugin("gemini"), &["body", "error-bodies"]),
        ("round-robin", plugin("round-robin"), &["client-identity"]),
        ("logs_a_lot", guest("logs_a_lot"), &["log"]),
        ("counts", guest("counts"), &["error-bodies", "responses"]),
        (
            "remembers",
            guest("remembers"),
            &["client-headers", "client-identity", "body"],
        ),
    ] {
        assert_eq!(sees(name, component).await, expected, "{name}");
    }
}

/// A scripting language imports all that its world has.
#[tokio::test]
async fn shows_the_world_of_a_scripting_language() {
    let component = example_guest("javascript", GuestKind::Executor);
    let all = [
        "client-headers",
        "client-identity",
        "body",
        "error-bodies",
        "responses",
        "log",
    ];
    assert_eq!(sees("javascript", component).await, all);
}

#[tokio::test]
async fn refuses_a_plugin_that_sees_more_than_allowed() {
    let policies = PluginPolicies {
        require: vec![Requirement::ContentBlind],
        ..PluginPolicies::default()
    };
    let registry = Registry::with_policies(engine(), policies);
    for name in ["openai-compatible", "round-robin"] {
        let loaded = registry.load(name, plugin(name), Origin::BuiltIn).await;
        loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let refused = registry
        .load("gemini", plugin("gemini"), Origin::BuiltIn)
        .await;
    let message = refused.unwrap_err().to_string();
    assert_eq!(
        message,
        "`plugins-require` has `content-blind`, but by its imports and exports it can see: body, \
         error-bodies"
    );
    let status = registry.status();
    let gemini = status.iter().find(|plugin| &*plugin.name == "gemini");
    assert_eq!(gemini.unwrap().problem.as_deref(), Some(&*message));
}
