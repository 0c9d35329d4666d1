//! Stores the body of a call in its instance. The header `x-seen` has what the call before stored in the
//! same instance. The model selects how it reads: `read`, `at`, or `length`, which reveals no content.

use std::sync::Mutex;

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target, client_body};
use jackfield_test_components::request;

struct ReadsBody;

static SEEN: Mutex<String> = Mutex::new(String::new());

impl Executor for ReadsBody {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let now = match target.model.as_str() {
            "at" => client_body::at("/secret").unwrap_or_default(),
            "length" => client_body::length().to_string(),
            _ => String::from_utf8_lossy(&client_body::read()).into_owned(),
        };
        let before = SEEN
            .lock()
            .map(|mut seen| std::mem::replace(&mut *seen, now.clone()))
            .unwrap_or_default();
        Ok(request(&target)
            .header("x-seen", before.as_bytes())
            .header("x-now", now.as_bytes())
            .relay())
    }
}

jackfield_plugin::export_executor!(ReadsBody);
