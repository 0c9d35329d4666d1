//! Executors: the traits to implement, the types of the contract, and functions to build plans.

use crate::bindings::imports::jackfield::plugin as host;

pub use crate::bindings::planner::exports::jackfield::plugin::planner::Descriptor;
pub use crate::bindings::quotas::exports::jackfield::plugin::quotas::{QuotaHeaders, ResetForm};
pub use crate::bindings::reply::exports::jackfield::plugin::reply::Output;
pub use host::types::{
    Body, Capture, Credential, Failure, Frame, Header, HttpHead, HttpRequest, Patch, Payload, Plan,
    Response, SecretPlace, SecretUse, Target, Usage,
};
pub use host::{call, client, client_body};

/// The parts to which a failure may belong; see `scope` in `wit/types.wit`.
pub struct Scope;

impl Scope {
    /// The client's request, which no credential can serve.
    pub const REQUEST: &str = "request";
    /// This model of this credential.
    pub const MODEL: &str = "model";
    /// This credential, for all models.
    pub const CREDENTIAL: &str = "credential";
    /// The provider.
    pub const PROVIDER: &str = "provider";
    /// The connection.
    pub const TRANSPORT: &str = "transport";
}

/// An executor: it plans requests to one kind of provider. `wit/planner.wit` has the promises of the host. An
/// executor must be pure: the same target, settings and values from the host give the same result.
///
/// What else it does is in the traits [`JudgeHead`], [`Judge`], [`Quotas`], [`Refresh`] and [`Reply`].
/// [`export_executor!`](crate::export_executor) exports those that it names.
pub trait Executor: 'static {
    /// Returns the descriptor. The host calls it once, when it loads the plugin.
    fn describe() -> Descriptor;

    /// Plans one attempt of one operation. The functions of [`client`] and [`client_body`] have what differs from
    /// call to call. The host remembers the plan with what was read there, and does not call again while that is
    /// the same.
    ///
    /// # Errors
    /// A [`Failure`] if there is no request to send. Its scope decides whether the host tries another
    /// credential or sends the failure to the client.
    fn prepare(target: Target) -> Result<Plan, Failure>;
}

/// Classifies error responses (status 400 or more) by their heads.
pub trait JudgeHead: Executor {
    /// Classifies an error response. `None` leaves it to [`Judge`], or to the host.
    fn judge_head(target: Target, head: HttpHead) -> Option<Failure>;
}

/// Classifies error responses (status 400 or more) with their bodies.
pub trait Judge: Executor {
    /// Classifies an error response. `None`, and the kind [`Failure::UNCLASSIFIED`], leave it to the host.
    fn judge(target: Target, head: HttpHead, body: Payload) -> Option<Failure>;
}

/// Declares the headers in which responses say what is left of an allowance.
pub trait Quotas: Executor {
    /// Returns the table: at most 16 rows. The host calls it once, when it loads the plugin.
    fn quota_headers() -> Vec<QuotaHeaders>;
}

/// Decides when tokens are refreshed.
pub trait Refresh: Executor {
    /// Decides whether a credential should be refreshed now. `None` leaves it to the operator's interval
    /// and to the lead. [`Credential::token_expires_at_ms`] and [`Credential::token_refreshed_at_ms`] have
    /// the times of the tokens.
    fn due(credential: Credential, now_ms: u64) -> Option<bool>;
}

/// Converts the responses of plans with [`Response::Whole`] or [`Response::Frames`].
pub trait Reply: Executor {
    /// Converts the response of one plan.
    type Converter: Converter;
}

/// Converts the response of one plan.
pub trait Converter: Sized + 'static {
    /// Creates the converter with the plan's state. It may run in another instance than `prepare`.
    fn begin(target: Target, state: Vec<u8>) -> Self;

    /// Looks at the status and headers of the provider's response.
    ///
    /// # Errors
    /// A [`Failure`] if the response is an error in spite of its status.
    fn head(&mut self, _head: HttpHead) -> Result<(), Failure> {
        Ok(())
    }

    /// Converts the frames that are complete. `last` means that the response has ended.
    ///
    /// # Errors
    /// A [`Failure`] if the response turns out to be an error. Before the first content the host tries
    /// another credential; after it the client's stream ends with an error event.
    fn push(&mut self, frames: Vec<Frame>, last: bool) -> Result<Output, Failure>;
}

impl Descriptor {
    /// Creates a descriptor with the version of the plugin, one dialect, and the operation `generate`.
    pub fn new(version: &str, dialect: &str) -> Self {
        Self {
            version: version.to_owned(),
            dialects: vec![dialect.to_owned()],
            operations: vec!["generate".to_owned()],
            hosts: Vec::new(),
            default_base_url: None,
            refresh_lead_ms: None,
            options: Vec::new(),
        }
    }

    /// Adds an operation that the executor plans.
    #[must_use]
    pub fn operation(mut self, operation: &str) -> Self {
        self.operations.push(operation.to_owned());
        self
    }

    /// Adds a dialect that the executor accepts. The preferred one comes first.
    #[must_use]
    pub fn dialect(mut self, dialect: &str) -> Self {
        self.dialects.push(dialect.to_owned());
        self
    }

    /// Declares the base URL of the provider's API. The host uses it for providers without a `base-url`, but
    /// only if the executor is a built-in one.
    #[must_use]
    pub fn default_base_url(mut self, url: &str) -> Self {
        self.default_base_url = Some(url.to_owned());
        self
    }

    /// Declares that models whose names match speak only this one of the dialects. `pattern` is a name, or the
    /// beginning of names and `*`. The first pattern that matches counts.
    #[must_use]
    pub fn dialect_of_models(mut self, pattern: &str, dialect: &str) -> Self {
        let rule = format!("{pattern}={dialect}");
        self.options.push(("dialect-of-models".to_owned(), rule));
        self
    }

    /// Adds a host that plans may name beside the host of `base-url`: `auth.example.com`, `*.example.com`
    /// or `*`. The operator must grant its origin too.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_owned());
        self
    }
}

impl Target {
    /// Returns an option by name, such as the `url` of a raw request.
    pub fn option(&self, name: &str) -> Option<&str> {
        let mut options = self.options.iter();
        options.find_map(|(found, value)| (found == name).then_some(value.as_str()))
    }

    /// Returns the credential of the attempt.
    ///
    /// # Errors
    /// When there is none. All present operations have one.
    pub fn require_credential(&self) -> Result<&Credential, Failure> {
        let none = || Failure::new(Scope::REQUEST, "authentication", "no credential was chosen");
        self.credential.as_ref().ok_or_else(none)
    }

    /// Returns the URL of a path below the credential's base URL.
    ///
    /// # Errors
    /// As [`Self::require_credential`].
    pub fn url(&self, path: &str) -> Result<String, Failure> {
        Ok(format!("{}{path}", self.require_credential()?.base_url))
    }

    /// Returns the request of the operation `http-request`: the caller's method and URL, and the body as it is.
    /// The host adds the caller's headers that the request does not have. Add the secret to it.
    ///
    /// # Errors
    /// When the target has no method or no URL.
    pub fn raw_request(&self) -> Result<HttpRequest, Failure> {
        let (Some(method), Some(url)) = (self.option("method"), self.option("url")) else {
            return Err(Failure::invalid_request(
                "a raw request needs the options `method` and `url`",
            ));
        };
        Ok(HttpRequest::new(method, url))
    }
}

impl Credential {
    /// Returns true if the host has a secret of this name for the credential.
    pub fn has_secret(&self, name: &str) -> bool {
        self.secret_fields.iter().any(|field| field == name)
    }

    /// Returns the name of the secret for requests: `access-token` if there is one, otherwise `api-key`.
    pub fn secret_name(&self) -> &'static str {
        if self.has_secret("access-token") {
            "access-token"
        } else {
            "api-key"
        }
    }

    /// Returns the value of an attribute that the operator set; none if it is empty.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find_map(|(found, value)| (found == name).then_some(value.as_str()))
            .filter(|value| !value.is_empty())
    }

    /// Returns the end of the access token, in milliseconds since the Unix epoch, if the host knows it.
    /// Only in [`Refresh::due`].
    pub fn token_expires_at_ms(&self) -> Option<u64> {
        self.attribute("token-expires-at-ms")?.parse().ok()
    }

    /// Returns the time of the last refresh, in milliseconds since the Unix epoch, if there was one. Only
    /// in [`Refresh::due`].
    pub fn token_refreshed_at_ms(&self) -> Option<u64> {
        self.attribute("token-refreshed-at-ms")?.parse().ok()
    }
}

impl Payload {
    /// Returns the bytes, of a text those of its UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Returns the text; `None` if it is not UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        }
    }
}

impl Failure {
    /// The kind that leaves an error response to the host's own rules. The host uses only
    /// `retry_after_ms` and `body` of such a failure.
    pub const UNCLASSIFIED: &str = "unclassified";

    /// Returns a failure for a request that cannot be planned, because of the client's request or the
    /// operator's settings. The host does not try another credential, and none cools.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(Scope::REQUEST, "invalid", message)
    }

    /// Returns a failure without a status, a retry time and a body. [`Scope`] has the scopes.
    pub fn new(scope: &str, kind: &str, message: impl Into<String>) -> Self {
        Self {
            scope: scope.to_owned(),
            kind: kind.to_owned(),
            status: None,
            message: message.into(),
            retry_after_ms: None,
            refresh_suggested: false,
            body: None,
            options: Vec::new(),
        }
    }

    /// Returns a failure of the part to which a kind usually belongs: `authentication`, `billing` and `permission` to the
    /// credential; `quota` and `rate-limit` to the model; `invalid`, `not-found` and `unsupported` to the request; all
    /// others to the provider.
    pub fn classified(kind: &str, message: impl Into<String>) -> Self {
        let scope = match kind {
            "authentication" | "billing" | "permission" => Scope::CREDENTIAL,
            "quota" | "rate-limit" => Scope::MODEL,
            "invalid" | "not-found" | "unsupported" => Scope::REQUEST,
            _ => Scope::PROVIDER,
        };
        Self::new(scope, kind, message)
    }

    /// Sets the time after which the provider allows a retry, if it is known, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after_ms = seconds.map(|seconds| seconds.saturating_mul(1_000));
        self
    }

    /// Returns the failure for a dialect that the executor did not declare.
    pub fn unsupported_dialect(dialect: &str) -> Self {
        Self::new(
            Scope::REQUEST,
            "unsupported",
            format!("this executor does not support the dialect `{dialect}`"),
        )
    }

    /// Returns the failure for an operation that the executor did not declare.
    pub fn unsupported_operation(operation: &str) -> Self {
        Self::new(
            Scope::REQUEST,
            "unsupported",
            format!("this executor does not support the operation `{operation}`"),
        )
    }
}

impl Output {
    /// Returns an output with frames for the client, and without an end.
    pub fn frames(frames: Vec<Frame>) -> Self {
        Self {
            frames,
            usage: None,
            done: false,
            next: None,
            options: Vec::new(),
        }
    }
}

#[doc(hidden)]
pub mod export;

/// Exports a type that implements [`Executor`](executor::Executor) as the component's executor, and those of
/// its other traits that are named: `judge_head`, `judge`, `quotas`, `refresh`, `reply`, `typed_reply`.
///
/// ```ignore
/// jackfield_plugin::export_executor!(Mine, judge, reply);
/// ```
#[macro_export]
macro_rules! export_executor {
    ($executor:ty $(, $export:ident)* $(,)?) => {
        type __JackfieldComponent = $crate::executor::export::ExecutorComponent<$executor>;
        $crate::bindings::planner::__export_planner!(
            __JackfieldComponent with_types_in $crate::bindings::planner
        );
        $($crate::__export_executor_part!($export);)*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_executor_part {
    (judge_head) => {
        $crate::bindings::judge_head::__export_judge_head!(
            __JackfieldComponent with_types_in $crate::bindings::judge_head
        );
    };
    (judge) => {
        $crate::bindings::judge::__export_judge!(
            __JackfieldComponent with_types_in $crate::bindings::judge
        );
    };
    (quotas) => {
        $crate::bindings::quotas::__export_quotas!(
            __JackfieldComponent with_types_in $crate::bindings::quotas
        );
    };
    (refresh) => {
        $crate::bindings::refresh::__export_refresh!(
            __JackfieldComponent with_types_in $crate::bindings::refresh
        );
    };
    (reply) => {
        $crate::bindings::reply::__export_reply!(
            __JackfieldComponent with_types_in $crate::bindings::reply
        );
    };
    (typed_reply) => {
        $crate::bindings::typed_reply::__export_typed_reply!(
            __JackfieldComponent with_types_in $crate::bindings::typed_reply
        );
    };
}
