//! Credentials through the admin API. Every change is logged, by id.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use jackfield_auth::{AuthManager, ChangeError, RefreshError, Registration};
use jackfield_credential::CredentialId;
use serde_json::{Value, json};

use super::{Admin, error_response, views};

/// Makes credentials of what the admin API is sent.
pub trait CredentialAdmin: Send + Sync {
    /// A registration of the admin API's, with its definition.
    ///
    /// # Errors
    /// Every mistake, in words without anything secret.
    fn create(&self, body: &Value) -> Result<Registration, Vec<String>>;
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Value> {
    let auth = admin.parts.dispatcher.auth();
    let credentials: Vec<Value> = auth.list().iter().map(views::credential).collect();
    let leases = auth.lease_counts();
    Json(json!({
        "now_ms": admin.parts.dispatcher.clock().now().as_millis(),
        "credentials": credentials,
        "leases": {
            "open": leases.open,
            "success": leases.success,
            "failed": leases.failed,
            "cancelled": leases.cancelled,
            "unjudged": leases.inconclusive,
        },
    }))
}

pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Response<Body> {
    credential_response(&admin, &id.into(), StatusCode::OK)
}

pub(super) async fn add(State(admin): State<Arc<Admin>>, body: Bytes) -> Response<Body> {
    let body: Value = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(error) => {
            // Where it breaks is told, and not what stands there.
            let (line, column) = (error.line(), error.column());
            let message = format!("the body is not JSON, at line {line}, column {column}");
            return error_response(StatusCode::BAD_REQUEST, "invalid_request", &message);
        }
    };
    let auth = admin.parts.dispatcher.auth();
    // Two who add the same id at once: the second is refused, and not taken for a change.
    let _changing = auth.lock_registrations().await;
    let registration = match admin.parts.credentials.create(&body) {
        Ok(registration) => registration,
        Err(errors) => {
            let message = errors.join("\n");
            return error_response(StatusCode::BAD_REQUEST, "invalid_request", &message);
        }
    };
    let id = registration.credential.id.clone();
    if auth.get(&id).is_some() {
        let message =
            format!("there is a credential `{id}` already; remove it, or choose another id");
        return error_response(StatusCode::CONFLICT, "credential_exists", &message);
    }
    match auth.register(registration).await {
        Ok(()) => {
            tracing::info!(credential = %id, "admin: credential added");
            credential_response(&admin, &id, StatusCode::CREATED)
        }
        Err(error) => change_error(&error),
    }
}

pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Response<Body> {
    let id = CredentialId::from(id);
    let auth = admin.parts.dispatcher.auth();
    let _changing = auth.lock_registrations().await;
    match auth.remove(&id).await {
        Ok(()) => {
            tracing::info!(credential = %id, "admin: credential removed");
            Json(json!({ "removed": id.as_str() })).into_response()
        }
        Err(error) => change_error(&error),
    }
}

pub(super) async fn enable(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Response<Body> {
    set_enabled(&admin, id.into(), true).await
}

pub(super) async fn disable(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Response<Body> {
    set_enabled(&admin, id.into(), false).await
}

async fn set_enabled(admin: &Admin, id: CredentialId, enabled: bool) -> Response<Body> {
    match admin
        .parts
        .dispatcher
        .auth()
        .set_enabled(&id, enabled)
        .await
    {
        Ok(()) => {
            tracing::info!(credential = %id, enabled, "admin: credential put in or out of use");
            credential_response(admin, &id, StatusCode::OK)
        }
        Err(error) => change_error(&error),
    }
}

pub(super) async fn reset(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Response<Body> {
    let id = CredentialId::from(id);
    match admin.parts.dispatcher.auth().reset(&id) {
        Ok(()) => {
            tracing::info!(credential = %id, "admin: credential reset");
            credential_response(&admin, &id, StatusCode::OK)
        }
        Err(error) => change_error(&error),
    }
}

/// Renews whatever the tokens are now: no version is newer than the greatest.
pub(super) async fn refresh(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Response<Body> {
    let id = CredentialId::from(id);
    let auth: &AuthManager = admin.parts.dispatcher.auth();
    match auth.refresh(&id, u64::MAX).await {
        Ok(()) => {
            tracing::info!(credential = %id, "admin: credential refreshed");
            credential_response(&admin, &id, StatusCode::OK)
        }
        Err(error) => refresh_error(&id, &error),
    }
}

fn credential_response(admin: &Admin, id: &CredentialId, status: StatusCode) -> Response<Body> {
    match admin.parts.dispatcher.auth().get(id) {
        Some(view) => {
            let body = json!({
                "now_ms": admin.parts.dispatcher.clock().now().as_millis(),
                "credential": views::credential(&view),
            });
            (status, Json(body)).into_response()
        }
        None => change_error(&ChangeError::NotFound(id.clone())),
    }
}

fn change_error(error: &ChangeError) -> Response<Body> {
    let (status, code) = match error {
        ChangeError::NotFound(_) => (StatusCode::NOT_FOUND, "auth_not_found"),
        ChangeError::DefinedBySource { .. } => {
            (StatusCode::CONFLICT, "credential_defined_elsewhere")
        }
        ChangeError::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        ChangeError::SaveFailed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "not_saved"),
        ChangeError::DeleteFailed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "not_removed"),
    };
    error_response(status, code, &error.to_string())
}

fn refresh_error(id: &CredentialId, error: &RefreshError) -> Response<Body> {
    let (status, code) = match error {
        RefreshError::NotFound => return change_error(&ChangeError::NotFound(id.clone())),
        RefreshError::NotRefreshable => (StatusCode::CONFLICT, "not_refreshable"),
        RefreshError::Rejected(_) => (StatusCode::BAD_GATEWAY, "refresh_rejected"),
        RefreshError::Failed(_) => (StatusCode::BAD_GATEWAY, "refresh_failed"),
    };
    error_response(status, code, &error.to_string())
}
