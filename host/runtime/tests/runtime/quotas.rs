//! Executors that declare in which headers their provider reports allowances.

use http::HeaderName;
use jackfield_dispatch::{QuotaHeaders, ResetForm};

use crate::harness::executor;

#[tokio::test]
async fn declared_quotas_are_in_the_descriptor() {
    let header = |name| Some(HeaderName::from_static(name));
    let of_model = QuotaHeaders {
        of_credential: false,
        limit: header("x-acme-tokens-limit"),
        left: header("x-acme-tokens-left"),
        resets: header("x-acme-tokens-resets"),
        form: ResetForm::Seconds,
    };
    let of_credential = QuotaHeaders {
        of_credential: true,
        limit: None,
        left: header("x-acme-5h-left"),
        resets: header("x-acme-5h-resets"),
        form: ResetForm::Rfc3339,
    };
    let executor = executor("quotas").await;
    let descriptor = executor.descriptor();
    assert_eq!(descriptor.quota_headers, [of_model, of_credential]);
    // Without an export there are none.
    let other = crate::harness::executor("sleeps").await;
    assert_eq!(other.descriptor().quota_headers, []);
}
