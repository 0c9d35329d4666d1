//! Builds requests, with their secrets, and plans.

use crate::encode::{form_encoded, json_string};
use crate::executor::{
    Body, Capture, Context, Failure, Header, HttpRequest, Patch, Plan, Response, SecretPlace,
    SecretUse,
};

impl HttpRequest {
    /// Creates a request with the client's body, unchanged, and without headers.
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

    /// Creates a POST request with an urlencoded form. Add secrets to it with [`SecretPlace::Form`].
    pub fn form(url: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", form_encoded(name), form_encoded(value)))
            .collect();
        let mut request = Self::new("POST", url);
        request.body = Body::Bytes(pairs.join("&").into_bytes());
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

    /// Adds the client's headers, which the host has filtered.
    #[must_use]
    pub fn headers_of(mut self, context: &Context) -> Self {
        self.headers.extend_from_slice(&context.headers);
        self
    }

    /// Adds the client's headers with these names, which must be in lower case.
    #[must_use]
    pub fn headers_named(mut self, context: &Context, names: &[&str]) -> Self {
        let headers = context.headers.iter();
        let named = headers.filter(|header| names.contains(&header.name.as_str()));
        self.headers.extend(named.cloned());
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
    pub fn model_of(mut self, context: &Context) -> Self {
        if context.model != context.client_model {
            let path = "/model".to_owned();
            self.body = Body::Patched(vec![Patch::Replace((path, json_string(&context.model)))]);
        }
        self
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
        }
    }
}

impl Plan {
    /// Adds a value of the response, by its JSON pointer, that the host stores as the secret `into`.
    /// `expires-in` and `expires-at` set the end of the token. Only for the operation `refresh`.
    #[must_use]
    pub fn capture(mut self, pointer: &str, into: &str) -> Self {
        self.captures.push(Capture {
            pointer: pointer.to_owned(),
            into: into.to_owned(),
        });
        self
    }
}
