//! Tests polls: when they are sent, and what their responses mean.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::settings::tests::settings;

const START: Duration = Duration::from_secs(2);

fn response(interval: u64, expires_in: u64) -> Vec<u8> {
    let body = json!({
        "device_code": "s3cr3t-device-code",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://device.example/enter",
        "expires_in": expires_in,
        "interval": interval,
    });
    body.to_string().into_bytes()
}

fn begin(interval: u64, expires_in: u64) -> DeviceLogin {
    DeviceLogin::begin(&settings(), 200, &response(interval, expires_in), START).unwrap()
}

fn form(request: &TokenRequest) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(request.form.expose_secret().as_bytes());
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn requests_have_what_the_rfc_names() {
    let settings = settings();
    let request = DeviceLogin::request(&settings).unwrap();
    assert_eq!(request.url.as_str(), "https://login.example/device");
    assert_eq!(
        form(&request),
        [
            pair("scope", "openid offline_access"),
            pair("audience", "api"),
            pair("client_id", "our client"),
            pair("client_secret", "s3cr3t-of-the-client"),
        ]
    );
    let poll = begin(5, 600).poll(&settings, START).unwrap();
    assert_eq!(poll.url.as_str(), "https://login.example/token");
    assert_eq!(
        form(&poll),
        [
            pair("grant_type", DEVICE_GRANT),
            pair("device_code", "s3cr3t-device-code"),
            pair("resource", "r"),
            pair("client_id", "our client"),
            pair("client_secret", "s3cr3t-of-the-client"),
        ]
    );
    let shown = format!("{:?} {:?} {settings:?}", begin(5, 600), poll);
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn consent_ends_the_login_with_tokens() {
    let settings = settings();
    let mut login = begin(1, 600);
    assert_eq!(login.user_code(), "WDJB-MJHT");
    let pending = br#"{"error":"authorization_pending"}"#;
    let progress = login.receive(&settings, 400, pending, START);
    assert!(progress.unwrap().is_none());
    let tokens = br#"{"access_token":"s3cr3t-a","refresh_token":"s3cr3t-r","expires_in":60}"#;
    let grant = login
        .receive(&settings, 200, tokens, START)
        .unwrap()
        .unwrap();
    assert_eq!(grant.access_token.expose_secret(), "s3cr3t-a");
    assert_eq!(
        grant.refresh_token.as_ref().unwrap().expose_secret(),
        "s3cr3t-r"
    );
    assert_eq!(grant.expires_in, Some(Duration::from_mins(1)));
    assert!(!format!("{grant:?}").contains("s3cr3t"));
}

#[test]
fn refusal_and_expiry_end_the_login() {
    let settings = settings();
    let end = |code: &str| {
        let body = format!(r#"{{"error":"{code}","error_description":"s3cr3t-device-code"}}"#);
        begin(1, 600)
            .receive(&settings, 400, body.as_bytes(), START)
            .unwrap_err()
    };
    assert_eq!(
        end("access_denied"),
        LoginFailure::Denied("access_denied".into())
    );
    assert_eq!(
        end("expired_token"),
        LoginFailure::Expired("expired_token".into())
    );
    assert_eq!(
        end("invalid_grant"),
        LoginFailure::Failed("invalid_grant".into())
    );
    let late = begin(1, 10).poll(&settings, START + Duration::from_secs(10));
    assert!(matches!(late.unwrap_err(), LoginFailure::Expired(_)));
}

/// Polling goes on, more slowly, where the endpoint or a gateway before it fails for the moment.
#[test]
fn failure_for_the_moment_does_not_end_the_login() {
    let settings = settings();
    for (status, body) in [
        (503, r#"{"error":"temporarily_unavailable"}"#),
        (500, r#"{"error":{"code":500,"status":"INTERNAL"}}"#),
        (429, r#"{"error":"rate_limit_exceeded"}"#),
        (408, r#"{"error":"timeout"}"#),
        (503, r#"{"error":""}"#),
    ] {
        let mut login = begin(5, 600);
        let progress = login.receive(&settings, status, body.as_bytes(), START);
        assert!(progress.unwrap().is_none(), "{status} {body}");
        assert_eq!(login.wait_until(), START + Duration::from_secs(10));
    }
    let denied = br#"{"error":"access_denied"}"#;
    let ended = begin(5, 600).receive(&settings, 500, denied, START);
    assert!(matches!(ended.unwrap_err(), LoginFailure::Denied(_)));
}

#[test]
fn empty_error_is_none() {
    let body = br#"{"error":"","access_token":"s3cr3t-a"}"#;
    let grant = begin(5, 600).receive(&settings(), 200, body, START);
    assert!(grant.unwrap().is_some());
}

#[test]
fn github_reports_pending_with_status_200() {
    let pending = br#"{"error":"authorization_pending","error_description":"..","error_uri":".."}"#;
    let progress = begin(1, 600).receive(&settings(), 200, pending, START);
    assert!(progress.unwrap().is_none());
}

#[test]
fn page_elsewhere_is_refused_with_its_origin() {
    let body = String::from_utf8(response(5, 600)).unwrap();
    let body = body.replace("device.example", "evil.example");
    let failure = DeviceLogin::begin(&settings(), 200, body.as_bytes(), START).unwrap_err();
    let message = failure.to_string();
    assert!(message.contains("https://evil.example"), "{message}");
    assert!(message.contains("verification-origins"), "{message}");
}

#[test]
fn user_code_with_control_characters_is_refused() {
    let body = String::from_utf8(response(5, 600)).unwrap();
    let body = body.replace("WDJB-MJHT", "WDJB\\u001b[2J");
    assert!(DeviceLogin::begin(&settings(), 200, body.as_bytes(), START).is_err());
}

proptest! {
    /// No poll is earlier than the interval after the last response, no response shortens the interval, each
    /// `slow_down` adds 5 s for good, and the login ends by the end of the code.
    #[test]
    fn polling_never_becomes_faster(
        interval in 0_u64..100,
        expires_in in 1_u64..10_000,
        steps in prop::collection::vec((0_u8..4, 0_u64..30), 0..40),
    ) {
        let settings = settings();
        let mut login = begin(interval, expires_in);
        let mut now = START;
        let mut shortest = Duration::from_secs(interval).clamp(POLL_INTERVAL_MIN, POLL_INTERVAL_MAX);
        if interval == 0 {
            // Zero counts as a missing member.
            shortest = POLL_INTERVAL_DEFAULT;
        }
        prop_assert!(login.expires_at() <= START + DEVICE_LIFETIME_MAX);
        for (step, late) in steps {
            prop_assert!(login.wait_until() <= login.expires_at());
            prop_assert!(login.wait_until() >= (now + shortest).min(login.expires_at()));
            now = login.wait_until() + Duration::from_secs(late);
            let poll = login.poll(&settings, now);
            if now >= login.expires_at() {
                prop_assert!(matches!(poll, Err(LoginFailure::Expired(_))));
                return Ok(());
            }
            prop_assert!(poll.is_ok());
            let progress = match step {
                0 => login.receive(&settings, 400, br#"{"error":"authorization_pending"}"#, now),
                1 => {
                    shortest = (shortest + SLOW_DOWN_STEP).min(POLL_INTERVAL_MAX);
                    login.receive(&settings, 400, br#"{"error":"slow_down"}"#, now)
                }
                2 => login.receive(&settings, 503, b"<html>", now),
                _ => {
                    login.note_no_response(now);
                    Ok(None)
                }
            };
            prop_assert!(progress.unwrap().is_none());
        }
    }

    /// Any response is read without a panic, and no failure shows the device code.
    #[test]
    fn any_response_is_read(status in 100_u16..600, body in "\\PC{0,200}", code in "[a-z_]{0,12}") {
        let settings = settings();
        let error = json!({"error": code, "error_description": format!("s3cr3t-device-code {body}")});
        for body in [body.as_bytes(), error.to_string().as_bytes()] {
            let _ = DeviceLogin::begin(&settings, status, body, START);
            let progress = begin(5, 600).receive(&settings, status, body, START);
            if let Err(failure) = progress {
                let shown = format!("{failure} {failure:?}");
                prop_assert!(!shown.contains("s3cr3t"), "{}", shown);
            }
        }
    }
}
