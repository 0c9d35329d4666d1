//! Tests when a login stops waiting.

use std::collections::BTreeMap;

use jackfield_credential::Timestamp;
use jackfield_login::{
    ClientAuthentication, CodeLogin, LoginSettings, OAuthClient, RANDOM_BYTES, Redirect,
    RedirectHost,
};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::Instant;
use url::Url;

use super::*;
use crate::logins::session::{Page, PendingCode};
use crate::types::{LoginMethod, LoginState};

fn settings(host: RedirectHost) -> LoginSettings {
    LoginSettings {
        client: OAuthClient {
            id: "me".to_owned(),
            secret: None,
            authentication: ClientAuthentication::Body,
        },
        token_url: Url::parse("https://login.example/token").unwrap(),
        device_authorization_url: None,
        authorization_url: Url::parse("https://login.example/authorize").ok(),
        issuer: None,
        scopes: Vec::new(),
        parameters: BTreeMap::new(),
        token_parameters: BTreeMap::new(),
        verification_origins: Vec::new(),
        redirect: Redirect {
            host,
            port: 0,
            path: "/callback".to_owned(),
        },
        account_from: None,
        label_from: None,
    }
}

type Callback = mpsc::Receiver<Result<TokenRequest, LoginFailure>>;

/// A login that waits for its callback on this port.
fn session(settings: LoginSettings, port: u16) -> (Arc<Session>, Callback) {
    let login = CodeLogin::begin(&settings, port, &[7; RANDOM_BYTES]);
    let url = login.authorization_url(&settings).unwrap();
    let (received, callback) = mpsc::channel(1);
    let session = Session {
        id: "1".to_owned(),
        provider: "acme".into(),
        method: LoginMethod::Browser,
        credential: None,
        begun: Instant::now(),
        expires_at: Timestamp::default(),
        page: Page {
            url: url.to_string(),
            user_code: None,
            redirect_uri: Some(login.redirect_uri().to_owned()),
        },
        code: Some(PendingCode {
            login: Mutex::new(Some(login)),
            received,
        }),
        end: watch::Sender::new(None),
        settings: Arc::new(settings),
    };
    (Arc::new(session), callback)
}

#[tokio::test(start_paused = true)]
async fn listeners_end_after_five_minutes() {
    for host in [RedirectHost::V4, RedirectHost::Localhost] {
        let settings = settings(host);
        let (listeners, port) = loopback::bind(&settings.redirect).await.unwrap();
        let (session, callback) = session(settings, port);
        let begun = Instant::now();
        let ended = receive(&session, callback, listeners).await.unwrap_err();
        assert!(matches!(ended, LoginFailure::Expired(_)), "{ended}");
        assert_eq!(begun.elapsed().as_secs(), CODE_LIFETIME.as_secs());
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn callback_after_the_end_is_refused() {
    let (session, callback) = session(settings(RedirectHost::V4), 1);
    let state = Url::parse(&session.page.url).unwrap();
    let state = state.query_pairs().find(|(name, _)| name == "state");
    let query = format!("state={}&code=c", state.unwrap().1);
    assert_eq!(session.view().state, LoginState::Pending);
    assert!(session.cancel() && !session.cancel());
    session.ended().await;
    session.forget_code();
    let read = |code: &mut CodeLogin, settings: &LoginSettings| code.receive(settings, &query);
    assert!(session.receive(read).is_err());
    drop(callback);
    let view = session.view();
    assert_eq!(view.state, LoginState::Cancelled);
    assert_eq!((view.open, view.user_code), (None, None));
}
