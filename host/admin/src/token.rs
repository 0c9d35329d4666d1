//! The token of the admin API.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jackfield_http::bearer;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::Admin;
use crate::error::ApiError;

/// The token. A reload can replace it. `Debug` does not show it.
pub struct AdminToken(ArcSwap<SecretString>);

impl AdminToken {
    /// Creates a token from its text.
    pub fn new(token: SecretString) -> Self {
        Self(ArcSwap::from_pointee(token))
    }

    /// Replaces the token.
    pub fn set(&self, token: SecretString) {
        self.0.store(Arc::new(token));
    }

    /// Compares in constant time, so that the response time of a wrong token tells nothing.
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

/// Lets requests with the token pass.
pub(crate) async fn check(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let presented = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| bearer(value.as_bytes()));
    if presented.is_some_and(|token| admin.parts.token.matches(token)) {
        next.run(request).await
    } else {
        ApiError::InvalidToken.into_response()
    }
}
