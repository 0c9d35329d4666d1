//! From a plan to a request that may be sent: the origin is checked, the body is made, and secrets
//! are put in place. Pure.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use jackfield_credential::Credential;
use jackfield_dialect::json::{self, Patch};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::plan::{PlannedBody, PlannedRequest, SecretPlace, UpstreamRequest};

/// What a plan is held against.
pub(crate) struct Bounds<'a> {
    /// The credential's own origin, which may be named.
    pub(crate) base_url: &'a Url,
    /// Origins that the operator grants,
    pub(crate) grants: &'a [Url],
    /// as far as the executor says that it wants these hosts.
    pub(crate) hosts: &'a [String],
    /// The client's body.
    pub(crate) body: &'a Bytes,
    /// A secret of the credential by its name.
    pub(crate) secret: &'a dyn Fn(&str) -> Option<&'a SecretString>,
    /// The credential's proxy.
    pub(crate) proxy: Option<Arc<str>>,
    /// How long connecting may take.
    pub(crate) connect: Duration,
}

/// What is wrong with a plan, in words for the plugin's author.
pub(crate) type PlanError = String;

/// Makes a request of a plan.
pub(crate) fn build_request(
    plan: PlannedRequest,
    bounds: &Bounds<'_>,
) -> Result<UpstreamRequest, PlanError> {
    check_origin(&plan.url, bounds)?;
    check_headers(&plan.headers)?;
    let own_body = matches!(plan.body, PlannedBody::Bytes(_));
    let mut request = SecretPlacer {
        body: body(plan.body, bounds.body)?,
        method: plan.method,
        url: plan.url,
        headers: plan.headers,
        basic: None,
        own_body,
    };
    request.url.set_fragment(None);
    for (name, place) in plan.secrets {
        let secret = (bounds.secret)(&name)
            .ok_or_else(|| format!("the credential has no secret `{name}`"))?;
        request.place(secret.expose_secret(), place)?;
    }
    request.finish(bounds)
}

/// A request that secrets are being put into.
struct SecretPlacer {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    /// User and password, once one of them is known.
    basic: Option<(String, String)>,
    /// Whether the body is the guest's own. No secret goes into a client's.
    own_body: bool,
}

impl SecretPlacer {
    fn place(&mut self, secret: &str, place: SecretPlace) -> Result<(), PlanError> {
        match place {
            SecretPlace::Bearer => self.header(AUTHORIZATION, &format!("Bearer {secret}")),
            SecretPlace::Header { name, prefix } => {
                let name = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| format!("{name:?} is not a header's name"))?;
                self.header(name, &format!("{prefix}{secret}"))
            }
            SecretPlace::Query(name) => {
                self.url.query_pairs_mut().append_pair(&name, secret);
                Ok(())
            }
            SecretPlace::BasicUser => {
                self.basic.get_or_insert_default().0 = secret.to_owned();
                Ok(())
            }
            SecretPlace::BasicPassword => {
                self.basic.get_or_insert_default().1 = secret.to_owned();
                Ok(())
            }
            // The RFC wants them form-encoded first, so that an id may have a colon; HTTP Basic does
            // not.
            SecretPlace::OauthClientId => {
                self.basic.get_or_insert_default().0 = form_encoded(secret);
                Ok(())
            }
            SecretPlace::OauthClientSecret => {
                self.basic.get_or_insert_default().1 = form_encoded(secret);
                Ok(())
            }
            SecretPlace::Form(field) => self.form(&field, secret),
            SecretPlace::Json(pointer) => self.json(pointer, secret),
            SecretPlace::Scheme(scheme) => Err(format!("this host knows no scheme `{scheme}`")),
        }
    }

    fn header(&mut self, name: HeaderName, value: &str) -> Result<(), PlanError> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| format!("the secret does not fit into the header `{name}`"))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    fn form(&mut self, field: &str, secret: &str) -> Result<(), PlanError> {
        self.require_own_body()?;
        let mut form = String::from_utf8(self.body.to_vec())
            .map_err(|_| "a secret goes into a form, but the body is not text".to_owned())?;
        if !form.is_empty() {
            form.push('&');
        }
        let pair = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(field, secret)
            .finish();
        form.push_str(&pair);
        self.body = form.into();
        Ok(())
    }

    fn json(&mut self, path: String, secret: &str) -> Result<(), PlanError> {
        self.require_own_body()?;
        let value = serde_json::Value::from(secret).to_string();
        // The cause could show the secret.
        self.body = json::apply(&self.body, &[Patch::Add { path, value }])
            .map_err(|_| "a secret's JSON pointer does not fit the body".to_owned())?;
        Ok(())
    }

    fn require_own_body(&self) -> Result<(), PlanError> {
        if self.own_body {
            return Ok(());
        }
        Err("secrets go only into bodies of the plugin's own making".to_owned())
    }

    fn finish(mut self, bounds: &Bounds<'_>) -> Result<UpstreamRequest, PlanError> {
        if let Some((user, password)) = self.basic.take() {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            self.header(AUTHORIZATION, &value)?;
        }
        Ok(UpstreamRequest {
            method: self.method,
            url: self.url,
            headers: self.headers,
            body: self.body,
            proxy: bounds.proxy.clone(),
            connect: bounds.connect,
        })
    }
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn check_origin(url: &Url, bounds: &Bounds<'_>) -> Result<(), PlanError> {
    let granted = || bounds.grants.iter().any(|grant| same_origin(url, grant));
    let allowed = same_origin(url, bounds.base_url) || (granted() && declared(url, bounds.hosts));
    if !allowed {
        return Err(format!(
            "it names {}, but this credential is bound to {}, and the operator or the executor \
             names no other",
            url.origin().ascii_serialization(),
            bounds.base_url.origin().ascii_serialization()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its URL has a user in it; name a secret instead".to_owned());
    }
    Ok(())
}

fn same_origin(url: &Url, other: &Url) -> bool {
    url.scheme() == other.scheme()
        && url.host() == other.host()
        && url.port_or_known_default() == other.port_or_known_default()
}

/// Whether the executor says that it wants this host: by its name, by `*.` and its domain, or `*`.
fn declared(url: &Url, hosts: &[String]) -> bool {
    let host = url.host_str().unwrap_or_default();
    hosts.iter().any(|pattern| match pattern.strip_prefix('*') {
        Some("") => true,
        Some(domain) => domain.starts_with('.') && host.ends_with(domain),
        None => host.eq_ignore_ascii_case(pattern),
    })
}

/// The connection is the host's: a guest that could set these could smuggle a second request.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), PlanError> {
    let of_connection = |name: &&HeaderName| CONNECTION_HEADERS.contains(&name.as_str());
    match headers.keys().find(of_connection) {
        Some(name) => Err(format!("it sets the header `{name}`, which the host sets")),
        None => Ok(()),
    }
}

/// Fields of the connection rather than of the message (RFC 9110, section 7.6.1), and those that
/// frame or address it.
pub(crate) const CONNECTION_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Adds the headers that the operator wrote down for a credential, as attributes named `header:NAME`. They
/// take the place of the plan's own. Only its calls get them: a token endpoint is somebody else.
pub(crate) fn add_credential_headers(request: &mut UpstreamRequest, credential: &Credential) {
    for (name, value) in &credential.attributes {
        let Some(name) = name.strip_prefix(HEADER_ATTRIBUTE) else {
            continue;
        };
        let name = HeaderName::from_bytes(name.as_bytes());
        // The configuration refuses what is no header; files that others write may hold anything.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value))
            && !CONNECTION_HEADERS.contains(&name.as_str())
        {
            request.headers.insert(name, value);
        }
    }
}

/// What the name of an attribute begins with that is a header.
const HEADER_ATTRIBUTE: &str = "header:";

fn body(planned: PlannedBody, original: &Bytes) -> Result<Bytes, PlanError> {
    match planned {
        PlannedBody::Empty => Ok(Bytes::new()),
        PlannedBody::Original => Ok(original.clone()),
        PlannedBody::Bytes(bytes) => Ok(bytes),
        PlannedBody::Patched(patches) => {
            json::apply(original, &patches).map_err(|cause| format!("its patch: {cause}"))
        }
    }
}

#[cfg(test)]
mod tests;
