//! Puts secrets into a request. The only code that exposes a secret to a request's bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use jackfield_dialect::json::{self, Patch};

use super::check_header;
use super::error::PlanError;
use crate::plan::{SecretPlace, UpstreamRequest};

/// A request that gets its secrets.
pub(super) struct SecretPlacer {
    request: UpstreamRequest,
    /// User and password of HTTP Basic authentication, once one of them is known.
    basic: Option<(String, String)>,
    /// Whether the executor wrote the body. A client's body gets no secret.
    own_body: bool,
}

impl SecretPlacer {
    pub(super) fn new(request: UpstreamRequest, own_body: bool) -> Self {
        Self {
            request,
            basic: None,
            own_body,
        }
    }

    /// Puts one secret into its place.
    pub(super) fn place(&mut self, secret: &str, place: SecretPlace) -> Result<(), PlanError> {
        match place {
            SecretPlace::Bearer => self.header(AUTHORIZATION, &format!("Bearer {secret}")),
            SecretPlace::Header { name, prefix } => {
                let name = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| PlanError::HeaderName(name))?;
                self.header(name, &format!("{prefix}{secret}"))
            }
            SecretPlace::Query(name) => {
                self.request
                    .url
                    .query_pairs_mut()
                    .append_pair(&name, secret);
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
            // RFC 6749 form-encodes both parts first, so that a client id may contain a colon. Plain
            // HTTP Basic does not.
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
            SecretPlace::Scheme(scheme) => Err(PlanError::UnknownScheme(scheme)),
        }
    }

    fn header(&mut self, name: HeaderName, value: &str) -> Result<(), PlanError> {
        check_header(&name)?;
        let mut value =
            HeaderValue::from_str(value).map_err(|_| PlanError::HeaderValue(name.clone()))?;
        // Hides the value in debug output, and excludes it from the compression table of HTTP/2.
        value.set_sensitive(true);
        self.request.headers.insert(name, value);
        Ok(())
    }

    fn form(&mut self, field: &str, secret: &str) -> Result<(), PlanError> {
        self.require_own_body()?;
        let mut form =
            String::from_utf8(self.request.body.to_vec()).map_err(|_| PlanError::FormNotText)?;
        if !form.is_empty() {
            form.push('&');
        }
        let pair = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(field, secret)
            .finish();
        form.push_str(&pair);
        self.request.body = form.into();
        Ok(())
    }

    fn json(&mut self, path: String, secret: &str) -> Result<(), PlanError> {
        self.require_own_body()?;
        let value = serde_json::Value::from(secret).to_string();
        self.request.body = json::apply(&self.request.body, &[Patch::Add { path, value }])
            .map_err(|_| PlanError::JsonPointer)?;
        Ok(())
    }

    fn require_own_body(&self) -> Result<(), PlanError> {
        if self.own_body {
            return Ok(());
        }
        Err(PlanError::SecretInClientBody)
    }

    /// The request with all its secrets.
    pub(super) fn finish(mut self) -> Result<UpstreamRequest, PlanError> {
        if let Some((user, password)) = self.basic.take() {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            self.header(AUTHORIZATION, &value)?;
        }
        Ok(self.request)
    }
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
