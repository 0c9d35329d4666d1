//! The settings of a provider's login refresh the tokens of its accounts, without the executor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use jackfield_auth::{RefreshError, RefreshFailure, RefreshJob, Refresher};
use jackfield_credential::{Credential, CredentialKind, ProviderName};
use jackfield_dispatch::PlannedRefresher;
use jackfield_dispatch::limits::LOGIN_REFRESH_LEAD;
use jackfield_dispatch::plan::{PlannedBody, ResponseMode};
use jackfield_login::{ClientAuthentication, LoginSettings, OAuthClient, Redirect, RedirectHost};
use secrecy::ExposeSecret;
use url::Url;

use crate::fake_plugins::{FakeExecutor, planned};
use crate::fake_upstream::{FakeUpstream, Script};
use crate::stage::{EPOCH, Setting, Stage};

fn settings() -> LoginSettings {
    LoginSettings {
        client: OAuthClient {
            id: "me".to_owned(),
            secret: Some("s3cr3t-of-the-client".into()),
            authentication: ClientAuthentication::Body,
        },
        token_url: Url::parse("https://login.test/token").unwrap(),
        device_authorization_url: None,
        authorization_url: None,
        issuer: None,
        scopes: Vec::new(),
        parameters: BTreeMap::new(),
        token_parameters: BTreeMap::new(),
        verification_origins: Vec::new(),
        redirect: Redirect {
            host: RedirectHost::V4,
            port: 0,
            path: "/callback".to_owned(),
        },
        account_from: None,
        label_from: None,
    }
}

/// A stage whose provider has a login, and a refresher on it. The token endpoint responds so.
fn stage(executor: FakeExecutor, status: u16, body: &'static str) -> (Stage, PlannedRefresher) {
    let upstream = FakeUpstream::by_request(move |_, _| Script::json(status, body));
    let stage = Setting::new(1).executor(executor).stage(upstream);
    let mut snapshot = (*stage.dispatcher.snapshot()).clone();
    for provider in snapshot.providers.values_mut() {
        provider.login = Some(Arc::new(settings()));
    }
    stage.snapshot.store(Arc::new(snapshot));
    let refresher = PlannedRefresher {
        snapshot: Arc::clone(&stage.snapshot),
        upstream: Arc::<FakeUpstream>::clone(&stage.upstream),
        clock: stage.dispatcher.clock().clone(),
    };
    (stage, refresher)
}

fn job(secrets: &[(&str, &str)]) -> RefreshJob {
    let secrets = secrets.iter();
    RefreshJob {
        credential: Arc::new(Credential {
            kind: CredentialKind::Oauth,
            ..Credential::new("a", "provider", "https://provider.test/v1")
        }),
        secrets: secrets
            .map(|(name, secret)| ((*name).to_owned(), (*secret).into()))
            .collect(),
        proxy: None,
    }
}

fn provider() -> ProviderName {
    ProviderName::new("provider")
}

#[tokio::test(start_paused = true)]
async fn token_is_refreshed_without_the_executor() {
    let response = r#"{"access_token":"new-a","refresh_token":"new-r","expires_in":60}"#;
    let (stage, refresher) = stage(FakeExecutor::relaying(), 200, response);
    assert!(refresher.can_refresh(&provider()));
    assert_eq!(refresher.lead(&provider()), Some(LOGIN_REFRESH_LEAD));
    let patch = refresher.refresh(job(&[("refresh-token", "old-r")])).await;
    let patch = patch.unwrap();
    assert_eq!(patch.secrets["access-token"].expose_secret(), "new-a");
    assert_eq!(patch.secrets["refresh-token"].expose_secret(), "new-r");
    assert_eq!(patch.expires_at, Some(EPOCH + Duration::from_mins(1)));
    let form = String::from_utf8(stage.upstream.body_of(0).to_vec()).unwrap();
    assert_eq!(
        form,
        "grant_type=refresh_token&refresh_token=old-r&client_id=me&client_secret=s3cr3t-of-the-client"
    );
    assert!(!stage.upstream.headers_of(0).contains_key(AUTHORIZATION));
}

#[tokio::test(start_paused = true)]
async fn credential_of_another_client_is_left_to_the_executor() {
    let executor = FakeExecutor::new(|_| {
        let mut plan = planned(PlannedBody::Empty, ResponseMode::Relay);
        plan.captures = vec![("/access_token".to_owned(), "access-token".to_owned())];
        Ok(plan)
    });
    let (stage, refresher) = stage(executor.planning("refresh"), 200, r#"{"access_token":"n"}"#);
    let secrets = [
        ("refresh-token", "r"),
        ("client-id", "other"),
        ("api-key", "k"),
    ];
    assert!(refresher.refresh(job(&secrets)).await.is_ok());
    assert!(stage.upstream.body_of(0).is_empty());
}

#[tokio::test(start_paused = true)]
async fn rejection_shows_neither_token_nor_client_secret() {
    let response = r#"{"error":"invalid_grant",
        "error_description":"old-refresh-token of s3cr3t-of-the-client is unknown"}"#;
    let (_, refresher) = stage(FakeExecutor::relaying(), 400, response);
    let refused = refresher.refresh(job(&[("refresh-token", "old-refresh-token")]));
    let expected = RefreshFailure {
        status: Some(400),
        ..RefreshFailure::from("invalid_grant: [secret] of [secret] is unknown")
    };
    assert_eq!(refused.await.unwrap_err(), RefreshError::Rejected(expected));
}
