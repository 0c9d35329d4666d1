//! From an executor's plan to a request that the host can send. Pure: nothing is sent here.
//!
//! A plan comes from a plugin, so everything in it is checked: the origin, the headers, and the places
//! of secrets.

mod account;
mod error;
mod forwarded;
mod planner;
mod schemes;
mod secret_fields;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use jackfield_credential::{Credential, Timestamp};
use jackfield_dialect::json;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::connection_headers::CONNECTION_HEADERS;
use crate::plan::{Connection, Plan, PlannedBody, UpstreamRequest};
use crate::snapshot::Provider;

pub(crate) use account::Account;
pub(crate) use error::{MissingConsent, PlanError};
pub(crate) use forwarded::Forwardable;
pub(crate) use planner::Planner;
use secrets::SecretPlacer;

/// What a plan may use.
pub(crate) struct Bounds<'a> {
    /// The provider: its own origin, and the origins that the operator grants.
    pub(crate) provider: &'a Provider,
    /// The hosts that the executor declares. A granted origin is allowed only if its host is declared.
    pub(crate) hosts: &'a [String],
    /// The body that the executor received.
    pub(crate) body: &'a Bytes,
    /// The credential, with its secrets and its proxy.
    pub(crate) account: &'a dyn Account,
    /// What of the client's request the plan may pass on.
    pub(crate) client: Forwardable<'a>,
    /// Whom the request goes to.
    pub(crate) recipient: Recipient,
    /// Limit for connecting.
    pub(crate) connect: Duration,
    /// The time of the send, which signatures contain.
    pub(crate) now: Timestamp,
}

/// A request that can be sent.
pub(crate) struct BuiltRequest {
    pub(crate) request: UpstreamRequest,
    /// What was computed from secrets for it, such as a signature. It must be shown as little as they.
    pub(crate) derived: Vec<SecretString>,
}

/// Whom a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// The provider's API. The request gets the credential's own headers, and the plan must not
    /// capture secrets from the response.
    Api,
    /// A token endpoint, which may belong to a third party: the credential's own headers are not sent
    /// there.
    TokenEndpoint,
}

/// Builds the request that a plan describes.
///
/// # Errors
/// The first thing in the plan that [`Bounds`] do not allow.
pub(crate) fn build_request(plan: &Plan, bounds: &Bounds<'_>) -> Result<BuiltRequest, PlanError> {
    if bounds.recipient == Recipient::Api && !plan.captures.is_empty() {
        return Err(PlanError::Captures);
    }
    let planned = &plan.request;
    check_origin(&planned.url, bounds)?;
    check_method(&planned.method)?;
    check_headers(&planned.headers)?;
    let own_body = matches!(planned.body, PlannedBody::Bytes(_));
    let mut url = planned.url.clone();
    url.set_fragment(None);
    let mut headers = planned.headers.clone();
    bounds.client.forward(planned, &mut headers, &mut url);
    let proxy = bounds.account.proxy();
    let mut placer = SecretPlacer::new(
        UpstreamRequest {
            method: planned.method.clone(),
            url,
            headers,
            body: body(&planned.body, bounds.body)?,
            proxy: proxy.map(|url| Arc::from(url.expose_secret())),
            connect: bounds.connect,
            connection: match bounds.recipient {
                Recipient::Api => Connection::Pooled,
                // A refresh token may be valid once only.
                Recipient::TokenEndpoint => Connection::New,
            },
        },
        own_body,
    );
    for (name, place) in &planned.secrets {
        let secret = bounds.account.secret(name);
        let secret = secret.ok_or_else(|| PlanError::UnknownSecret(name.clone()))?;
        placer.place(name, secret.expose_secret(), place)?;
    }
    // After the secrets, so that the operator's headers also replace those that contain secrets.
    let add_headers = |headers: &mut HeaderMap| {
        if bounds.recipient == Recipient::Api {
            add_credential_headers(headers, bounds.account.credential());
        }
    };
    placer.finish(add_headers, bounds.account, bounds.now)
}

fn check_origin(url: &Url, bounds: &Bounds<'_>) -> Result<(), PlanError> {
    let Provider {
        base_url, grants, ..
    } = bounds.provider;
    if !same_origin(url, base_url) {
        let is_granted = grants.iter().any(|grant| same_origin(url, grant));
        let missing = match (is_granted, declares(bounds.hosts, url)) {
            (true, true) => None,
            (false, true) => Some(MissingConsent::Grant),
            (true, false) => Some(MissingConsent::Declaration),
            (false, false) => Some(MissingConsent::Both),
        };
        if let Some(missing) = missing {
            return Err(PlanError::Origin {
                named: url.origin().ascii_serialization(),
                bound: base_url.origin().ascii_serialization(),
                missing,
            });
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(PlanError::UserInUrl);
    }
    Ok(())
}

fn same_origin(url: &Url, other: &Url) -> bool {
    url.scheme() == other.scheme()
        && url.host() == other.host()
        && url.port_or_known_default() == other.port_or_known_default()
}

/// Whether these patterns include the URL's host: its name, `*.` and its domain, or `*`.
fn declares(hosts: &[String], url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    hosts.iter().any(|pattern| match pattern.strip_prefix('*') {
        Some("") => true,
        // Without the dot, `*example.com` would include `notexample.com`.
        Some(domain) => domain.starts_with('.') && host.ends_with(domain),
        None => host.eq_ignore_ascii_case(pattern),
    })
}

/// Refuses the methods that act on the connection, and `TRACE`, whose response repeats the secrets (RFC 9110,
/// sections 9.3.6 and 9.3.8).
fn check_method(method: &Method) -> Result<(), PlanError> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return Err(PlanError::Method(method.clone()));
    }
    Ok(())
}

/// Refuses headers of the connection. An executor that could set these could smuggle a second request
/// into the connection.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), PlanError> {
    headers.keys().try_for_each(check_header)
}

fn check_header(name: &HeaderName) -> Result<(), PlanError> {
    if CONNECTION_HEADERS.contains(&name.as_str()) {
        return Err(PlanError::ConnectionHeader(name.clone()));
    }
    Ok(())
}

/// Adds the headers that the operator configured for a credential, as attributes named `header:NAME`.
/// They replace the plan's.
fn add_credential_headers(headers: &mut HeaderMap, credential: &Credential) {
    for (name, value) in &credential.attributes {
        let Some(name) = name.strip_prefix(HEADER_ATTRIBUTE) else {
            continue;
        };
        let name = HeaderName::from_bytes(name.as_bytes());
        // The configuration allows only valid headers. Credential files, which other programs write,
        // may contain anything.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value))
            && !CONNECTION_HEADERS.contains(&name.as_str())
        {
            headers.insert(name, value);
        }
    }
}

/// Prefix of the attributes that are headers.
const HEADER_ATTRIBUTE: &str = "header:";

fn body(planned: &PlannedBody, original: &Bytes) -> Result<Bytes, PlanError> {
    match planned {
        PlannedBody::Empty => Ok(Bytes::new()),
        PlannedBody::Original => Ok(original.clone()),
        PlannedBody::Bytes(bytes) => Ok(bytes.clone()),
        PlannedBody::Patched(patches) => json::apply(original, patches).map_err(PlanError::Patch),
    }
}

#[cfg(test)]
mod tests;
