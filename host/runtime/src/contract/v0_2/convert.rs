//! Converts between the types of version 0.2 and the host's: `.._out` for the input of a guest, `.._in` for
//! its result. A result that the contract does not allow is a [`ContractError`].

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use jackfield_credential::{Credential, Scope};
use jackfield_dialect::json::Patch;
use jackfield_dispatch::plan::{
    Context, Frame, Output, Plan, PlannedBody, PlannedRequest, Refusal, ResponseMode, SecretPlace,
    Usage,
};
use jackfield_dispatch::port::{Descriptor, ResponseHead};
use jackfield_dispatch::{QuotaHeaders, ResetForm, Sees};

use super::bindings::{planner, quotas, reply, types};
use crate::contract::plan_parts::{
    self as parts, ContractError, GuestFailure, HeaderPair, check_length, check_length_max, quoted,
};
use crate::limits::QUOTA_HEADERS_MAX;

pub(super) fn target_out(context: &Context) -> types::Target {
    types::Target {
        operation: context.operation.to_owned(),
        dialect: context.dialect.to_owned(),
        model: context.model.as_ref().to_owned(),
        client_model: context.client_model.as_ref().to_owned(),
        stream: context.stream,
        credential: Some(credential_out(&context.credential)),
        options: context
            .options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    }
}

pub(super) fn credential_out(credential: &Credential) -> types::Credential {
    types::Credential {
        id: credential.id.to_string(),
        provider: credential.provider.to_string(),
        base_url: credential.base_url.as_ref().to_owned(),
        attributes: credential
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        secret_fields: credential.secret_fields.clone(),
    }
}

pub(super) fn head_out(head: &ResponseHead) -> types::HttpHead {
    types::HttpHead {
        status: head.status.as_u16(),
        headers: headers_out(&head.headers),
    }
}

fn headers_out(headers: &HeaderMap) -> Vec<types::Header> {
    parts::header_pairs(headers)
        .map(|(name, value)| types::Header { name, value })
        .collect()
}

pub(super) fn payload_out(bytes: &Bytes) -> types::Payload {
    match std::str::from_utf8(bytes) {
        Ok(text) => types::Payload::Text(text.to_owned()),
        Err(_) => types::Payload::Bytes(bytes.to_vec()),
    }
}

pub(super) fn frames_out(frames: &[Frame]) -> Vec<types::Frame> {
    let out = |frame: &Frame| types::Frame {
        name: frame.name.clone(),
        data: payload_out(&frame.data),
    };
    frames.iter().map(out).collect()
}

fn payload_in(payload: types::Payload) -> Bytes {
    match payload {
        types::Payload::Text(text) => text.into(),
        types::Payload::Bytes(bytes) => bytes.into(),
    }
}

fn header_pair(header: types::Header) -> HeaderPair {
    (header.name, header.value)
}

pub(super) fn descriptor_in(described: planner::Descriptor, exports: Exports) -> Descriptor {
    let mut options = described.options;
    let default_base_url = described.default_base_url.into_iter();
    options.extend(default_base_url.map(|url| (DEFAULT_BASE_URL.to_owned(), url)));
    Descriptor {
        version: described.version,
        dialects: described.dialects,
        operations: described.operations,
        hosts: described.hosts,
        refresh_lead: described.refresh_lead_ms.map(Duration::from_millis),
        sees: Sees::default(),
        judges_errors: exports.judge || exports.judge_head,
        evaluates_refresh: exports.refresh,
        quota_headers: Vec::new(),
        options,
    }
}

/// The table of an executor's quotas. Rows without the header of what is left tell nothing.
pub(super) fn quota_headers_in(
    declared: Vec<quotas::QuotaHeaders>,
) -> Result<Vec<QuotaHeaders>, ContractError> {
    check_length_max("quota-headers", declared.len(), QUOTA_HEADERS_MAX)?;
    let name_in = |name: String| match name.is_empty() {
        true => Ok(None),
        false => HeaderName::from_bytes(name.as_bytes())
            .map(Some)
            .map_err(|_| ContractError::HeaderName(quoted(&name))),
    };
    let rows = declared.into_iter().map(|row| {
        Ok(QuotaHeaders {
            of_credential: row.scope != "model",
            limit: name_in(row.limit)?,
            left: name_in(row.left)?,
            resets: name_in(row.resets)?,
            form: match row.form {
                quotas::ResetForm::Seconds => ResetForm::Seconds,
                quotas::ResetForm::Milliseconds => ResetForm::Milliseconds,
                quotas::ResetForm::EpochSeconds => ResetForm::EpochSeconds,
                quotas::ResetForm::EpochMilliseconds => ResetForm::EpochMilliseconds,
                quotas::ResetForm::Rfc3339 => ResetForm::Rfc3339,
                quotas::ResetForm::Duration => ResetForm::Duration,
            },
        })
    });
    rows.collect()
}

/// The optional interfaces that a component exports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exports {
    pub(super) judge: bool,
    pub(super) judge_head: bool,
    pub(super) refresh: bool,
}

/// Whether the component can convert the response is the caller's matter.
pub(super) fn plan_in(plan: types::Plan) -> Result<Plan, ContractError> {
    check_length("captures", plan.captures.len())?;
    let response_mode = response_in(plan.response)?;
    let captures: Result<Vec<_>, ContractError> =
        plan.captures.into_iter().map(capture_in).collect();
    Ok(Plan {
        request: request_in(plan.request)?,
        response_mode,
        captures: captures?,
        state: plan.state.into(),
        delay: delay_in(&plan.options)?,
    })
}

/// The option `after-ms` of a plan. A guest may repeat an option: the last one counts.
fn delay_in(options: &[types::Field]) -> Result<Option<Duration>, ContractError> {
    let mut named = options.iter().rev().filter(|(name, _)| name == "after-ms");
    let Some((_, value)) = named.next() else {
        return Ok(None);
    };
    match value.parse() {
        Ok(millis) => Ok(Some(Duration::from_millis(millis))),
        Err(_) => Err(ContractError::Delay(quoted(value))),
    }
}

/// In the host, two names of secrets mean the end of the token.
fn capture_in(capture: types::Capture) -> Result<(String, String), ContractError> {
    match capture.kind.as_str() {
        "secret" => Ok((capture.pointer, capture.name)),
        "expires-in" | "expires-at" => Ok((capture.pointer, capture.kind)),
        other => Err(ContractError::CaptureKind(quoted(other))),
    }
}

fn request_in(request: types::HttpRequest) -> Result<PlannedRequest, ContractError> {
    check_length("secrets", request.secrets.len())?;
    check_length("forward-headers", request.forward_headers.len())?;
    check_length("forward-query", request.forward_query.len())?;
    let placed = |secret: types::SecretUse| Ok((secret.secret, place_in(secret.place)?));
    let secrets: Result<Vec<_>, ContractError> = request.secrets.into_iter().map(placed).collect();
    Ok(PlannedRequest {
        method: parts::method_in(&request.method)?,
        url: parts::url_in(&request.url)?,
        headers: parts::headers_in(request.headers.into_iter().map(header_pair))?,
        forward_headers: request.forward_headers,
        forward_query: request.forward_query,
        secrets: secrets?,
        body: body_in(request.body)?,
    })
}

fn place_in(place: types::SecretPlace) -> Result<SecretPlace, ContractError> {
    Ok(match place {
        types::SecretPlace::Bearer => SecretPlace::Bearer,
        types::SecretPlace::Header((name, prefix)) => SecretPlace::Header { name, prefix },
        types::SecretPlace::Query(name) => SecretPlace::Query(name),
        types::SecretPlace::Form(name) => SecretPlace::Form(name),
        types::SecretPlace::Json(pointer) => SecretPlace::Json(pointer),
        types::SecretPlace::BasicUser => SecretPlace::BasicUser,
        types::SecretPlace::BasicPassword => SecretPlace::BasicPassword,
        types::SecretPlace::Scheme((name, parameters)) => parts::scheme_in(name, parameters)?,
    })
}

fn body_in(body: types::Body) -> Result<PlannedBody, ContractError> {
    Ok(match body {
        types::Body::Original => PlannedBody::Original,
        types::Body::Patched(patches) => {
            check_length("patches", patches.len())?;
            PlannedBody::Patched(patches.into_iter().map(patch_in).collect())
        }
        types::Body::Written(payload) => PlannedBody::Bytes(payload_in(payload)),
        types::Body::Empty => PlannedBody::Empty,
    })
}

fn patch_in(patch: types::Patch) -> Patch {
    match patch {
        types::Patch::Add((path, value)) => Patch::Add { path, value },
        types::Patch::Replace((path, value)) => Patch::Replace { path, value },
        types::Patch::Remove(path) => Patch::Remove { path },
    }
}

fn response_in(response: types::Response) -> Result<ResponseMode, ContractError> {
    Ok(match response {
        types::Response::Relay => ResponseMode::Relay,
        types::Response::Whole => ResponseMode::Whole,
        types::Response::Frames(framing) => ResponseMode::Frames(parts::framing_in(&framing)?),
    })
}

pub(super) fn output_in(output: reply::Output) -> Result<Output, ContractError> {
    check_length("frames", output.frames.len())?;
    let frame_in = |frame: types::Frame| Frame {
        name: frame.name,
        data: payload_in(frame.data),
    };
    let next = output.next.map(plan_in);
    Ok(Output {
        frames: output.frames.into_iter().map(frame_in).collect(),
        usage: output.usage.map(|usage| usage_in(&usage)),
        done: output.done,
        next: next.transpose()?.map(Box::new),
        ..Output::default()
    })
}

pub(super) fn usage_in(usage: &types::Usage) -> Usage {
    Usage {
        input: usage.input,
        output: usage.output,
        cached_input: usage.cache_read,
        cache_write_input: usage.cache_write,
        reasoning: usage.reasoning,
    }
}

pub(super) fn failure_in(failure: types::Failure) -> Refusal {
    let scope = match failure.scope.as_str() {
        "request" => Scope::Request,
        "model" => Scope::Model,
        "credential" => Scope::Credential,
        "transport" => Scope::Transport,
        _ => Scope::Provider,
    };
    GuestFailure {
        scope,
        kind: failure.kind,
        status: failure.status,
        message: failure.message,
        retry_after_ms: failure.retry_after_ms,
        refresh_suggested: failure.refresh_suggested,
        body: failure.body.map(payload_in),
    }
    .into()
}

/// The option of the host's descriptor for it.
const DEFAULT_BASE_URL: &str = "default-base-url";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_wait_before_a_request() {
        let of = |options: &[(&str, &str)]| {
            let fields = options.iter();
            let fields: Vec<types::Field> = fields
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            delay_in(&fields).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("unknown", "x")]), Ok(None));
        let seconds = Some(Duration::from_secs(2));
        assert_eq!(of(&[("after-ms", "1"), ("after-ms", "2000")]), Ok(seconds));
        for wrong in ["", "-1", "1.5", "soon"] {
            let error = of(&[("after-ms", wrong)]).unwrap_err();
            assert!(error.contains("after-ms"), "{error}");
        }
    }
}
