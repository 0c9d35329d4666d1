//! The task of an open login: it polls, or waits for the callback, and puts the tokens into a credential.

use std::sync::Arc;

use futures_util::future::join_all;
use jackfield_login::limits::CODE_LIFETIME;
use jackfield_login::{DeviceLogin, LoginFailure, TokenGrant, TokenRequest};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{sleep_until, timeout_at};

use super::session::{End, Session};
use super::{loopback, tokens};
use crate::Admin;

/// What the login waits for.
pub(super) enum Flow {
    /// The decision of a person, by polls.
    Device(Box<DeviceLogin>),
    /// The callback of a browser.
    Code {
        callback: mpsc::Receiver<Result<TokenRequest, LoginFailure>>,
        listeners: Vec<TcpListener>,
    },
}

/// Brings a login to its end. The permit counts it as open until then.
pub(super) async fn run(
    admin: Arc<Admin>,
    session: Arc<Session>,
    flow: Flow,
    permit: OwnedSemaphorePermit,
) {
    let open = OpenLogin(Arc::clone(&session));
    let mut stopping = admin.stopping.subscribe();
    let stopped = async { drop(stopping.wait_for(|stopping| *stopping).await) };
    let granted = async {
        match flow {
            Flow::Device(login) => poll(&admin, &session, *login).await,
            Flow::Code {
                callback,
                listeners,
            } => {
                let request = receive(&session, callback, listeners).await?;
                exchange(&admin, &session, &request).await
            }
        }
    };
    let granted = tokio::select! {
        biased;
        () = session.ended() => {
            session.forget_code();
            return;
        }
        () = stopped => Err(LoginFailure::Failed("the server stopped".to_owned())),
        granted = granted => granted,
    };
    session.forget_code();
    let end = match granted {
        Ok(grant) => tokens::store(&admin, &session, grant).await,
        Err(failure) => End::Failed(failure),
    };
    let (login, provider) = (&session.id, &session.provider);
    match &end {
        End::Done {
            credential,
            replaced,
            ..
        } => {
            tracing::info!(login, %provider, %credential, replaced, "admin: login done");
        }
        End::Failed(failure) => {
            tracing::warn!(login, %provider, %failure, "admin: login without tokens");
        }
        End::Cancelled => {}
    }
    session.finish(end);
    drop((open, permit));
}

/// A login that is open. If its task ends in another way than by its end, such as a panic, it fails.
struct OpenLogin(Arc<Session>);

impl Drop for OpenLogin {
    fn drop(&mut self) {
        self.0.forget_code();
        if !self.0.has_ended() {
            let message = "the login was ended by an error of the server".to_owned();
            self.0.finish(End::Failed(LoginFailure::Failed(message)));
        }
    }
}

/// Polls until the person has decided.
async fn poll(
    admin: &Admin,
    session: &Session,
    mut login: DeviceLogin,
) -> Result<TokenGrant, LoginFailure> {
    let settings = &session.settings;
    loop {
        sleep_until(session.begun + login.wait_until()).await;
        let request = login.poll(settings, session.begun.elapsed())?;
        let response = admin.parts.dispatcher.send_token_request(&request).await;
        let now = session.begun.elapsed();
        match response {
            Ok(response) => {
                let status = response.status.as_u16();
                let granted = login.receive(settings, status, &response.body, now)?;
                if let Some(grant) = granted {
                    return Ok(grant);
                }
            }
            Err(error) => {
                tracing::debug!(login = session.id, error, "poll without a response");
                login.note_no_response(now);
            }
        }
    }
}

/// Waits for the one callback of a login. The listeners end with the wait.
async fn receive(
    session: &Arc<Session>,
    mut callback: mpsc::Receiver<Result<TokenRequest, LoginFailure>>,
    listeners: Vec<TcpListener>,
) -> Result<TokenRequest, LoginFailure> {
    let stop = watch::Sender::new(false);
    let listening = listeners
        .into_iter()
        .map(|listener| loopback::listen(listener, Arc::clone(session), stop.subscribe()));
    let listening = join_all(listening);
    let received = async {
        let received = timeout_at(session.begun + CODE_LIFETIME, callback.recv()).await;
        stop.send_replace(true);
        received.ok().flatten()
    };
    let (_, received) = tokio::join!(listening, received);
    let expired = || LoginFailure::Expired("the browser did not return in time".to_owned());
    received.ok_or_else(expired)?
}

/// Exchanges the code of a callback for tokens.
async fn exchange(
    admin: &Admin,
    session: &Session,
    request: &TokenRequest,
) -> Result<TokenGrant, LoginFailure> {
    let response = admin.parts.dispatcher.send_token_request(request).await;
    let response = response.map_err(|error| {
        LoginFailure::Failed(format!(
            "the code could not be exchanged for tokens: {error}"
        ))
    })?;
    let status = response.status.as_u16();
    let code = session.code.as_ref().map(|code| code.login.lock());
    let login = code.as_ref().and_then(|login| login.as_ref());
    let login = login.ok_or_else(|| LoginFailure::Failed("the login was ended".to_owned()))?;
    login.finish(&session.settings, status, &response.body)
}

#[cfg(test)]
mod tests;
