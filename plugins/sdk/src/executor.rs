//! Executors: the trait to implement, the types of the contract, and functions to build plans.

use crate::bindings::executor_world as world;

pub use world::exports::jackfield::plugin::executor::{
    Capture, Descriptor, Frame, Framing, Model, Output, Plan, Response,
};
pub use world::jackfield::plugin::client_body;
pub use world::jackfield::plugin::types::{
    Body, Context, Credential, Failure, Header, HttpHead, HttpRequest, Patch, Scope, SecretPlace,
    SecretUse, Usage,
};

/// An executor: it plans requests to one kind of provider. `wit/executor.wit` has the promises of the host
/// and the order of calls. An executor must be pure: the same input gives the same result.
pub trait Executor: 'static {
    /// Converts the responses of plans with `whole` or `frames`; [`RelayReply`] if all plans are relayed.
    type Reply: Reply;

    /// Returns the descriptor. The host calls it once, when it loads the plugin.
    fn describe() -> Descriptor;

    /// Plans one attempt of one operation.
    ///
    /// # Errors
    /// A [`Failure`] if there is no request to send. Its scope decides whether the host tries another
    /// credential or sends the failure to the client.
    fn prepare(context: Context) -> Result<Plan, Failure>;

    /// Classifies an error response (status 400 or more). The host calls it only with
    /// [`Descriptor::judges_errors`]. The kind [`Failure::UNCLASSIFIED`] leaves the response to the host.
    fn judge(_context: Context, head: HttpHead, _body: Vec<u8>) -> Failure {
        let message = format!("the provider returned status {}", head.status);
        Failure {
            status: Some(head.status),
            ..Failure::new(Scope::Model, Failure::UNCLASSIFIED, message)
        }
    }

    /// Counts the tokens of the client's body without a request to the provider. `None` leaves it to the
    /// host. Reserved: the host does not call it yet.
    ///
    /// # Errors
    /// A [`Failure`] if the body cannot be counted.
    fn count_tokens(_context: Context) -> Result<Option<u64>, Failure> {
        Ok(None)
    }

    /// Decides whether a credential should be refreshed now. `None` leaves it to the operator's interval
    /// and to the lead. The host calls it only with [`Descriptor::evaluates_refresh`].
    /// [`Credential::token_expires_at_ms`] and [`Credential::token_refreshed_at_ms`] have the times of the
    /// tokens.
    fn should_refresh(_credential: Credential, _now_ms: u64) -> Option<bool> {
        None
    }
}

/// Converts the response of one plan with [`Response::Whole`] or [`Response::Frames`].
pub trait Reply: Sized + 'static {
    /// Creates the reply with the plan's state. It may run in another instance than `prepare`.
    fn begin(context: Context, state: Vec<u8>) -> Self;

    /// Converts the status and headers of the provider's response into those for the client.
    ///
    /// # Errors
    /// A [`Failure`] if the response is an error in spite of its status.
    fn head(&mut self, head: HttpHead) -> Result<HttpHead, Failure> {
        Ok(head)
    }

    /// Converts the frames that are complete. `last` means that the response has ended.
    ///
    /// # Errors
    /// A [`Failure`] if the response turns out to be an error. Before the first content the host tries
    /// another credential; after it the client's stream ends with an error event.
    fn push(&mut self, frames: Vec<Frame>, last: bool) -> Result<Output, Failure>;
}

/// The reply of an executor whose plans are all relayed. The host never creates it.
pub struct RelayReply;

impl Reply for RelayReply {
    fn begin(_context: Context, _state: Vec<u8>) -> Self {
        Self
    }

    fn push(&mut self, frames: Vec<Frame>, _last: bool) -> Result<Output, Failure> {
        Ok(Output::frames(frames))
    }
}

impl Descriptor {
    /// Creates a descriptor with the version of the plugin, one dialect, and the operation `generate`.
    pub fn new(version: &str, dialect: &str) -> Self {
        Self {
            version: version.to_owned(),
            dialects: vec![dialect.to_owned()],
            operations: vec!["generate".to_owned()],
            hosts: Vec::new(),
            refresh_lead_ms: None,
            judges_errors: false,
            models: Vec::new(),
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
        let option = ("default-base-url".to_owned(), url.to_owned());
        self.options.push(option);
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

    /// Makes the host call [`Executor::judge`] for error responses.
    #[must_use]
    pub fn judges_errors(mut self) -> Self {
        self.judges_errors = true;
        self
    }

    /// Adds a host that plans may name beside the host of `base-url`: `auth.example.com`, `*.example.com`
    /// or `*`. The operator must grant its origin too.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_owned());
        self
    }

    /// Makes the host call [`Executor::should_refresh`]. The descriptor needs the operation `refresh` too.
    #[must_use]
    pub fn evaluates_refresh(mut self) -> Self {
        let option = ("evaluates-refresh".to_owned(), "true".to_owned());
        self.options.push(option);
        self
    }
}

impl Context {
    /// Returns an option by name, such as the `url` of a raw request.
    pub fn option(&self, name: &str) -> Option<&str> {
        let mut options = self.options.iter();
        options.find_map(|(found, value)| (found == name).then_some(value.as_str()))
    }

    /// Returns the values of a header of the client. The name must be in lower case.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let headers = self.headers.iter();
        let named = headers.filter(move |header| header.name == name);
        named.map(|header| header.value.as_slice())
    }

    /// Returns the credential of the attempt.
    ///
    /// # Errors
    /// When there is none. All present operations have one.
    pub fn require_credential(&self) -> Result<&Credential, Failure> {
        let none = || Failure::new(Scope::Request, "authentication", "no credential was chosen");
        self.credential.as_ref().ok_or_else(none)
    }

    /// Returns the request of the operation `http-request`: the caller's method, URL and headers, and the
    /// body as it is. Add the secret to it.
    ///
    /// # Errors
    /// When the context has no method or no URL.
    pub fn raw_request(&self) -> Result<HttpRequest, Failure> {
        let (Some(method), Some(url)) = (self.option("method"), self.option("url")) else {
            return Err(Failure::invalid_request(
                "a raw request needs the options `method` and `url`",
            ));
        };
        Ok(HttpRequest::new(method, url).headers_of(self))
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
    /// Only in [`Executor::should_refresh`].
    pub fn token_expires_at_ms(&self) -> Option<u64> {
        self.attribute("token-expires-at-ms")?.parse().ok()
    }

    /// Returns the time of the last refresh, in milliseconds since the Unix epoch, if there was one. Only
    /// in [`Executor::should_refresh`].
    pub fn token_refreshed_at_ms(&self) -> Option<u64> {
        self.attribute("token-refreshed-at-ms")?.parse().ok()
    }
}

impl Failure {
    /// The kind that leaves an error response to the host's own rules. The host uses only
    /// `retry_after_ms` and `body` of such a failure.
    pub const UNCLASSIFIED: &str = "unclassified";

    /// Returns a failure for a request that cannot be planned, because of the client's request or the
    /// operator's settings. The host does not try another credential, and none cools.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(Scope::Request, "invalid", message)
    }

    /// Returns a failure without a status, a retry time and a body.
    pub fn new(scope: Scope, kind: &str, message: impl Into<String>) -> Self {
        Self {
            scope,
            kind: kind.to_owned(),
            status: None,
            message: message.into(),
            retry_after_ms: None,
            refresh_suggested: false,
            body: None,
        }
    }

    /// Returns the failure for a dialect that the executor did not declare.
    pub fn unsupported_dialect(dialect: &str) -> Self {
        Self::new(
            Scope::Request,
            "unsupported",
            format!("this executor does not support the dialect `{dialect}`"),
        )
    }

    /// Returns the failure for an operation that the executor did not declare.
    pub fn unsupported_operation(operation: &str) -> Self {
        Self::new(
            Scope::Request,
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
        }
    }
}

#[doc(hidden)]
pub mod export {
    //! Implements the traits of the bindings for the traits above.

    use std::cell::RefCell;
    use std::marker::PhantomData;

    use super::{
        Context, Credential, Descriptor, Executor, Failure, Frame, HttpHead, Output, Plan, Reply,
    };
    use crate::bindings::executor_world::exports::jackfield::plugin::executor as contract;

    /// The component of an executor type.
    pub struct ExecutorComponent<E>(PhantomData<E>);

    /// A reply that the host has created.
    pub struct ReplyCell<R>(RefCell<R>);

    impl<E: Executor> contract::Guest for ExecutorComponent<E> {
        type Reply = ReplyCell<E::Reply>;

        fn describe() -> Descriptor {
            E::describe()
        }

        fn prepare(context: Context) -> Result<Plan, Failure> {
            E::prepare(context)
        }

        fn count_tokens(context: Context) -> Result<Option<u64>, Failure> {
            E::count_tokens(context)
        }

        fn judge(context: Context, head: HttpHead, body: Vec<u8>) -> Failure {
            E::judge(context, head, body)
        }

        fn should_refresh(credential: Credential, now_ms: u64) -> Option<bool> {
            E::should_refresh(credential, now_ms)
        }
    }

    impl<R: Reply> contract::GuestReply for ReplyCell<R> {
        fn new(context: Context, state: Vec<u8>) -> Self {
            Self(RefCell::new(R::begin(context, state)))
        }

        fn head(&self, head: HttpHead) -> Result<HttpHead, Failure> {
            // The host makes one call at a time in an instance, so the cell is never borrowed twice.
            self.0.borrow_mut().head(head)
        }

        fn push(&self, frames: Vec<Frame>, last: bool) -> Result<Output, Failure> {
            self.0.borrow_mut().push(frames, last)
        }
    }
}

/// Exports a type that implements [`Executor`](executor::Executor) as the component's executor.
#[macro_export]
macro_rules! export_executor {
    ($executor:ty) => {
        type __JackfieldComponent = $crate::executor::export::ExecutorComponent<$executor>;
        $crate::bindings::executor_world::__export_executor_world!(
            __JackfieldComponent with_types_in $crate::bindings::executor_world
        );
    };
}
