//! Declares the headers of its provider's allowances: of the model, and of the credential.

use jackfield_plugin::executor::{
    Descriptor, Executor, Failure, Plan, QuotaHeaders, Quotas, ResetForm, Target,
};
use jackfield_test_components::request;

struct Declares;

impl Executor for Declares {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        Ok(request(&target).relay())
    }
}

impl Quotas for Declares {
    fn quota_headers() -> Vec<QuotaHeaders> {
        let row = |scope: &str, unit: &str, limit: &str, form| QuotaHeaders {
            scope: scope.to_owned(),
            unit: unit.to_owned(),
            limit: limit.to_owned(),
            left: format!("x-acme-{unit}-left"),
            resets: format!("x-acme-{unit}-resets"),
            form,
        };
        vec![
            row("model", "tokens", "x-acme-tokens-limit", ResetForm::Seconds),
            row("credential", "5h", "", ResetForm::Rfc3339),
        ]
    }
}

jackfield_plugin::export_executor!(Declares, quotas);
