//! Tests callbacks: which ones belong to a login, and what they bring.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::settings::tests::settings;

const PORT: u16 = 4321;

const RANDOM: [u8; RANDOM_BYTES] = [7; RANDOM_BYTES];

fn begin() -> CodeLogin {
    CodeLogin::begin(&settings(), PORT, &RANDOM)
}

/// The query of the URL that a person opens.
fn opened(login: &CodeLogin) -> BTreeMap<String, String> {
    let url = login.authorization_url(&settings()).unwrap();
    url.query_pairs().into_owned().collect()
}

/// A callback with the state of this login.
fn callback(login: &CodeLogin, rest: &str) -> String {
    format!("state={}&{rest}", opened(login)["state"])
}

fn form(request: &TokenRequest) -> BTreeMap<String, String> {
    parse_query(request.form.expose_secret().as_bytes())
        .into_owned()
        .collect()
}

#[test]
fn url_to_open_has_what_the_rfcs_name() {
    let login = begin();
    let query = opened(&login);
    for (name, value) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "our client"),
        ("redirect_uri", "http://127.0.0.1:4321/callback"),
        ("scope", "openid offline_access"),
        ("audience", "api"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(query[name], value, "{name}");
    }
    assert_eq!(query["state"].len(), 43);
    assert!(!query.contains_key("client_secret"));
    assert_eq!(
        query["code_challenge"],
        challenge(login.verifier.expose_secret())
    );
    assert!(!format!("{login:?}").contains(&query["state"]));
}

#[test]
fn code_is_exchanged_with_the_verifier_of_the_challenge() {
    let mut login = begin();
    let challenged = opened(&login)["code_challenge"].clone();
    let query = callback(&login, "code=s3cr3t%2Bcode&session_state=x");
    let request = login.receive(&settings(), &query).unwrap();
    let form = form(&request);
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["code"], "s3cr3t+code");
    assert_eq!(form["redirect_uri"], "http://127.0.0.1:4321/callback");
    assert_eq!(form["client_secret"], "s3cr3t-of-the-client");
    assert_eq!(form["resource"], "r");
    assert_eq!(challenge(&form["code_verifier"]), challenged);
    let rejected = br#"{"error":"invalid_grant","error_description":"s3cr3t+code is used"}"#;
    let failure = login.finish(&settings(), 400, rejected).unwrap_err();
    assert_eq!(failure, LoginFailure::Failed("invalid_grant".into()));
}

#[test]
fn basic_authentication_is_form_encoded_first() {
    let mut settings = settings();
    settings.client.authentication = crate::ClientAuthentication::Basic;
    settings.client.secret = Some("a:b %".into());
    let request = settings.refresh_request(&"r".into());
    // `our+client:a%3Ab+%25`
    let expected = "Basic b3VyK2NsaWVudDphJTNBYislMjU=";
    assert_eq!(
        request.authorization.as_ref().unwrap().expose_secret(),
        expected
    );
    let form = form(&request);
    assert_eq!(form["refresh_token"], "r");
    assert!(!form.contains_key("client_id") && !form.contains_key("client_secret"));
    settings.client.secret = None;
    let public = settings.refresh_request(&"r".into());
    assert!(public.authorization.is_none());
    assert_eq!(self::form(&public)["client_id"], "our client");
}

#[test]
fn callback_with_another_state_leaves_the_login_open() {
    let mut login = begin();
    let other = CodeLogin::begin(&settings(), PORT, &[8; RANDOM_BYTES]);
    for query in [
        callback(&other, "code=c"),
        callback(&other, "error=access_denied"),
        "code=c".to_owned(),
        format!("{}&state=x", callback(&login, "code=c")),
        String::new(),
    ] {
        let refused = login.receive(&settings(), &query);
        assert!(matches!(refused, Err(CallbackError::Foreign(_))), "{query}");
    }
    let query = callback(&login, "code=c");
    assert!(login.receive(&settings(), &query).is_ok());
    let again = login.receive(&settings(), &query);
    assert!(matches!(again, Err(CallbackError::Foreign(_))));
}

#[test]
fn issuer_is_compared_where_the_settings_name_one() {
    let mut settings = settings();
    settings.issuer = Some("https://login.example".to_owned());
    let receive = |rest: &str| {
        let mut login = begin();
        let query = callback(&login, rest);
        login.receive(&settings, &query).map(drop)
    };
    assert_eq!(receive("code=c&iss=https%3A%2F%2Flogin.example"), Ok(()));
    for rest in [
        "code=c",
        "code=c&iss=https%3A%2F%2Fevil.example",
        "code=c&iss=https%3A%2F%2Flogin.example%2F",
        "error=access_denied&iss=https%3A%2F%2Fevil.example",
    ] {
        let ended = receive(rest);
        let Err(CallbackError::Ended(LoginFailure::Failed(message))) = ended else {
            panic!("{rest}: {ended:?}");
        };
        assert!(message.contains("`iss`"), "{message}");
    }
}

#[test]
fn error_of_the_callback_ends_the_login() {
    let receive = |rest: &str| {
        let mut login = begin();
        let query = callback(&login, rest);
        login.receive(&settings(), &query).map(drop).unwrap_err()
    };
    let denied = LoginFailure::Denied("access_denied: not me".into());
    assert_eq!(
        receive("error=access_denied&error_description=not+me"),
        CallbackError::Ended(denied)
    );
    let failed = LoginFailure::Failed("server_error".into());
    assert_eq!(receive("error=server_error"), CallbackError::Ended(failed));
    let empty = LoginFailure::Failed("the callback contains no code".into());
    assert_eq!(receive("code="), CallbackError::Ended(empty));
}

#[test]
fn pasted_url_must_be_the_redirect_uri() {
    let mut login = begin();
    let query = callback(&login, "code=c");
    for url in [
        format!("http://127.0.0.1:4322/callback?{query}"),
        format!("https://127.0.0.1:4321/callback?{query}"),
        format!("http://127.0.0.1:4321/callback/x?{query}"),
        query.clone(),
        String::new(),
    ] {
        let refused = login.receive_url(&settings(), &url);
        assert!(matches!(refused, Err(CallbackError::Foreign(_))), "{url}");
    }
    let url = format!(" http://127.0.0.1:4321/callback?{query}#_=_\n");
    assert!(login.receive_url(&settings(), &url).is_ok());
}

#[test]
fn browser_leaves_the_port_of_the_scheme_out() {
    let mut login = CodeLogin::begin(&settings(), 80, &[7; RANDOM_BYTES]);
    let query = callback(&login, "code=c");
    let url = format!("http://127.0.0.1/callback?{query}");
    assert!(login.receive_url(&settings(), &url).is_ok());
}

proptest! {
    /// Only the whole state of a login is accepted.
    #[test]
    fn cut_or_changed_state_is_foreign(random in prop::array::uniform32(any::<u8>()), at in 0_usize..43, with in "[A-Za-z0-9_-]{0,2}") {
        let mut both = [0; RANDOM_BYTES];
        both[..32].copy_from_slice(&random);
        let mut login = CodeLogin::begin(&settings(), PORT, &both);
        let state = opened(&login)["state"].clone();
        let changed = format!("{}{with}{}", &state[..at], &state[at + 1..]);
        prop_assume!(changed != state);
        let refused = login.receive(&settings(), &format!("state={changed}&code=c"));
        prop_assert!(matches!(refused, Err(CallbackError::Foreign(_))));
        let accepted = login.receive(&settings(), &format!("code=c&state={state}"));
        prop_assert!(accepted.is_ok());
    }

    /// Any callback and any response is read without a panic, and no error shows a secret of the login.
    #[test]
    fn any_callback_is_read(query in "\\PC{0,100}", status in 100_u16..600, body in "\\PC{0,200}") {
        let settings = settings();
        let mut login = begin();
        let foreign = login.receive(&settings, &query);
        prop_assert!(foreign.is_err());
        let verifier = login.verifier.expose_secret().to_owned();
        let state = opened(&login)["state"].clone();
        let error = format!("state={state}&error=e&error_description={verifier}{state}");
        let shown = format!("{:?}", login.receive(&settings, &error));
        prop_assert!(!shown.contains(&verifier) && !shown.contains(&state));
        let _ = login.finish(&settings, status, body.as_bytes());
    }
}
