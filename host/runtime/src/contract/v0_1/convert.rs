//! Converts between the types of version 0.1 and the host's: `.._out` for the input of a guest, `.._in` for
//! its result. A result that the contract does not allow is a [`ContractError`].

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use jackfield_credential::{Credential, Scope};
use jackfield_dialect::json::Patch;
use jackfield_dispatch::plan::{
    Context, Evaluation, Frame, Output, Plan, PlannedBody, PlannedRequest, Refusal, ResponseMode,
    SecretPlace, Usage,
};
use jackfield_dispatch::port::{Descriptor, ResponseHead};

use super::bindings::{executor_contract as contract, types};
use crate::contract::guest_result::credential_of;
use crate::contract::plan_parts::{
    self as parts, ContractError, GuestFailure, HeaderPair, check_length,
};

pub(super) fn context_out(context: &Context) -> types::Context {
    let credential = &context.credential;
    types::Context {
        operation: context.operation.to_owned(),
        dialect: context.dialect.to_owned(),
        model: context.model.as_ref().to_owned(),
        client_model: context.client_model.as_ref().to_owned(),
        stream: context.stream,
        attempt: context.attempt,
        now_ms: context.now_ms,
        headers: headers_out(&context.headers),
        credential: Some(credential_out(credential)),
        options: options_out(context),
    }
}

/// In this version the parameters of the client's URL are options, too.
fn options_out(context: &Context) -> Vec<(String, String)> {
    let options = context.options.iter();
    let options = options.map(|(name, value)| ((*name).to_owned(), value.clone()));
    let query = context.query.iter();
    options
        .chain(query.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        .collect()
}

fn credential_out(credential: &Credential) -> types::Credential {
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

pub(super) fn refresh_credential_out(evaluation: &Evaluation) -> types::Credential {
    credential_out(&credential_of(evaluation))
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

fn header_pair(header: types::Header) -> HeaderPair {
    (header.name, header.value)
}

pub(super) fn frames_out(frames: &[Frame]) -> Vec<contract::Frame> {
    let out = |frame: &Frame| contract::Frame {
        name: frame.name.clone(),
        data: frame.data.to_vec(),
    };
    frames.iter().map(out).collect()
}

pub(super) fn head_in(head: types::HttpHead) -> Result<ResponseHead, ContractError> {
    parts::head_in(head.status, head.headers.into_iter().map(header_pair))
}

pub(super) fn plan_in(plan: contract::Plan) -> Result<Plan, ContractError> {
    check_length("captures", plan.captures.len())?;
    Ok(Plan {
        request: request_in(plan.request)?,
        response_mode: response_in(plan.response)?,
        captures: plan
            .captures
            .into_iter()
            .map(|capture| (capture.pointer, capture.into))
            .collect(),
        state: plan.state.into(),
        delay: None,
    })
}

fn request_in(request: types::HttpRequest) -> Result<PlannedRequest, ContractError> {
    check_length("secrets", request.secrets.len())?;
    let placed = |secret: types::SecretUse| Ok((secret.secret, place_in(secret.place)?));
    let secrets: Result<Vec<_>, ContractError> = request.secrets.into_iter().map(placed).collect();
    Ok(PlannedRequest {
        method: parts::method_in(&request.method)?,
        url: parts::url_in(&request.url)?,
        headers: parts::headers_in(request.headers.into_iter().map(header_pair))?,
        forward_headers: Vec::new(),
        forward_query: Vec::new(),
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
        types::Body::Bytes(bytes) => PlannedBody::Bytes(bytes.into()),
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

fn response_in(response: contract::Response) -> Result<ResponseMode, ContractError> {
    let framing = match response {
        contract::Response::Relay => return Ok(ResponseMode::Relay),
        contract::Response::Whole => return Ok(ResponseMode::Whole),
        contract::Response::Frames(framing) => framing,
    };
    let name = match framing {
        contract::Framing::Raw => "raw",
        contract::Framing::Lines => "lines",
        contract::Framing::Sse => "sse",
        contract::Framing::JsonArray => "json-array",
        contract::Framing::AwsEventStream => "aws-event-stream",
    };
    Ok(ResponseMode::Frames(parts::framing_in(name)?))
}

pub(super) fn output_in(output: contract::Output) -> Result<Output, ContractError> {
    check_length("frames", output.frames.len())?;
    let frame_in = |frame: contract::Frame| Frame {
        name: frame.name,
        data: frame.data.into(),
    };
    Ok(Output {
        frames: output.frames.into_iter().map(frame_in).collect(),
        usage: output.usage.map(|usage| Usage {
            input: usage.input,
            output: usage.output,
            cached_input: usage.cached_input,
            // The contract has no count of it.
            cache_write_input: 0,
            reasoning: usage.reasoning,
        }),
        done: output.done,
        next: output.next.map(plan_in).transpose()?.map(Box::new),
        ..Output::default()
    })
}

pub(super) fn failure_in(failure: types::Failure) -> Refusal {
    let scope = match failure.scope {
        types::Scope::Request => Scope::Request,
        types::Scope::Model => Scope::Model,
        types::Scope::Credential => Scope::Credential,
        types::Scope::Provider => Scope::Provider,
        types::Scope::Transport => Scope::Transport,
    };
    GuestFailure {
        scope,
        kind: failure.kind,
        status: failure.status,
        message: failure.message,
        retry_after_ms: failure.retry_after_ms,
        refresh_suggested: failure.refresh_suggested,
        body: failure.body.map(Bytes::from),
    }
    .into()
}

pub(super) fn descriptor_in(described: contract::Descriptor) -> Descriptor {
    Descriptor {
        version: described.version,
        dialects: described.dialects,
        operations: described.operations,
        hosts: described.hosts,
        refresh_lead: described.refresh_lead_ms.map(Duration::from_millis),
        judges_errors: described.judges_errors,
        evaluates_refresh: described
            .options
            .iter()
            .any(|(name, value)| name == EVALUATES_REFRESH && value == "true"),
        options: described.options,
        ..Descriptor::default()
    }
}

/// The option of a descriptor that makes the host call `should-refresh`.
const EVALUATES_REFRESH: &str = "evaluates-refresh";
