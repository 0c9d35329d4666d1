//! Puts the tokens of a login into a credential: that of the same account, or a new one.

use jackfield_auth::{ChangeError, Definition, Origin};
use jackfield_credential::{CredentialId, ProviderName};
use jackfield_login::{LoginFailure, TokenGrant, credential_name, distinct_credential_name};

use super::session::{End, Session};
use crate::Admin;
use crate::credentials::LoggedIn;

/// Puts the tokens into a credential.
pub(super) async fn store(admin: &Admin, session: &Session, grant: TokenGrant) -> End {
    let auth = admin.parts.dispatcher.auth();
    // Held over the search, so that two logins of one account at the same time make one credential.
    let _changing = auth.lock_registrations().await;
    let earlier = earlier(admin, session, grant.account.as_deref());
    let id = match (&earlier, &session.credential) {
        (Some((id, _)), _) | (None, Some(id)) => id.clone(),
        (None, None) => new_id(admin, session, grant.account.as_deref()),
    };
    if earlier.is_none() && auth.get(&id).is_some() {
        let message = format!(
            "there is already a credential `{id}`, which no login can replace; name another id for this account"
        );
        return End::Failed(LoginFailure::Failed(message));
    }
    let now = admin.parts.dispatcher.clock().now();
    let account = LoggedIn {
        id: id.clone(),
        provider: session.provider.clone(),
        access_token: grant.access_token,
        refresh_token: grant.refresh_token,
        expires_at: grant.expires_in.map(|life| now + life),
        account: grant.account,
        label: grant.label,
    };
    let definition = earlier.as_ref().map(|(_, definition)| definition);
    let registration = admin.parts.credentials.log_in(&account, definition);
    let mut registration = match registration {
        Ok(registration) => registration,
        Err(errors) => return End::Failed(LoginFailure::Failed(errors.join("; "))),
    };
    registration.refreshed_at = Some(now);
    let warning = match auth.register(registration).await {
        Ok(()) => None,
        // The credential serves, and saving is retried.
        Err(error @ ChangeError::SaveFailed(_)) => Some(error.to_string()),
        Err(error) => return End::Failed(LoginFailure::Failed(error.to_string())),
    };
    End::Done {
        credential: id,
        replaced: earlier.is_some(),
        warning,
    }
}

/// Checks an id for a credential of this provider.
///
/// # Errors
/// All errors, one text each.
pub(super) fn check_id(
    admin: &Admin,
    provider: &ProviderName,
    id: &CredentialId,
) -> Result<(), Vec<String>> {
    let account = LoggedIn {
        id: id.clone(),
        provider: provider.clone(),
        access_token: "none-yet".into(),
        refresh_token: None,
        expires_at: None,
        account: None,
        label: None,
    };
    admin.parts.credentials.log_in(&account, None).map(drop)
}

/// The credential that the login replaces: the one that the operator named, or that of the same account.
fn earlier(
    admin: &Admin,
    session: &Session,
    account: Option<&str>,
) -> Option<(CredentialId, Definition)> {
    let auth = admin.parts.dispatcher.auth();
    if let Some(id) = &session.credential {
        let existing = auth.get(id)?;
        // It may have been replaced since the login began.
        let same = existing.origin == Origin::Admin && existing.status.provider == session.provider;
        let definition = auth.definition(id).filter(|_| same)?;
        return Some((id.clone(), definition));
    }
    let account = account?;
    let mine = auth
        .list()
        .into_iter()
        .filter(|view| view.origin == Origin::Admin && view.status.provider == session.provider);
    let mut definitions =
        mine.filter_map(|view| Some((view.status.id.clone(), auth.definition(&view.status.id)?)));
    definitions.find(|(_, definition)| {
        let named = definition.body.pointer("/attributes/account_id");
        named.and_then(|named| named.as_str()) == Some(account)
    })
}

/// An id for a new credential: by the account, or by the login if the settings do not say which account it is.
fn new_id(admin: &Admin, session: &Session, account: Option<&str>) -> CredentialId {
    let (provider, name) = (session.provider.as_str(), account.unwrap_or(&session.id));
    let id = CredentialId::from(credential_name(provider, name));
    let existing = admin.parts.dispatcher.auth().get(&id);
    match existing.is_some_and(|existing| existing.status.provider != session.provider) {
        true => CredentialId::from(distinct_credential_name(provider, name)),
        false => id,
    }
}
