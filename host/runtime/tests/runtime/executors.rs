//! The built-in executors, as components: their plans, and their classification of error responses. Each
//! executor has a file with tables of cases. This file runs the tables.

#[path = "executors/anthropic.rs"]
mod anthropic;
#[path = "executors/bedrock.rs"]
mod bedrock;
#[path = "executors/gemini.rs"]
mod gemini;
#[path = "executors/gemini_errors.rs"]
mod gemini_errors;
#[path = "executors/openai.rs"]
mod openai;
#[path = "executors/openai_compatible.rs"]
mod openai_compatible;
#[path = "executors/shared.rs"]
mod shared;
#[path = "executors/vertex.rs"]
mod vertex;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jackfield_credential::{Credential, Scope};
use jackfield_dialect::json;
use jackfield_dispatch::plan::{
    Context, Plan, PlannedBody, PlannedRequest, ResponseMode, SecretPlace,
};
use jackfield_dispatch::port::{Executor, Rejection};
use jackfield_test_support::plugin;

use crate::harness::{as_executor, context, head, load};

async fn built_in(name: &str) -> Arc<dyn Executor> {
    as_executor(&load(name, plugin(name)).await)
}

/// The input of an executor, and the expected plan.
#[derive(Clone, Copy)]
struct PlanCase {
    name: &'static str,
    operation: &'static str,
    dialect: &'static str,
    base_url: &'static str,
    model: &'static str,
    /// The client's name for the model; empty if it is the provider's.
    client_model: &'static str,
    stream: bool,
    secrets: &'static [&'static str],
    attributes: &'static [(&'static str, &'static str)],
    settings: &'static str,
    headers: &'static [(&'static str, &'static str)],
    options: &'static [(&'static str, &'static str)],
    query: &'static [(&'static str, &'static str)],
    body: &'static str,
    /// The plan or the failure, in the form of [`describe_plan`]. Leading spaces of lines are ignored.
    expect: &'static str,
}

/// The defaults of a case.
const PLAN_CASE: PlanCase = PlanCase {
    name: "",
    operation: "generate",
    dialect: "openai-chat",
    base_url: "https://acme.invalid/v1",
    model: "m",
    client_model: "",
    stream: false,
    secrets: &["api-key"],
    attributes: &[],
    settings: "{}",
    headers: &[],
    options: &[],
    query: &[],
    body: "{}",
    expect: "",
};

impl PlanCase {
    fn context(&self) -> Context {
        let client_model = match self.client_model {
            "" => self.model,
            name => name,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            let name = HeaderName::from_static(name);
            headers.append(name, HeaderValue::from_static(value));
        }
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let option = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        let credential = Credential {
            secret_fields: self.secrets.iter().map(|name| (*name).to_owned()).collect(),
            attributes: self.attributes.iter().map(owned).collect(),
            ..Credential::new("acme-a", "acme", self.base_url)
        };
        Context {
            operation: self.operation,
            dialect: self.dialect,
            client_model: Arc::from(client_model),
            stream: self.stream,
            headers: Arc::new(headers),
            credential: Arc::new(credential),
            settings: Arc::from(self.settings),
            options: self.options.iter().map(option).collect(),
            query: self.query.to_vec(),
            ..context(self.model)
        }
    }
}

/// Runs the cases of a table. Fails with all cases that have another result than expected.
async fn check_plans(executor: &str, cases: &[PlanCase]) {
    let executor = built_in(executor).await;
    let mut failures = String::new();
    for case in cases {
        let body = Bytes::from_static(case.body.as_bytes());
        let found = match executor.prepare(&case.context(), &body).await {
            Ok(plan) => describe_plan(&plan, &case.context(), &body),
            Err(Rejection::Refused(refusal)) => {
                let failure = refusal.failure;
                let (scope, kind) = (failure.scope.label(), failure.kind);
                format!("refused {scope} {kind}: {}", failure.message)
            }
            Err(Rejection::Fault(fault)) => panic!("{}: {fault}", case.name),
        };
        let lines = case.expect.lines().map(str::trim);
        let expected: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let expected = expected.join("\n");
        if found.trim_end() != expected {
            failures += &format!("{}:\nexpected\n{expected}\nfound\n{found}\n", case.name);
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// The headers of a planned request, with those of the client that the host adds.
fn sent_headers(request: &PlannedRequest, context: &Context) -> HeaderMap {
    let mut sent = request.headers.clone();
    let is_raw = context.operation == "http-request";
    for name in context.headers.keys() {
        let mut patterns = request.forward_headers.iter();
        let is_forwarded = patterns.any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.as_str().starts_with(prefix),
            None => name.as_str() == pattern,
        });
        if is_forwarded || (is_raw && !request.headers.contains_key(name)) {
            sent.remove(name);
            for value in context.headers.get_all(name) {
                sent.append(name, value.clone());
            }
        }
    }
    sent
}

/// Returns a plan as text, one line for each part.
fn describe_plan(plan: &Plan, context: &Context, original: &Bytes) -> String {
    let request = &plan.request;
    let mut url = request.url.clone();
    for (name, value) in &context.query {
        if request
            .forward_query
            .iter()
            .any(|forwarded| forwarded == name)
        {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    let mut lines = vec![format!("{} {url}", request.method)];
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        format!("{name}: {value}")
    };
    let sent = sent_headers(request, context);
    let mut headers: Vec<String> = sent.iter().map(header).collect();
    headers.sort();
    lines.extend(headers);
    for (secret, place) in &request.secrets {
        let place = match place {
            SecretPlace::Bearer => "bearer".to_owned(),
            SecretPlace::Header { name, prefix } => format!("header {name}{prefix}"),
            other => format!("{other:?}"),
        };
        lines.push(format!("secret {secret} as {place}"));
    }
    lines.push(match &request.body {
        PlannedBody::Empty => "no body".to_owned(),
        PlannedBody::Original => "body unchanged".to_owned(),
        PlannedBody::Bytes(bytes) => format!("body written {}", String::from_utf8_lossy(bytes)),
        PlannedBody::Patched(patches) => {
            let patched = json::apply(original, patches).expect("patches that fit");
            format!("body {}", String::from_utf8_lossy(&patched))
        }
    });
    let captures = plan.captures.iter();
    lines.extend(captures.map(|(pointer, into)| format!("captures {pointer} into {into}")));
    if plan.response_mode != ResponseMode::Relay {
        lines.push(format!("{:?}", plan.response_mode));
    }
    lines.join("\n")
}

/// An error response of a provider, and the expected failure.
#[derive(Clone, Copy)]
struct ErrorCase {
    name: &'static str,
    now_ms: u64,
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    scope: Scope,
    kind: &'static str,
    retry_after_ms: Option<u64>,
    /// A part of the message.
    message_part: &'static str,
    /// A part of the body that the executor writes for clients; empty if it leaves the provider's.
    body_part: &'static str,
}

/// The defaults of a case.
const ERROR_CASE: ErrorCase = ErrorCase {
    name: "",
    now_ms: 1_766_000_000_000, // 17 December 2025, 19:33:20 UTC
    status: 400,
    headers: &[],
    body: "",
    scope: Scope::Request,
    kind: "invalid",
    retry_after_ms: None,
    message_part: "",
    body_part: "",
};

/// Classifies the error responses of a table. Fails with all cases that have another result than expected.
async fn check_errors(executor: &str, dialect: &'static str, cases: &[ErrorCase]) {
    let executor = built_in(executor).await;
    assert!(executor.descriptor().judges_errors);
    let mut failures = String::new();
    for case in cases {
        let context = Context {
            now_ms: case.now_ms,
            dialect,
            ..context("m")
        };
        let headers = case.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let head = head(case.status, &headers);
        let response_body = Bytes::from_static(case.body.as_bytes());
        let result = executor
            .judge(&context, &Bytes::new(), &head, &response_body)
            .await;
        let refusal = result.expect("a failure");
        let written = refusal.response.as_deref().map(String::from_utf8_lossy);
        let has_body = match &written {
            None => case.body_part.is_empty(),
            Some(body) => !case.body_part.is_empty() && body.contains(case.body_part),
        };
        assert!(has_body, "{}: {written:?}", case.name);
        let failure = refusal.failure;
        let expected = (
            case.scope,
            case.kind,
            case.retry_after_ms.map(Duration::from_millis),
            Some(case.status),
            case.kind == "authentication"
                && executor
                    .descriptor()
                    .operations
                    .iter()
                    .any(|it| it == "refresh"),
        );
        let found = (
            failure.scope,
            &*failure.kind,
            failure.retry_after,
            failure.status,
            failure.refresh_suggested,
        );
        if found != expected || !failure.message.contains(case.message_part) {
            let message = &failure.message;
            failures += &format!("{}: {found:?} for {expected:?}: {message}\n", case.name);
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
