//! Proofs that a remembered plan is what the executor would plan now: it plans again in a fresh instance, off
//! the path of calls. A guest whose plans depend on something else than what it reads, such as a counter, is
//! not remembered any more.

use jackfield_dispatch::plan::{Plan, PlannedRequest};

/// Returns the name of the first member in which two plans differ.
pub(crate) fn difference(one: &Plan, other: &Plan) -> Option<&'static str> {
    let Plan {
        request,
        response_mode,
        captures,
        state,
        delay,
    } = one;
    let members = [
        (*response_mode != other.response_mode, "response"),
        (*captures != other.captures, "captures"),
        (*state != other.state, "state"),
        (*delay != other.delay, "options.after-ms"),
    ];
    request_difference(request, &other.request).or_else(|| first(&members))
}

fn request_difference(one: &PlannedRequest, other: &PlannedRequest) -> Option<&'static str> {
    let PlannedRequest {
        method,
        url,
        headers,
        forward_headers,
        forward_query,
        secrets,
        body,
    } = one;
    first(&[
        (*method != other.method, "request.method"),
        (*url != other.url, "request.url"),
        (*headers != other.headers, "request.headers"),
        (
            *forward_headers != other.forward_headers,
            "request.forward-headers",
        ),
        (
            *forward_query != other.forward_query,
            "request.forward-query",
        ),
        (*secrets != other.secrets, "request.secrets"),
        (*body != other.body, "request.body"),
    ])
}

fn first(members: &[(bool, &'static str)]) -> Option<&'static str> {
    let differs = members.iter().find(|(differs, _)| *differs);
    differs.map(|(_, name)| *name)
}
