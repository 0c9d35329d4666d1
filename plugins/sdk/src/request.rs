//! Builds requests, with their secrets, and plans.

use std::time::Duration;

use crate::encode::{form_encoded, json_string};
use crate::executor::{
    Body, Capture, Failure, Header, HttpRequest, Patch, Payload, Plan, Response, SecretPlace,
    SecretUse, Target,
};

impl HttpRequest {
    /// Creates a request with the client's body, unchanged, and without headers.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            headers: Vec::new(),
            forward_headers: Vec::new(),
            forward_query: Vec::new(),
            secrets: Vec::new(),
            body: Body::Original,
            options: Vec::new(),
        }
    }

    /// Creates a POST request with an urlencoded form. Add secrets to it with [`SecretPlace::Form`].
    pub fn form(url: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", form_encoded(name), form_encoded(value)))
            .collect();
        let mut request = Self::new("POST", url);
        request.body = Body::Written(Payload::Text(pairs.join("&")));
        request.header("content-type", b"application/x-www-form-urlencoded")
    }

    /// Creates a GET request without a body.
    pub fn get(url: impl Into<String>) -> Self {
        let body = Body::Empty;
        Self {
            body,
            ..Self::new("GET", url)
        }
    }

    /// Creates a POST request with the client's body, unchanged, and the content type JSON.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url).header("content-type", b"application/json")
    }

    /// Creates a POST request with a JSON text that the executor wrote.
    pub fn post_json(url: impl Into<String>, json: impl Into<String>) -> Self {
        let body = Body::Written(Payload::Text(json.into()));
        Self {
            body,
            ..Self::post(url)
        }
    }

    /// Makes the host copy the client's headers with these names, which must be in lower case; `x-acme-*` for
    /// all that begin with `x-acme-`. They replace headers of the request. The plugin does not see them.
    #[must_use]
    pub fn forward_headers(mut self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned());
        self.forward_headers.extend(names);
        self
    }

    /// Makes the host copy the parameters of the client's URL with these names.
    #[must_use]
    pub fn forward_query(mut self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned());
        self.forward_query.extend(names);
        self
    }

    /// Adds a header with a value from the operator, if there is one.
    ///
    /// # Errors
    /// When the value has control characters, which no header can have.
    pub fn optional_header(self, name: &str, value: Option<&str>) -> Result<Self, Failure> {
        match value {
            None => Ok(self),
            // The host would reject the header as a fault of the plugin, but the operator must correct
            // the value.
            Some(value) if value.contains(char::is_control) => Err(Failure::invalid_request(
                format!("the value for the header `{name}` must be one line of text"),
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

    /// Adds a secret, by its name, and its place. The host puts it there when it sends the request.
    #[must_use]
    pub fn secret(mut self, secret: &str, place: SecretPlace) -> Self {
        self.secrets.push(SecretUse {
            secret: secret.to_owned(),
            place,
        });
        self
    }

    /// Replaces the client's name of the model in the body by the provider's, if they differ. All other
    /// bytes stay as they are.
    #[must_use]
    pub fn model_of(mut self, target: &Target) -> Self {
        if target.model != target.client_model {
            let path = "/model".to_owned();
            self.body = Body::Patched(vec![Patch::Replace((path, json_string(&target.model)))]);
        }
        self
    }

    /// Adds the credential's token or API key as a bearer token.
    ///
    /// # Errors
    /// As [`Target::require_credential`].
    pub fn bearer_of(self, target: &Target) -> Result<Self, Failure> {
        let secret = target.require_credential()?.secret_name();
        Ok(self.secret(secret, SecretPlace::Bearer))
    }

    /// Returns a plan whose response passes through the plugin, cut by this framing.
    pub fn frames(self, framing: &str) -> Plan {
        self.into_plan(Response::Frames(framing.to_owned()))
    }

    /// Returns a plan whose response the host relays.
    pub fn relay(self) -> Plan {
        self.into_plan(Response::Relay)
    }

    /// Returns a plan with this handling of its response.
    pub fn into_plan(self, response: Response) -> Plan {
        Plan {
            request: self,
            response,
            captures: Vec::new(),
            state: Vec::new(),
            options: Vec::new(),
        }
    }
}

impl Plan {
    /// Lets the host wait before it sends the request. Only for a further request (`next`), which looks at a job that
    /// the one before has submitted: the instance is dropped meanwhile, and a new converter gets the plan's state.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        let millis = wait.as_millis().to_string();
        self.options.push(("after-ms".to_owned(), millis));
        self
    }

    /// Adds a value of the response, by its JSON pointer, that the host stores as the secret `name`. Only for
    /// the operation `refresh`.
    #[must_use]
    pub fn capture(self, pointer: &str, name: &str) -> Self {
        self.capture_as(pointer, "secret", name)
    }

    /// Adds the number of seconds until the token ends, by its JSON pointer.
    #[must_use]
    pub fn capture_expires_in(self, pointer: &str) -> Self {
        self.capture_as(pointer, "expires-in", "")
    }

    /// Adds the time at which the token ends, by its JSON pointer: seconds since the Unix epoch, or RFC 3339.
    #[must_use]
    pub fn capture_expires_at(self, pointer: &str) -> Self {
        self.capture_as(pointer, "expires-at", "")
    }

    fn capture_as(mut self, pointer: &str, kind: &str, name: &str) -> Self {
        self.captures.push(Capture {
            pointer: pointer.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
        });
        self
    }
}
