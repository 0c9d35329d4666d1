//! Begins a login: checks that it is possible, and finds out what a person has to open.

use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::{ChangeError, Origin};
use jackfield_credential::{CredentialId, ProviderName};
use jackfield_login::limits::CODE_LIFETIME;
use jackfield_login::{CodeLogin, DeviceLogin, LoginSettings, RANDOM_BYTES};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::running::{Flow, run};
use super::session::{Page, PendingCode, Session};
use super::{loopback, tokens};
use crate::Admin;
use crate::error::ApiError;
use crate::types::{LoginMethod, NewLogin};

/// The parts of a login that depend on its method.
struct Prepared {
    page: Page,
    lifetime: Duration,
    code: Option<PendingCode>,
    flow: Flow,
}

/// Begins a login, and the task that brings it to its end.
pub(super) async fn begin(admin: &Arc<Admin>, new: NewLogin) -> Result<Arc<Session>, ApiError> {
    let provider = ProviderName::from(new.provider.as_str());
    let snapshot = admin.parts.dispatcher.snapshot();
    let configured = snapshot.providers.get(&provider);
    let configured = configured.ok_or_else(|| ApiError::ProviderNotFound(new.provider.clone()))?;
    let settings = configured.login.clone();
    let settings = settings.ok_or_else(|| ApiError::LoginNotConfigured {
        provider: new.provider.clone(),
        key: "login",
    })?;
    let method = method(&new, &settings)?;
    let credential = new.credential.map(CredentialId::from);
    check_credential(admin, &provider, credential.as_ref())?;
    let permit = Arc::clone(&admin.logins.open).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::TooManyLogins)?;
    let begun = Instant::now();
    let prepared = match method {
        LoginMethod::Device => device(admin, &settings, begun).await?,
        LoginMethod::Browser => browser(&settings).await?,
        LoginMethod::Paste => {
            let port = match settings.redirect.port {
                0 => any_port()?,
                port => port,
            };
            code(&settings, port, Vec::new())?
        }
    };
    let session = Arc::new(Session {
        id: hex(&random::<16>()?),
        provider,
        method,
        settings,
        credential,
        begun,
        expires_at: admin.parts.dispatcher.clock().now() + prepared.lifetime,
        page: prepared.page,
        code: prepared.code,
        end: watch::Sender::new(None),
    });
    admin.logins.insert(Arc::clone(&session));
    tracing::info!(login = session.id, provider = %session.provider, ?method, "admin: login begun");
    let task = run(
        Arc::clone(admin),
        Arc::clone(&session),
        prepared.flow,
        permit,
    );
    #[expect(
        clippy::disallowed_methods,
        reason = "bounded by the permit, ends with the login's lifetime or with the server"
    )]
    tokio::spawn(task);
    Ok(session)
}

/// The method that the request names, or the provider's first one.
fn method(new: &NewLogin, settings: &LoginSettings) -> Result<LoginMethod, ApiError> {
    let first = match settings.authorization_url {
        Some(_) => LoginMethod::Browser,
        None => LoginMethod::Device,
    };
    let method = new.method.unwrap_or(first);
    let (configured, key) = match method {
        LoginMethod::Device => (
            settings.device_authorization_url.is_some(),
            "login.device-authorization-url",
        ),
        LoginMethod::Browser | LoginMethod::Paste => (
            settings.authorization_url.is_some(),
            "login.authorization-url",
        ),
    };
    if configured {
        return Ok(method);
    }
    Err(ApiError::LoginNotConfigured {
        provider: new.provider.clone(),
        key,
    })
}

/// Checks that the credential that the operator named can get the tokens, before a person consents.
fn check_credential(
    admin: &Admin,
    provider: &ProviderName,
    id: Option<&CredentialId>,
) -> Result<(), ApiError> {
    let Some(id) = id else { return Ok(()) };
    if let Some(existing) = admin.parts.dispatcher.auth().get(id) {
        if existing.origin != Origin::Admin {
            return Err(ApiError::Change(ChangeError::DefinedBySource {
                id: id.clone(),
                origin: existing.origin,
            }));
        }
        if existing.status.provider != *provider {
            return Err(ApiError::CredentialExists(id.clone()));
        }
    }
    tokens::check_id(admin, provider, id).map_err(ApiError::InvalidCredential)
}

async fn device(
    admin: &Admin,
    settings: &LoginSettings,
    begun: Instant,
) -> Result<Prepared, ApiError> {
    let request = DeviceLogin::request(settings);
    let request = request.ok_or_else(|| ApiError::LoginNotBegun("it has no address".to_owned()))?;
    let response = admin.parts.dispatcher.send_token_request(&request).await;
    let response = response.map_err(ApiError::LoginNotBegun)?;
    let status = response.status.as_u16();
    let login = DeviceLogin::begin(settings, status, &response.body, begun.elapsed());
    let login = login.map_err(|failure| ApiError::LoginNotBegun(failure.to_string()))?;
    Ok(Prepared {
        page: Page {
            url: login.verification_page().to_string(),
            user_code: Some(login.user_code().to_owned()),
            redirect_uri: None,
        },
        lifetime: login.expires_at().saturating_sub(begun.elapsed()),
        code: None,
        flow: Flow::Device(Box::new(login)),
    })
}

async fn browser(settings: &LoginSettings) -> Result<Prepared, ApiError> {
    let bound = loopback::bind(&settings.redirect).await;
    let (listeners, port) = bound.map_err(|error| ApiError::RedirectUnavailable {
        uri: settings.redirect.uri(settings.redirect.port),
        cause: error.to_string(),
    })?;
    code(settings, port, listeners)
}

fn code(
    settings: &LoginSettings,
    port: u16,
    listeners: Vec<TcpListener>,
) -> Result<Prepared, ApiError> {
    let login = CodeLogin::begin(settings, port, &random::<RANDOM_BYTES>()?);
    let url = login.authorization_url(settings);
    let url = url.ok_or_else(|| ApiError::LoginNotBegun("it has no address".to_owned()))?;
    // One place: one callback belongs to the login.
    let (received, callback) = mpsc::channel(1);
    Ok(Prepared {
        page: Page {
            url: url.to_string(),
            user_code: None,
            redirect_uri: Some(login.redirect_uri().to_owned()),
        },
        lifetime: CODE_LIFETIME,
        code: Some(PendingCode {
            login: Mutex::new(Some(login)),
            received,
        }),
        flow: Flow::Code {
            callback,
            listeners,
        },
    })
}

/// A port of the dynamic range (RFC 6335, section 6), where nothing listens for this login: the browser shows the
/// address, and the operator copies it.
fn any_port() -> Result<u16, ApiError> {
    let random = u16::from_be_bytes(random::<2>()?);
    Ok(DYNAMIC_PORTS | random)
}

fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| ApiError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first dynamic port: the two highest bits are set in all of them.
const DYNAMIC_PORTS: u16 = 0xC000;
