//! Executors: the trait to implement, the types of the contract, and shorthands.

use crate::bindings::executor_world as world;
use crate::encode::{form_encoded, json_string};
use crate::refresh;

pub use world::exports::jackfield::plugin::executor::{
    Capture, Descriptor, Frame, Framing, Model, Output, Plan, Response,
};
pub use world::jackfield::plugin::client_body;
pub use world::jackfield::plugin::types::{
    Body, Context, Credential, Failure, Header, HttpHead, HttpRequest, Patch, Scope, SecretPlace,
    SecretUse, Usage,
};

/// Speaks to one kind of provider. See `wit/executor.wit` for the promises and the order of calls.
pub trait Executor: 'static {
    /// The answers that this executor wants to see; [`RelayReply`] if it has none of them.
    type Reply: Reply;

    /// Says what the executor is.
    fn describe() -> Descriptor;

    /// Plans one attempt of one operation.
    ///
    /// # Errors
    /// A [`Failure`] where there is nothing to send: the host rotates or answers by its scope.
    fn prepare(context: Context) -> Result<Plan, Failure>;

    /// Classifies an error answer; called only if [`Descriptor::judges_errors`]. The kind
    /// [`Failure::UNCLASSIFIED`] leaves it to the host.
    fn judge(_context: Context, head: HttpHead, _body: Vec<u8>) -> Failure {
        let message = format!("the provider said {}", head.status);
        Failure {
            status: Some(head.status),
            ..Failure::new(Scope::Model, Failure::UNCLASSIFIED, message)
        }
    }

    /// Counts tokens without asking the provider; none leaves it to the host.
    ///
    /// # Errors
    /// A [`Failure`] where the body cannot be counted.
    fn count_tokens(_context: Context) -> Result<Option<u64>, Failure> {
        Ok(None)
    }

    /// Whether a credential should be refreshed now; none leaves it to interval and lead. Called only
    /// if the descriptor says so: [`Descriptor::evaluates_refresh`]. What is known of the tokens is
    /// told by [`Credential::token_expires_at_ms`] and [`Credential::token_refreshed_at_ms`].
    fn should_refresh(_credential: Credential, _now_ms: u64) -> Option<bool> {
        None
    }
}

/// The answer to one plan that asked for `whole` or `frames`.
pub trait Reply: Sized + 'static {
    /// Begins with the plan's state.
    fn begin(context: Context, state: Vec<u8>) -> Self;

    /// Turns the head of the provider's answer into that of the client's.
    ///
    /// # Errors
    /// A [`Failure`] where the answer is no success after all.
    fn head(&mut self, head: HttpHead) -> Result<HttpHead, Failure> {
        Ok(head)
    }

    /// Takes the frames that are ready; `last` if the answer has ended.
    ///
    /// # Errors
    /// A [`Failure`] where the answer is no success after all.
    fn push(&mut self, frames: Vec<Frame>, last: bool) -> Result<Output, Failure>;
}

/// The reply of an executor whose plans are all relayed. It is never made.
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
    /// An executor of this version that generates in one dialect, and leaves the rest to the host.
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

    /// With one more operation that it plans.
    #[must_use]
    pub fn operation(mut self, operation: &str) -> Self {
        self.operations.push(operation.to_owned());
        self
    }

    /// With one more dialect that it accepts, after those before.
    #[must_use]
    pub fn dialect(mut self, dialect: &str) -> Self {
        self.dialects.push(dialect.to_owned());
        self
    }

    /// With the base URL that holds where the operator writes none.
    #[must_use]
    pub fn default_base_url(mut self, url: &str) -> Self {
        let option = ("default-base-url".to_owned(), url.to_owned());
        self.options.push(option);
        self
    }

    /// With a judgement of its own on error answers.
    #[must_use]
    pub fn judges_errors(mut self) -> Self {
        self.judges_errors = true;
        self
    }

    /// With the refresh that [`refresh::plan`] plans. Where a provider's token endpoint is only its
    /// operator knows, who grants it.
    #[must_use]
    pub fn refreshes_tokens(mut self) -> Self {
        self.refresh_lead_ms = Some(refresh::LEAD_MS);
        self.operation("refresh").host("*")
    }

    /// With a host that it may have to reach beside the credential's own: exact, `*.suffix`, or `*`.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_owned());
        self
    }

    /// With an opinion of its own on when tokens are refreshed: [`Executor::should_refresh`].
    #[must_use]
    pub fn evaluates_refresh(mut self) -> Self {
        let option = ("evaluates-refresh".to_owned(), "true".to_owned());
        self.options.push(option);
        self
    }
}

impl SecretPlace {
    /// The id of an OAuth 2.0 client, in HTTP Basic authentication: form-encoded first, as RFC 6749,
    /// section 2.3.1, has it.
    pub fn oauth_client_id() -> Self {
        oauth_client_basic("id")
    }

    /// The secret that belongs to [`Self::oauth_client_id`].
    pub fn oauth_client_secret() -> Self {
        oauth_client_basic("secret")
    }
}

fn oauth_client_basic(part: &str) -> SecretPlace {
    let parameters = vec![("part".to_owned(), part.to_owned())];
    SecretPlace::Scheme(("oauth-client-basic".to_owned(), parameters))
}

impl Context {
    /// An option by its name, such as the `url` of a raw request.
    pub fn option(&self, name: &str) -> Option<&str> {
        let mut options = self.options.iter();
        options.find_map(|(found, value)| (found == name).then_some(value.as_str()))
    }

    /// The values of one of the client's headers.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let headers = self.headers.iter();
        let named = headers.filter(move |header| header.name == name);
        named.map(|header| header.value.as_slice())
    }

    /// The credential that was chosen.
    ///
    /// # Errors
    /// Where none was: every operation so far needs one.
    pub fn require_credential(&self) -> Result<&Credential, Failure> {
        let none = || Failure::new(Scope::Request, "authentication", "no credential was chosen");
        self.credential.as_ref().ok_or_else(none)
    }

    /// What `http-request` asks for: somebody else's request, which gets nothing but the secret.
    ///
    /// # Errors
    /// Where it has no method or no URL.
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
    /// Whether the host holds a secret of this name for it.
    pub fn has_secret(&self, name: &str) -> bool {
        self.secret_fields.iter().any(|field| field == name)
    }

    /// The secret that a request carries: an access token before an API key.
    pub fn secret_name(&self) -> &'static str {
        if self.has_secret("access-token") {
            "access-token"
        } else {
            "api-key"
        }
    }

    /// What the operator wrote down under this name; none if that is empty.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find_map(|(found, value)| (found == name).then_some(value.as_str()))
            .filter(|value| !value.is_empty())
    }

    /// When the access token ends, in milliseconds since the Unix epoch; known only to
    /// [`Executor::should_refresh`].
    pub fn token_expires_at_ms(&self) -> Option<u64> {
        self.attribute("token-expires-at-ms")?.parse().ok()
    }

    /// When the tokens were last refreshed, as [`Self::token_expires_at_ms`].
    pub fn token_refreshed_at_ms(&self) -> Option<u64> {
        self.attribute("token-refreshed-at-ms")?.parse().ok()
    }
}

impl Plan {
    /// Has the host take a value out of the answer (a JSON pointer), and keep it as a secret.
    #[must_use]
    pub fn capture(mut self, pointer: &str, into: &str) -> Self {
        self.captures.push(Capture {
            pointer: pointer.to_owned(),
            into: into.to_owned(),
        });
        self
    }
}

impl HttpRequest {
    /// A request with the client's body as it is, and no header.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            headers: Vec::new(),
            secrets: Vec::new(),
            body: Body::Original,
            options: Vec::new(),
        }
    }

    /// A POST of a form with these fields, urlencoded. Secrets are added to it with
    /// [`SecretPlace::Form`].
    pub fn form(url: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", form_encoded(name), form_encoded(value)))
            .collect();
        let mut request = Self::new("POST", url);
        request.body = Body::Bytes(pairs.join("&").into_bytes());
        request.header("content-type", b"application/x-www-form-urlencoded")
    }

    /// A GET, without a body.
    pub fn get(url: impl Into<String>) -> Self {
        let body = Body::Empty;
        Self {
            body,
            ..Self::new("GET", url)
        }
    }

    /// A POST of the client's body as it is, said to be JSON.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url).header("content-type", b"application/json")
    }

    /// Adds the client's headers, which the host has sifted.
    #[must_use]
    pub fn headers_of(mut self, context: &Context) -> Self {
        self.headers.extend_from_slice(&context.headers);
        self
    }

    /// Adds those of the client's headers that have one of these names.
    #[must_use]
    pub fn headers_named(mut self, context: &Context, names: &[&str]) -> Self {
        let headers = context.headers.iter();
        let named = headers.filter(|header| names.contains(&header.name.as_str()));
        self.headers.extend(named.cloned());
        self
    }

    /// Adds a header whose value an operator wrote down, if they did.
    ///
    /// # Errors
    /// Where it has characters that no header can hold.
    pub fn optional_header(self, name: &str, value: Option<&str>) -> Result<Self, Failure> {
        match value {
            None => Ok(self),
            Some(value) if value.contains(char::is_control) => Err(Failure::invalid_request(
                format!("what is set for the header `{name}` must be one line of text"),
            )),
            Some(value) => Ok(self.header(name, value.as_bytes())),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push(Header {
            name: name.to_owned(),
            value: value.to_vec(),
        });
        self
    }

    /// Has the host put a secret somewhere.
    #[must_use]
    pub fn secret(mut self, secret: &str, place: SecretPlace) -> Self {
        self.secrets.push(SecretUse {
            secret: secret.to_owned(),
            place,
        });
        self
    }

    /// Sends the client's body with the provider's name of the model in it: as it is where the
    /// client already used that name, otherwise with just those bytes replaced.
    #[must_use]
    pub fn model_of(mut self, context: &Context) -> Self {
        if context.model != context.client_model {
            let path = "/model".to_owned();
            self.body = Body::Patched(vec![Patch::Replace((path, json_string(&context.model)))]);
        }
        self
    }

    /// A plan whose answer the host relays.
    pub fn relay(self) -> Plan {
        self.into_plan(Response::Relay)
    }

    /// A plan whose answer comes back in this way.
    pub fn into_plan(self, response: Response) -> Plan {
        Plan {
            request: self,
            response,
            captures: Vec::new(),
            state: Vec::new(),
        }
    }
}

impl Failure {
    /// The kind of an error answer that is left to the host: its own rules classify it, and of the
    /// judgement only `retry_after_ms` and `body` count.
    pub const UNCLASSIFIED: &str = "unclassified";

    /// The answer to what cannot be planned, because the request or the operator's settings do not
    /// allow it. No credential is blamed.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(Scope::Request, "invalid", message)
    }

    /// A failure of this scope and kind, with nothing more known of it.
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

    /// The answer to a call in a dialect that the executor did not declare.
    pub fn unsupported_dialect(dialect: &str) -> Self {
        Self::new(
            Scope::Request,
            "unsupported",
            format!("this executor does not speak `{dialect}`"),
        )
    }

    /// The answer to an operation that the executor does not know.
    pub fn unsupported_operation(operation: &str) -> Self {
        Self::new(
            Scope::Request,
            "unsupported",
            format!("this executor has no operation `{operation}`"),
        )
    }
}

impl Output {
    /// These frames for the client, and more to come.
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
    //! From the traits above to the ones that the bindings want.

    use std::cell::RefCell;
    use std::marker::PhantomData;

    use super::{
        Context, Credential, Descriptor, Executor, Failure, Frame, HttpHead, Output, Plan, Reply,
    };
    use crate::bindings::executor_world::exports::jackfield::plugin::executor as contract;

    /// The component that a type makes.
    pub struct Component<E>(PhantomData<E>);

    /// One live reply.
    pub struct ReplyCell<R>(RefCell<R>);

    impl<E: Executor> contract::Guest for Component<E> {
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
            self.0.borrow_mut().head(head)
        }

        fn push(&self, frames: Vec<Frame>, last: bool) -> Result<Output, Failure> {
            self.0.borrow_mut().push(frames, last)
        }
    }
}

/// Makes a component of a type that is an [`Executor`](executor::Executor).
#[macro_export]
macro_rules! export_executor {
    ($executor:ty) => {
        type __JackfieldComponent = $crate::executor::export::Component<$executor>;
        $crate::bindings::executor_world::__export_executor_world!(
            __JackfieldComponent with_types_in $crate::bindings::executor_world
        );
    };
}
