//! Decides when tokens are refreshed: in the last tenth of a token's life, and never if the credential's
//! attribute `pinned` is `yes`. Leaves it to the host if the end of the token is unknown. Traps if it has
//! settings.

use jackfield_plugin::executor::{
    Credential, Descriptor, Executor, Failure, Plan, Refresh, Target,
};
use jackfield_plugin::settings_json;
use jackfield_test_components::request;

struct EvaluatesRefresh;

impl Executor for EvaluatesRefresh {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat").operation("refresh")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        Ok(request(&target).relay())
    }
}

impl Refresh for EvaluatesRefresh {
    fn due(credential: Credential, now_ms: u64) -> Option<bool> {
        assert_eq!(settings_json(), "{}", "it has no settings");
        if credential.attribute("pinned") == Some("yes") {
            return Some(false);
        }
        let (begin, end) = (
            credential.token_refreshed_at_ms()?,
            credential.token_expires_at_ms()?,
        );
        Some(end.saturating_sub(now_ms) * 10 <= end.saturating_sub(begin))
    }
}

jackfield_plugin::export_executor!(EvaluatesRefresh, refresh);
