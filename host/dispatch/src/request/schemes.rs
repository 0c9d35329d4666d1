//! Signs requests by schemes, after everything else in them is final. A request is signed at each send, so the
//! executor never sees a signature, a time stamp or an assertion.

use http::header::HeaderName;
use jackfield_credential::Timestamp;
use jackfield_signing::{Scheme, SchemeSecrets, UnsignedRequest};
use secrecy::{ExposeSecret, SecretString};

use super::account::Account;
use super::error::PlanError;
use super::secret_fields::{append_form_field, set_secret_header};
use crate::limits::SCHEMES_MAX;
use crate::plan::UpstreamRequest;

/// The schemes of one request, each with the name of its secret.
#[derive(Debug, Default)]
pub(super) struct PlannedSchemes(Vec<(String, Scheme)>);

impl PlannedSchemes {
    /// Adds a scheme.
    ///
    /// # Errors
    /// When the host does not know the scheme, a parameter is invalid, or there are too many.
    pub(super) fn add(
        &mut self,
        secret: String,
        name: &str,
        parameters: &[(String, String)],
    ) -> Result<(), PlanError> {
        if self.0.len() == SCHEMES_MAX {
            return Err(PlanError::TooManySchemes);
        }
        self.0.push((secret, Scheme::parse(name, parameters)?));
        Ok(())
    }

    /// Signs a request, in the order of the plan. Returns what was derived from secrets. `own_body`: the executor
    /// wrote the body.
    pub(super) fn sign(
        self,
        request: &mut UpstreamRequest,
        own_body: bool,
        account: &dyn Account,
        now: Timestamp,
    ) -> Result<Vec<SecretString>, PlanError> {
        let mut derived = Vec::new();
        for (secret, scheme) in self.0 {
            let fields = {
                let host = host(&request.url);
                let unsigned = UnsignedRequest {
                    method: request.method.as_str(),
                    host: &host,
                    path: request.url.path(),
                    query: request.url.query().unwrap_or_default(),
                    headers: request
                        .headers
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_bytes()))
                        .collect(),
                    body: &request.body,
                };
                let secrets = AccountSecrets(account);
                scheme.sign(&unsigned, &secret, &secrets, now.as_millis())?
            };
            for (name, value) in fields.headers {
                let name = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| PlanError::HeaderName(name))?;
                set_secret_header(request, name, value.expose_secret())?;
            }
            for (name, value) in fields.form {
                if !own_body {
                    return Err(PlanError::SecretInClientBody);
                }
                append_form_field(request, &name, value.expose_secret())?;
            }
            derived.extend(fields.derived);
        }
        Ok(derived)
    }
}

/// Returns the value of the header `host` that a URL causes (RFC 9110, section 7.2).
fn host(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

struct AccountSecrets<'a>(&'a dyn Account);

impl SchemeSecrets for AccountSecrets<'_> {
    fn secret(&self, name: &str) -> Option<&str> {
        self.0.secret(name).map(ExposeSecret::expose_secret)
    }
}
