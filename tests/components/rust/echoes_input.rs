//! A selector that chooses no candidate. Its reason contains all of its input.

use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector, candidates};
use jackfield_plugin::settings_json;

struct EchoesInput;

impl Selector for EchoesInput {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0")
    }

    fn pick(context: PickContext) -> Choice {
        let columns = [
            format!("{context:?}"),
            settings_json(),
            candidates::len().to_string(),
            format!("{:?}", candidates::identities()),
            format!("{:?}", candidates::weights()),
            format!("{:?}", candidates::in_flight()),
            format!("{:?}", candidates::error_permille()),
            format!("{:?}", candidates::latency_ms()),
            format!("{:?}", candidates::quota_left_permille()),
            format!("{:?}", candidates::quota_reset_ms()),
            format!("{:?}", candidates::last_used_ms()),
            format!("{:?}", candidates::attribute("region")),
        ];
        Choice::None(columns.join("\n"))
    }
}

jackfield_plugin::export_selector!(EchoesInput);
