//! Checks the token of requests to the admin API, and that no web page elsewhere sends them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jackfield_http::bearer;

use crate::Admin;
use crate::error::ApiError;

/// Lets requests with the token pass.
pub(crate) async fn check(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(rejection) = admin
        .parts
        .guard
        .check_admin(request.uri(), request.headers())
    {
        return ApiError::Browser(rejection).into_response();
    }
    let presented = request
        .headers()
        .get(AUTHORIZATION)
        .map(|value| bearer(value.as_bytes()));
    if presented.is_some_and(|token| admin.parts.token.matches(token)) {
        next.run(request).await
    } else {
        if presented.is_some() {
            let address = request.extensions().get().copied();
            admin.wrong_tokens.delay(address).await;
        }
        ApiError::InvalidToken.into_response()
    }
}
