//! Puts secrets into their places in a request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use jackfield_credential::Timestamp;
use jackfield_dialect::json::{self, Patch};

use super::BuiltRequest;
use super::account::Account;
use super::error::PlanError;
use super::schemes::PlannedSchemes;
use super::secret_fields::{append_form_field, set_secret_header};
use crate::plan::{SecretPlace, UpstreamRequest};

/// A request that gets its secrets.
pub(super) struct SecretPlacer {
    request: UpstreamRequest,
    /// User and password of HTTP Basic authentication, once one of them is known.
    basic: Option<(String, String)>,
    /// Whether the executor wrote the body. A client's body gets no secret.
    own_body: bool,
    schemes: PlannedSchemes,
}

impl SecretPlacer {
    pub(super) fn new(request: UpstreamRequest, own_body: bool) -> Self {
        Self {
            request,
            basic: None,
            own_body,
            schemes: PlannedSchemes::default(),
        }
    }

    /// Puts one secret into its place. Schemes wait until the rest of the request is final.
    pub(super) fn place(
        &mut self,
        name: &str,
        secret: &str,
        place: &SecretPlace,
    ) -> Result<(), PlanError> {
        match place {
            SecretPlace::Bearer => self.header(AUTHORIZATION, &format!("Bearer {secret}")),
            SecretPlace::Header { name, prefix } => {
                let name = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| PlanError::HeaderName(name.clone()))?;
                self.header(name, &format!("{prefix}{secret}"))
            }
            SecretPlace::Query(name) => {
                self.request.url.query_pairs_mut().append_pair(name, secret);
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
            SecretPlace::Form(field) => self.form(field, secret),
            SecretPlace::Json(pointer) => self.json(pointer.clone(), secret),
            SecretPlace::Scheme {
                name: scheme,
                parameters,
            } => self.schemes.add(name.to_owned(), scheme, parameters),
        }
    }

    fn header(&mut self, name: HeaderName, value: &str) -> Result<(), PlanError> {
        set_secret_header(&mut self.request, name, value)
    }

    fn form(&mut self, field: &str, secret: &str) -> Result<(), PlanError> {
        self.require_own_body()?;
        append_form_field(&mut self.request, field, secret)
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

    /// Returns the request with all its secrets. `add_headers` adds the last headers, and the schemes sign after it.
    pub(super) fn finish(
        mut self,
        add_headers: impl FnOnce(&mut HeaderMap),
        account: &dyn Account,
        now: Timestamp,
    ) -> Result<BuiltRequest, PlanError> {
        if let Some((user, password)) = self.basic.take() {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            self.header(AUTHORIZATION, &value)?;
        }
        let mut request = self.request;
        add_headers(&mut request.headers);
        let derived = self
            .schemes
            .sign(&mut request, self.own_body, account, now)?;
        Ok(BuiltRequest { request, derived })
    }
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
