//! The faults of the matrix: what the provider sends, and what must become of the request.

use std::time::Duration;

use serde_json::json;

use super::super::replies::{ProviderApi, SSE, StreamParts, overloaded_event, served_by};
use super::super::scripted::{ReceivedRequest, Reply, ReplyEnd};

use FaultResult::{ErrorEvent, FailedOver};
use RecoveryClass::{Outage, Refusal, Reported, Request};

/// What the client of a pool with a well key sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultResult {
    /// The well key serves the request.
    FailedOver,
    /// The client gets the provider's status, because its request is at fault.
    Reported,
    /// The stream ends with one error event, because it has content already.
    ErrorEvent,
}

/// How long a guess of this class may keep a provider that is well again out of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecoveryClass {
    /// The request is at fault: no time at all.
    Request,
    /// 2 s.
    Outage,
    /// 5 s.
    Refusal,
    /// As long as the provider or its billing lasts; only reported.
    Reported,
}

/// A fault of the first key.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) is_stream: bool,
    pub(crate) result: FaultResult,
    pub(crate) recovery: RecoveryClass,
    pub(crate) reply: fn(&ReceivedRequest) -> Reply,
}

const fn whole(
    name: &'static str,
    recovery: RecoveryClass,
    reply: fn(&ReceivedRequest) -> Reply,
) -> Fault {
    let result = match recovery {
        Request => FaultResult::Reported,
        _ => FailedOver,
    };
    Fault {
        name,
        is_stream: false,
        result,
        recovery,
        reply,
    }
}

const fn streamed(
    name: &'static str,
    result: FaultResult,
    recovery: RecoveryClass,
    reply: fn(&ReceivedRequest) -> Reply,
) -> Fault {
    Fault {
        name,
        is_stream: true,
        result,
        recovery,
        reply,
    }
}

fn parts(request: &ReceivedRequest) -> StreamParts {
    StreamParts::of(ProviderApi::of(&request.path), &served_by(request.key()))
}

fn preamble(request: &ReceivedRequest) -> Reply {
    Reply::stream(SSE, &parts(request).preamble)
}

/// The preamble and the content, without an end.
fn content(request: &ReceivedRequest) -> Reply {
    let StreamParts {
        preamble, content, ..
    } = parts(request);
    Reply::stream(SSE, &[preamble, content].concat())
}

fn overloaded(request: &ReceivedRequest) -> Vec<String> {
    vec![overloaded_event(ProviderApi::of(&request.path))]
}

fn limited(_: &ReceivedRequest) -> Reply {
    Reply::html(429).with_header("retry-after", &1)
}

/// The faults. `w-` are of whole responses, `s-` of streams.
pub(crate) const FAULTS: [Fault; 39] = [
    whole("w-400", Request, |_| Reply::html(400)),
    whole("w-401", Refusal, |_| Reply::html(401)),
    whole("w-402", Reported, |_| Reply::html(402)),
    whole("w-403", Refusal, |_| Reply::html(403)),
    whole("w-404", Refusal, |_| Reply::html(404)),
    whole("w-405", Refusal, |_| Reply::html(405)),
    whole("w-408", Outage, |_| Reply::html(408)),
    whole("w-413", Request, |_| Reply::html(413)),
    whole("w-422", Request, |_| Reply::html(422)),
    whole("w-429", Reported, limited),
    whole("w-429-bare", Reported, |_| Reply::html(429)),
    whole("w-451", Request, |_| Reply::html(451)),
    whole("w-500", Outage, |_| Reply::html(500)),
    whole("w-501", Refusal, |_| Reply::html(501)),
    whole("w-502", Outage, |_| Reply::html(502)),
    whole("w-503", Outage, |_| Reply::html(503)),
    whole("w-504", Outage, |_| Reply::html(504)),
    whole("w-529", Outage, |_| Reply::html(529)),
    whole("w-empty", Outage, |_| {
        Reply::bytes(200, "application/json", Vec::new())
    }),
    whole("w-malformed", Outage, |_| {
        Reply::bytes(200, "application/json", b"{\"choices\":[".to_vec())
    }),
    whole("w-html", Outage, |_| Reply::html(200)),
    whole("w-object", Outage, |_| Reply::json(200, &json!({}))),
    whole("w-reset", Outage, |_| Reply::nothing(ReplyEnd::Reset)),
    whole("w-close", Outage, |_| Reply::nothing(ReplyEnd::Close)),
    whole("w-short", Outage, |_| {
        Reply::json(200, &json!({ "id": 1 }))
            .announcing_more()
            .ending(ReplyEnd::Close)
    }),
    streamed("s-401", FailedOver, Refusal, |_| Reply::html(401)),
    streamed("s-429", FailedOver, Reported, limited),
    streamed("s-500", FailedOver, Outage, |_| Reply::html(500)),
    streamed("s-529", FailedOver, Outage, |_| Reply::html(529)),
    streamed("s-empty", FailedOver, Outage, |_| Reply::stream(SSE, &[])),
    streamed("s-error-first", FailedOver, Outage, |request| {
        Reply::stream(SSE, &overloaded(request))
    }),
    streamed("s-error-preamble", FailedOver, Outage, |request| {
        preamble(request).then(&overloaded(request))
    }),
    streamed("s-reset-preamble", FailedOver, Outage, |request| {
        preamble(request)
            .pause(Duration::from_millis(50))
            .ending(ReplyEnd::Reset)
    }),
    streamed("s-malformed", FailedOver, Outage, |_| {
        Reply::stream(SSE, &["data: {oops\n\n".to_owned()])
    }),
    streamed("s-silence", FailedOver, Outage, |_| {
        Reply::nothing(ReplyEnd::Silence)
    }),
    streamed("s-stall-preamble", FailedOver, Outage, |request| {
        preamble(request).ending(ReplyEnd::Silence)
    }),
    streamed("s-error-content", ErrorEvent, Outage, |request| {
        content(request).then(&overloaded(request))
    }),
    streamed("s-reset-content", ErrorEvent, Outage, |request| {
        content(request)
            .pause(Duration::from_millis(50))
            .ending(ReplyEnd::Reset)
    }),
    streamed("s-stall-content", ErrorEvent, Outage, |request| {
        content(request).ending(ReplyEnd::Silence)
    }),
];
