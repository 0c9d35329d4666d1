//! Real responses, classified by the built-in executors: the cases of `tests/cases/health`. The unit tests
//! of `host/dispatch` run those of executors that leave errors to the host, and first errors of streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use jackfield_dispatch::plan::Context;
use jackfield_dispatch::port::{Executor, ResponseHead};
use jackfield_test_support::health::{self, Classified, HealthCase};
use jackfield_test_support::plugin;

use crate::harness::{as_executor, context, load};

#[tokio::test]
async fn built_in_executors_classify_real_responses() {
    let cases = health::cases().expect("the cases");
    let mut executors: BTreeMap<String, Arc<dyn Executor>> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in cases {
        let name = case.executor.clone();
        if !executors.contains_key(&name) {
            let loaded = as_executor(&load(&name, plugin(&name)).await);
            executors.insert(name.clone(), loaded);
        }
        let executor = &executors[&name];
        if executor.descriptor().judges_errors && !(200..300).contains(&case.status) {
            failures.extend(classify(&**executor, &case).await.err());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn classify(executor: &dyn Executor, case: &HealthCase) -> Result<(), String> {
    let dialects = executor.descriptor().dialects.iter();
    let known = [
        "anthropic-messages",
        "gemini",
        "openai-chat",
        "openai-responses",
    ];
    let dialect = known.into_iter().find(|known| *known == case.dialect);
    let dialect = dialect.expect("a dialect");
    assert!(dialects.clone().any(|name| name == dialect), "{case:?}");
    let context = Context {
        now_ms: case.now_ms,
        dialect,
        ..context("m")
    };
    let header = |(name, value): &(String, String)| {
        let name: HeaderName = name.parse().expect("a name");
        (name, value.parse::<HeaderValue>().expect("a value"))
    };
    let head = ResponseHead {
        status: StatusCode::from_u16(case.status).expect("a status"),
        headers: case.headers.iter().map(header).collect(),
    };
    let body = Bytes::from(case.body.clone());
    let judged = executor.judge(&context, &Bytes::new(), &head, &body).await;
    let failure = judged.expect("a failure").failure;
    case.check(&Classified {
        scope: failure.scope.label(),
        kind: &failure.kind,
        retry_after: failure.retry_after,
        refresh_suggested: failure.refresh_suggested,
        message: &failure.message,
    })
}
