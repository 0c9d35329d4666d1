//! `/credentials`: shows and changes credentials. Every change is logged with the id.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jackfield_auth::{ChangeError, Definition, RefreshError, Registration};
use jackfield_credential::{CredentialId, ProviderName, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

use crate::error::ApiError;
use crate::extract::{Name, RequestBody};
use crate::types::{CredentialList, CredentialResponse, LeaseCounts, Removed};
use crate::{Admin, views};

/// Creates credentials from request bodies.
pub trait CredentialAdmin: Send + Sync {
    /// Returns the registration that a body describes, with its definition for the store.
    ///
    /// # Errors
    /// All errors of the body, one text each, without a secret.
    fn create(&self, body: &Value) -> Result<Registration, Vec<String>>;

    /// Returns the registration of an account that logged in. `earlier` is the definition that it replaces: what
    /// does not depend on the login stays.
    ///
    /// # Errors
    /// As [`Self::create`].
    fn log_in(
        &self,
        account: &LoggedIn,
        earlier: Option<&Definition>,
    ) -> Result<Registration, Vec<String>>;
}

/// The tokens of a login. `Debug` shows none of them.
#[derive(Debug)]
pub struct LoggedIn {
    /// The id of the credential that gets them.
    pub id: CredentialId,
    /// Its provider.
    pub provider: ProviderName,
    /// The access token.
    pub access_token: SecretString,
    /// The refresh token, if the provider issued one.
    pub refresh_token: Option<SecretString>,
    /// When the access token expires, if known.
    pub expires_at: Option<Timestamp>,
    /// What identifies the account, if the configuration says it.
    pub account: Option<String>,
    /// What describes the account to operators, if the configuration says it.
    pub label: Option<String>,
}

pub(crate) async fn list(State(admin): State<Arc<Admin>>) -> Json<CredentialList> {
    let auth = admin.parts.dispatcher.auth();
    let leases = auth.lease_counts();
    Json(CredentialList {
        now_ms: admin.now_ms(),
        credentials: auth.list().iter().map(views::credential).collect(),
        leases: LeaseCounts {
            open: leases.open,
            success: leases.success,
            failed: leases.failed,
            cancelled: leases.cancelled,
            inconclusive: leases.inconclusive,
        },
    })
}

pub(crate) async fn show(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
) -> Result<Json<CredentialResponse>, ApiError> {
    admin.credential(&id.into())
}

pub(crate) async fn add(
    State(admin): State<Arc<Admin>>,
    RequestBody(body): RequestBody,
) -> Result<(StatusCode, Json<CredentialResponse>), ApiError> {
    let body: Value = serde_json::from_slice(&body).map_err(|error| ApiError::BodyNotJson {
        line: error.line(),
        column: error.column(),
    })?;
    let auth = admin.parts.dispatcher.auth();
    // Held over the check of the id, so that of two concurrent requests with one id the second fails.
    let _changing = auth.lock_registrations().await;
    let registration = admin.parts.credentials.create(&body);
    let registration = registration.map_err(ApiError::InvalidCredential)?;
    let id = registration.credential.id.clone();
    if auth.get(&id).is_some() {
        return Err(ApiError::CredentialExists(id));
    }
    auth.register(registration).await?;
    tracing::info!(credential = %id, "admin: credential added");
    Ok((StatusCode::CREATED, admin.credential(&id)?))
}

pub(crate) async fn remove(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
) -> Result<Json<Removed>, ApiError> {
    let auth = admin.parts.dispatcher.auth();
    // Else a reload that has read the store already would add the credential again.
    let _changing = auth.lock_registrations().await;
    auth.remove(&CredentialId::from(id.clone())).await?;
    tracing::info!(credential = id, "admin: credential removed");
    Ok(Json(Removed { removed: id }))
}

pub(crate) async fn enable(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
) -> Result<Json<CredentialResponse>, ApiError> {
    let id = CredentialId::from(id);
    admin.parts.dispatcher.auth().set_enabled(&id, true).await?;
    tracing::info!(credential = %id, "admin: credential enabled");
    admin.credential(&id)
}

pub(crate) async fn disable(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
) -> Result<Json<CredentialResponse>, ApiError> {
    let id = CredentialId::from(id);
    admin
        .parts
        .dispatcher
        .auth()
        .set_enabled(&id, false)
        .await?;
    tracing::info!(credential = %id, "admin: credential disabled");
    admin.credential(&id)
}

pub(crate) async fn reset(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
) -> Result<Json<CredentialResponse>, ApiError> {
    let id = CredentialId::from(id);
    admin.parts.dispatcher.auth().reset(&id)?;
    tracing::info!(credential = %id, "admin: credential reset");
    admin.credential(&id)
}

pub(crate) async fn refresh(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
) -> Result<Json<CredentialResponse>, ApiError> {
    let id = CredentialId::from(id);
    // `u64::MAX`: refresh whatever version of the tokens there is.
    let refreshed = admin.parts.dispatcher.auth().refresh(&id, u64::MAX).await;
    refreshed.map_err(|error| match error {
        // Names the id, which `RefreshError` does not have.
        RefreshError::NotFound => ApiError::Change(ChangeError::NotFound(id.clone())),
        error => ApiError::Refresh(error),
    })?;
    tracing::info!(credential = %id, "admin: credential refreshed");
    admin.credential(&id)
}

impl Admin {
    fn now_ms(&self) -> u64 {
        self.parts.dispatcher.clock().now().as_millis()
    }

    fn credential(&self, id: &CredentialId) -> Result<Json<CredentialResponse>, ApiError> {
        let view = self.parts.dispatcher.auth().get(id);
        let view = view.ok_or_else(|| ChangeError::NotFound(id.clone()))?;
        Ok(Json(CredentialResponse {
            now_ms: self.now_ms(),
            credential: views::credential(&view),
        }))
    }
}
