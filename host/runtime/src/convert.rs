//! Converts between the contract's types and the host's: `.._out` for the input of a guest, `.._in` for
//! its result. A result that the contract does not allow is a [`ContractError`].

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jackfield_credential::{Credential, Failure, Scope};
use jackfield_dialect::json::Patch;
use jackfield_dialect::truncate;
use jackfield_dispatch::plan::{
    Context, Evaluation, Frame, Framing, Output, Plan, PlannedBody, PlannedRequest, Refusal,
    ResponseMode, SecretPlace, Usage,
};
use jackfield_dispatch::port::ResponseHead;
use url::Url;

use crate::bindings::{executor_contract as contract, types};
use crate::limits::{HEADERS_MAX, LIST_LENGTH_MAX};

/// A value of a guest that the contract does not allow.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContractError {
    /// A status outside of 100 to 999.
    #[error("{0} is not a valid HTTP status")]
    Status(u16),
    /// A header name that HTTP does not allow.
    #[error("{0:?} is not a valid header name")]
    HeaderName(String),
    /// A header value that HTTP does not allow, such as one with a line feed.
    #[error("the value of the header `{0}` is not valid")]
    HeaderValue(HeaderName),
    /// A method that HTTP does not allow.
    #[error("{0:?} is not a valid HTTP method")]
    Method(String),
    /// A URL that cannot be parsed, or that is not absolute.
    #[error("{url:?} is not a valid URL: {reason}")]
    Url {
        /// The URL, truncated.
        url: String,
        /// Why it cannot be parsed.
        reason: url::ParseError,
    },
    /// A client id or secret without its part.
    #[error("the scheme `{OAUTH_CLIENT_BASIC}` needs the parameter `part`, `id` or `secret`")]
    SchemePart,
    /// A list with more items than its limit.
    #[error("{length} {list}, but at most {max} are allowed")]
    ListTooLong {
        /// The list, as the contract names it.
        list: &'static str,
        /// The number of its values.
        length: usize,
        /// The limit.
        max: usize,
    },
}

pub(crate) fn context_out(context: &Context) -> types::Context {
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
        options: context
            .options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    }
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

/// The credential for `should-refresh`: the times of its tokens are attributes, which replace any that
/// the operator gave the same names.
pub(crate) fn refresh_credential_out(evaluation: &Evaluation) -> types::Credential {
    let mut credential = credential_out(&evaluation.credential);
    let known = [
        (TOKEN_EXPIRES_AT, evaluation.expires_at),
        (TOKEN_REFRESHED_AT, evaluation.refreshed_at),
    ];
    for (name, at) in known {
        credential.attributes.retain(|(found, _)| found != name);
        let value = at.map(|at| (name.to_owned(), at.as_millis().to_string()));
        credential.attributes.extend(value);
    }
    credential
}

/// Attributes that `should-refresh` in `wit/executor.wit` promises.
const TOKEN_EXPIRES_AT: &str = "token-expires-at-ms";
const TOKEN_REFRESHED_AT: &str = "token-refreshed-at-ms";

pub(crate) fn head_out(head: &ResponseHead) -> types::HttpHead {
    types::HttpHead {
        status: head.status.as_u16(),
        headers: headers_out(&head.headers),
    }
}

fn headers_out(headers: &HeaderMap) -> Vec<types::Header> {
    let out = |(name, value): (&HeaderName, &HeaderValue)| types::Header {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_owned(),
    };
    headers.iter().map(out).collect()
}

pub(crate) fn frames_out(frames: &[Frame]) -> Vec<contract::Frame> {
    let out = |frame: &Frame| contract::Frame {
        name: frame.name.clone(),
        data: frame.data.to_vec(),
    };
    frames.iter().map(out).collect()
}

pub(crate) fn head_in(head: types::HttpHead) -> Result<ResponseHead, ContractError> {
    let status =
        StatusCode::from_u16(head.status).map_err(|_| ContractError::Status(head.status))?;
    Ok(ResponseHead {
        status,
        headers: headers_in(head.headers)?,
    })
}

fn headers_in(headers: Vec<types::Header>) -> Result<HeaderMap, ContractError> {
    // A `HeaderMap` panics when it is asked for more than about 24,500 entries.
    check_length_max("headers", headers.len(), HEADERS_MAX)?;
    let mut map = HeaderMap::with_capacity(headers.len());
    for header in headers {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| ContractError::HeaderName(quoted(&header.name)))?;
        let value = HeaderValue::from_maybe_shared(Bytes::from(header.value))
            .map_err(|_| ContractError::HeaderValue(name.clone()))?;
        // Not `insert`: a name may occur more than once, as `set-cookie` does.
        map.append(name, value);
    }
    Ok(map)
}

pub(crate) fn plan_in(plan: contract::Plan) -> Result<Plan, ContractError> {
    check_length("captures", plan.captures.len())?;
    Ok(Plan {
        request: request_in(plan.request)?,
        response_mode: response_in(plan.response),
        captures: plan
            .captures
            .into_iter()
            .map(|capture| (capture.pointer, capture.into))
            .collect(),
        state: plan.state.into(),
    })
}

fn request_in(request: types::HttpRequest) -> Result<PlannedRequest, ContractError> {
    check_length("secrets", request.secrets.len())?;
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| ContractError::Method(quoted(&request.method)))?;
    let url = Url::parse(&request.url).map_err(|reason| ContractError::Url {
        url: quoted(&request.url),
        reason,
    })?;
    let placed = |secret: types::SecretUse| Ok((secret.secret, place_in(secret.place)?));
    let secrets: Result<Vec<_>, ContractError> = request.secrets.into_iter().map(placed).collect();
    Ok(PlannedRequest {
        method,
        url,
        headers: headers_in(request.headers)?,
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
        types::SecretPlace::Scheme((name, parameters)) if name == OAUTH_CLIENT_BASIC => {
            oauth_client_basic_in(&parameters)?
        }
        types::SecretPlace::Scheme((name, parameters)) => {
            check_length("parameters", parameters.len())?;
            SecretPlace::Scheme { name, parameters }
        }
    })
}

/// The parameter `part` says whether the secret is the client's id or its secret.
fn oauth_client_basic_in(parameters: &[types::Field]) -> Result<SecretPlace, ContractError> {
    let mut parts = parameters.iter().filter(|(name, _)| name == "part");
    match parts.next().map(|(_, value)| value.as_str()) {
        Some("id") => Ok(SecretPlace::OauthClientId),
        Some("secret") => Ok(SecretPlace::OauthClientSecret),
        _ => Err(ContractError::SchemePart),
    }
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

fn response_in(response: contract::Response) -> ResponseMode {
    let framing = match response {
        contract::Response::Relay => return ResponseMode::Relay,
        contract::Response::Whole => return ResponseMode::Whole,
        contract::Response::Frames(framing) => framing,
    };
    ResponseMode::Frames(match framing {
        contract::Framing::Raw => Framing::Raw,
        contract::Framing::Lines => Framing::Lines,
        contract::Framing::Sse => Framing::Sse,
        contract::Framing::JsonArray => Framing::JsonArray,
        contract::Framing::AwsEventStream => Framing::AwsEventStream,
    })
}

pub(crate) fn output_in(output: contract::Output) -> Result<Output, ContractError> {
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
    })
}

pub(crate) fn failure_in(failure: types::Failure) -> Refusal {
    let scope = match failure.scope {
        types::Scope::Request => Scope::Request,
        types::Scope::Model => Scope::Model,
        types::Scope::Credential => Scope::Credential,
        types::Scope::Provider => Scope::Provider,
        types::Scope::Transport => Scope::Transport,
    };
    Refusal {
        failure: Failure {
            scope,
            kind: Cow::Owned(truncate(&failure.kind, QUOTED_BYTES_MAX).to_owned()),
            status: failure.status.filter(|status| (100..1000).contains(status)),
            message: truncate(&failure.message, MESSAGE_BYTES_MAX).to_owned(),
            retry_after: failure.retry_after_ms.map(Duration::from_millis),
            refresh_suggested: failure.refresh_suggested,
            sent: true,
        },
        response: failure.body.map(Bytes::from),
    }
}

fn check_length(list: &'static str, length: usize) -> Result<(), ContractError> {
    check_length_max(list, length, LIST_LENGTH_MAX)
}

fn check_length_max(list: &'static str, length: usize, max: usize) -> Result<(), ContractError> {
    if length <= max {
        return Ok(());
    }
    Err(ContractError::ListTooLong { list, length, max })
}

/// A guest's text as an error message quotes it.
fn quoted(text: &str) -> String {
    truncate(text, QUOTED_BYTES_MAX).to_owned()
}

/// The scheme that is a place here; `jackfield-signing` has the others. See `wit/types.wit`.
const OAUTH_CLIENT_BASIC: &str = "oauth-client-basic";

/// Bytes of a guest's text that an error message quotes.
const QUOTED_BYTES_MAX: usize = 80;

/// Length of a failure's message, in bytes. The rest is cut off.
const MESSAGE_BYTES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_more_headers_than_a_header_map_holds() {
        let header = |_| types::Header {
            name: "x-a".to_owned(),
            value: b"b".to_vec(),
        };
        let headers = |length| headers_in((0..length).map(header).collect());
        assert_eq!(headers(HEADERS_MAX).unwrap().len(), HEADERS_MAX);
        for length in [HEADERS_MAX + 1, 30_000, LIST_LENGTH_MAX] {
            let error = headers(length).unwrap_err().to_string();
            assert!(error.contains("headers, but at most"), "{error}");
        }
    }
}
