//! The token of the admin API: who may ask it anything.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::middleware::Next;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{Admin, error_response};
use jackfield_http::bearer;

/// The token, which may be replaced while it is in use. `Debug` does not show it.
pub struct AdminToken(ArcSwap<SecretString>);

impl AdminToken {
    /// This token.
    pub fn new(token: SecretString) -> Self {
        Self(ArcSwap::from_pointee(token))
    }

    /// Takes another token in place of the present one.
    pub fn set(&self, token: SecretString) {
        self.0.store(Arc::new(token));
    }

    /// Whether this is it. Comparing takes as long for a wrong token as for the right one.
    fn matches(&self, presented: &[u8]) -> bool {
        let token = self.0.load();
        presented.ct_eq(token.expose_secret().as_bytes()).into()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminToken").finish_non_exhaustive()
    }
}

/// Lets those through who have the token.
pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let presented = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| bearer(value.as_bytes()));
    if presented.is_some_and(|token| admin.parts.token.matches(token)) {
        return next.run(request).await;
    }
    let message = "send the admin token as `Authorization: Bearer TOKEN`";
    let mut response = error_response(StatusCode::UNAUTHORIZED, "invalid_token", message);
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    response
}
