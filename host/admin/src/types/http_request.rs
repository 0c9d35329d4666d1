//! Request and response of `POST /http-request`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A request to send with a credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// Id of the credential.
    pub credential: String,
    /// The method; `GET` if it is missing.
    #[serde(default)]
    pub method: String,
    /// An absolute URL, of an origin that calls with the credential may use.
    pub url: String,
    /// The headers. The executor adds the secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    #[serde(default)]
    pub body: Option<String>,
    /// The body in Base64, instead of `body`.
    #[serde(default)]
    pub body_base64: Option<String>,
}

/// The provider's response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The headers, with all values of each.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body, if it is UTF-8.
    pub body: Option<String>,
    /// The body in Base64, if it is not UTF-8.
    pub body_base64: Option<String>,
}
