//! The requests that the client can send: path, method, body, and the type of the response.

use std::marker::PhantomData;

use reqwest::Method;
use serde_json::Value;

use crate::types::{
    CredentialList, CredentialResponse, LoginCallback, LoginResponse, NewCredential, NewLogin,
    Reloaded, Removed, Rollback, RolledBack, Unloaded,
};

/// A request whose response is an `R`. It has no `Debug`: the body may contain secrets.
pub struct AdminRequest<R> {
    pub(super) method: Method,
    /// Segments of the path below `/admin/v1`, not percent-encoded.
    pub(super) path: Vec<String>,
    pub(super) body: Option<Value>,
    // With `fn() -> R`, the request is `Send` and `Sync` for every `R`: it contains none.
    response: PhantomData<fn() -> R>,
}

impl<R> AdminRequest<R> {
    fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            path: path.iter().map(|segment| (*segment).to_owned()).collect(),
            body: None,
            response: PhantomData,
        }
    }
}

impl AdminRequest<CredentialList> {
    /// `GET /credentials`.
    pub fn list_credentials() -> Self {
        Self::new(Method::GET, &["credentials"])
    }
}

impl AdminRequest<CredentialResponse> {
    /// `GET /credentials/{id}`.
    pub fn show_credential(id: &str) -> Self {
        Self::new(Method::GET, &["credentials", id])
    }

    /// `POST /credentials`.
    ///
    /// # Errors
    ///
    /// If the credential cannot be written as JSON.
    pub fn add_credential(new: &NewCredential) -> serde_json::Result<Self> {
        Ok(Self {
            body: Some(serde_json::to_value(new)?),
            ..Self::new(Method::POST, &["credentials"])
        })
    }

    /// `POST /credentials/{id}/enable`.
    pub fn enable_credential(id: &str) -> Self {
        Self::new(Method::POST, &["credentials", id, "enable"])
    }

    /// `POST /credentials/{id}/disable`.
    pub fn disable_credential(id: &str) -> Self {
        Self::new(Method::POST, &["credentials", id, "disable"])
    }

    /// `POST /credentials/{id}/reset`.
    pub fn reset_credential(id: &str) -> Self {
        Self::new(Method::POST, &["credentials", id, "reset"])
    }

    /// `POST /credentials/{id}/refresh`.
    pub fn refresh_credential(id: &str) -> Self {
        Self::new(Method::POST, &["credentials", id, "refresh"])
    }
}

impl AdminRequest<Removed> {
    /// `DELETE /credentials/{id}`.
    pub fn remove_credential(id: &str) -> Self {
        Self::new(Method::DELETE, &["credentials", id])
    }
}

impl AdminRequest<Reloaded> {
    /// `POST /reload`.
    pub fn reload() -> Self {
        Self::new(Method::POST, &["reload"])
    }
}

impl AdminRequest<RolledBack> {
    /// `POST /plugins/{name}/rollback`.
    ///
    /// # Errors
    ///
    /// If the request cannot be written as JSON.
    pub fn roll_plugin_back(name: &str, rollback: &Rollback) -> serde_json::Result<Self> {
        Ok(Self {
            body: Some(serde_json::to_value(rollback)?),
            ..Self::new(Method::POST, &["plugins", name, "rollback"])
        })
    }
}

impl AdminRequest<Unloaded> {
    /// `POST /plugins/{name}/unload`.
    pub fn unload_plugin(name: &str) -> Self {
        Self::new(Method::POST, &["plugins", name, "unload"])
    }
}

impl AdminRequest<LoginResponse> {
    /// `POST /logins`.
    ///
    /// # Errors
    ///
    /// If the request cannot be written as JSON.
    pub fn begin_login(new: &NewLogin) -> serde_json::Result<Self> {
        Ok(Self {
            body: Some(serde_json::to_value(new)?),
            ..Self::new(Method::POST, &["logins"])
        })
    }

    /// `GET /logins/{id}`.
    pub fn show_login(id: &str) -> Self {
        Self::new(Method::GET, &["logins", id])
    }

    /// `DELETE /logins/{id}`.
    pub fn cancel_login(id: &str) -> Self {
        Self::new(Method::DELETE, &["logins", id])
    }

    /// `POST /logins/{id}/callback`.
    ///
    /// # Errors
    ///
    /// If the request cannot be written as JSON.
    pub fn login_callback(id: &str, callback: &LoginCallback) -> serde_json::Result<Self> {
        Ok(Self {
            body: Some(serde_json::to_value(callback)?),
            ..Self::new(Method::POST, &["logins", id, "callback"])
        })
    }
}
