//! `/logins`: begins logins by OAuth 2.0, shows how they stand, and ends them. The tokens go into a credential; no
//! response contains one.

mod begin;
mod loopback;
mod running;
mod session;
mod tokens;

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jackfield_login::CallbackError;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use self::session::Session;
use crate::Admin;
use crate::error::ApiError;
use crate::extract::{Name, RequestBody};
use crate::limits::{LOGINS_OPEN_MAX, LOGINS_RETAINED_MAX};
use crate::types::{LoginCallback, LoginResponse, NewLogin};

/// The logins that are open, and the last ones that ended.
pub(crate) struct Logins {
    /// Permits for open logins.
    open: Arc<Semaphore>,
    /// In the order of their beginning.
    sessions: Mutex<VecDeque<Arc<Session>>>,
}

impl Logins {
    pub(crate) fn new() -> Self {
        Self {
            open: Arc::new(Semaphore::new(LOGINS_OPEN_MAX)),
            sessions: Mutex::default(),
        }
    }

    fn find(&self, id: &str) -> Result<Arc<Session>, ApiError> {
        let sessions = self.sessions.lock();
        let found = sessions.iter().find(|session| session.id == id);
        found.cloned().ok_or(ApiError::LoginNotFound)
    }

    /// Adds a login. The oldest one that ended is forgotten if there are too many.
    fn insert(&self, session: Arc<Session>) {
        let mut sessions = self.sessions.lock();
        if sessions.len() >= LOGINS_RETAINED_MAX
            && let Some(oldest) = sessions.iter().position(|session| session.has_ended())
        {
            sessions.remove(oldest);
        }
        sessions.push_back(session);
    }
}

pub(crate) async fn begin(
    State(admin): State<Arc<Admin>>,
    RequestBody(body): RequestBody,
) -> Result<(StatusCode, Json<LoginResponse>), ApiError> {
    let new: NewLogin =
        serde_json::from_slice(&body).map_err(|error| ApiError::InvalidLogin(error.to_string()))?;
    let session = begin::begin(&admin, new).await?;
    Ok((StatusCode::CREATED, admin.login(&session)))
}

pub(crate) async fn show(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
) -> Result<Json<LoginResponse>, ApiError> {
    let session = admin.logins.find(&id)?;
    Ok(admin.login(&session))
}

pub(crate) async fn cancel(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
) -> Result<Json<LoginResponse>, ApiError> {
    let session = admin.logins.find(&id)?;
    if session.cancel() {
        tracing::info!(login = id, "admin: login cancelled");
    }
    Ok(admin.login(&session))
}

pub(crate) async fn callback(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
    RequestBody(body): RequestBody,
) -> Result<Json<LoginResponse>, ApiError> {
    let session = admin.logins.find(&id)?;
    // Without serde's message, which may repeat a part of the body.
    let pasted: LoginCallback = serde_json::from_slice(&body).map_err(|_| {
        let message = "the body must be a JSON object with the member `callback` alone";
        ApiError::InvalidLogin(message.to_owned())
    })?;
    let received = session.receive(|code, settings| code.receive_url(settings, &pasted.callback));
    match received {
        // The state shows how it ended.
        Ok(()) | Err(CallbackError::Ended(_)) => Ok(admin.login(&session)),
        Err(CallbackError::Foreign(why)) => Err(ApiError::CallbackRefused(why)),
    }
}

impl Admin {
    fn login(&self, session: &Session) -> Json<LoginResponse> {
        Json(LoginResponse {
            now_ms: self.parts.dispatcher.clock().now().as_millis(),
            login: session.view(),
        })
    }
}
