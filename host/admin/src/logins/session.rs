//! One login: what a person opens, and how it stands. It has no token.

use std::sync::Arc;

use jackfield_credential::{CredentialId, ProviderName, Timestamp};
use jackfield_login::{CallbackError, CodeLogin, LoginFailure, LoginSettings, TokenRequest};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::types::{Login, LoginMethod, LoginState};

/// One login.
pub(super) struct Session {
    pub(super) id: String,
    pub(super) provider: ProviderName,
    pub(super) method: LoginMethod,
    /// The settings with which it began; a reload does not change them.
    pub(super) settings: Arc<LoginSettings>,
    /// The credential that the operator named.
    pub(super) credential: Option<CredentialId>,
    pub(super) begun: Instant,
    pub(super) expires_at: Timestamp,
    pub(super) page: Page,
    /// Waits for the callback, with the methods that have one.
    pub(super) code: Option<PendingCode>,
    /// None while it is open.
    pub(super) end: watch::Sender<Option<End>>,
}

/// What a person opens.
pub(super) struct Page {
    pub(super) url: String,
    pub(super) user_code: Option<String>,
    pub(super) redirect_uri: Option<String>,
}

/// A login by authorization code that waits for its callback.
pub(super) struct PendingCode {
    /// None once the login has ended.
    pub(super) login: Mutex<Option<CodeLogin>>,
    /// Receives what the one callback of this login brought.
    pub(super) received: mpsc::Sender<Result<TokenRequest, LoginFailure>>,
}

/// How a login ended.
#[derive(Clone)]
pub(super) enum End {
    /// A credential has the tokens.
    Done {
        credential: CredentialId,
        replaced: bool,
        /// Why the tokens could not be saved yet.
        warning: Option<String>,
    },
    /// It brought no tokens.
    Failed(LoginFailure),
    /// An operator ended it.
    Cancelled,
}

impl Session {
    /// Reads a callback, as `read` does. The first one with the state of this login ends the wait.
    pub(super) fn receive(
        &self,
        read: impl FnOnce(&mut CodeLogin, &LoginSettings) -> Result<TokenRequest, CallbackError>,
    ) -> Result<(), CallbackError> {
        let foreign = CallbackError::Foreign("the login waits for none");
        let Some(code) = &self.code else {
            return Err(foreign);
        };
        let read = match code.login.lock().as_mut() {
            Some(login) => read(login, &self.settings),
            None => return Err(foreign),
        };
        let (received, result) = match read {
            Ok(request) => (Ok(request), Ok(())),
            Err(CallbackError::Ended(failure)) => {
                (Err(failure.clone()), Err(CallbackError::Ended(failure)))
            }
            Err(foreign @ CallbackError::Foreign(_)) => return Err(foreign),
        };
        // There is one callback and one place. If the receiver is gone, the login has ended.
        let _ = code.received.try_send(received);
        result
    }

    /// Ends the login. Also over a cancellation that arrived while the tokens were stored: the credential exists.
    pub(super) fn finish(&self, end: End) {
        self.end.send_replace(Some(end));
    }

    /// Drops the code and the verifier, which are secrets.
    pub(super) fn forget_code(&self) {
        if let Some(code) = &self.code {
            code.login.lock().take();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Waits until the login has ended.
    pub(super) async fn ended(&self) {
        // An error is impossible: `self` has the sender.
        let _ = self.end.subscribe().wait_for(Option::is_some).await;
    }

    /// Ends the login for an operator. False if it has ended already.
    pub(super) fn cancel(&self) -> bool {
        self.end.send_if_modified(|end| {
            let open = end.is_none();
            if open {
                *end = Some(End::Cancelled);
            }
            open
        })
    }

    pub(super) fn view(&self) -> Login {
        let end = self.end.borrow();
        let pending = end.is_none();
        let (mut credential, mut replaced) = (None, false);
        let (state, reason) = match &*end {
            None => (LoginState::Pending, None),
            Some(End::Done {
                credential: id,
                replaced: existed,
                warning,
            }) => {
                credential = Some(id.to_string());
                replaced = *existed;
                (LoginState::Done, warning.clone())
            }
            Some(End::Failed(failure)) => (state(failure), Some(failure.to_string())),
            Some(End::Cancelled) => (LoginState::Cancelled, None),
        };
        Login {
            id: self.id.clone(),
            provider: self.provider.to_string(),
            method: Some(self.method),
            state,
            open: pending.then(|| self.page.url.clone()),
            user_code: self.page.user_code.clone().filter(|_| pending),
            redirect_uri: self.page.redirect_uri.clone(),
            expires_at_ms: self.expires_at.as_millis(),
            credential,
            replaced,
            reason,
        }
    }
}

fn state(failure: &LoginFailure) -> LoginState {
    match failure {
        LoginFailure::Denied(_) => LoginState::Denied,
        LoginFailure::Expired(_) => LoginState::Expired,
        LoginFailure::Failed(_) => LoginState::Failed,
    }
}
