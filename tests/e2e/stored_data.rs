//! Opens a data folder that commit f873a21 wrote (`tests/cases/store/f873a21`): all of its state must be
//! there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jackfield_mock_provider::{MockFailure, MockOAuthCounts, MockOAuthOptions, Rotation};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Jackfield, TOKEN, Upstream, chat};
use crate::oauth::CLIENT_SECRET;

/// The client's id and secret, form-encoded.
const CLIENT: &str = "client_id=me&client_secret=s3%3Acr%25t%26%2B%3D~";

/// A server on a copy of the folder, and the two providers of its configuration.
struct Scene {
    accounts: Upstream,
    keys: Upstream,
    jackfield: Jackfield,
    expected: Value,
}

impl Scene {
    async fn start() -> Self {
        let expected = fs::read_to_string(case("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let accounts = Upstream::with_oauth(MockOAuthOptions {
            rotation: Rotation::Strict,
            client: Some(("me".to_owned(), CLIENT_SECRET.to_owned())),
            ..MockOAuthOptions::default()
        })
        .await;
        let keys = Upstream::start(&[]).await;
        let config = fs::read_to_string(case("config.yaml")).unwrap();
        let config = config
            .replace("http://ACCOUNTS", &accounts.origin())
            .replace("http://KEYS", &keys.origin());
        let jackfield = Jackfield::start_in(copied(), &config).await;
        for tokens in expected["tokens"].as_array().unwrap() {
            refresh(&jackfield.client, &accounts, tokens).await;
        }
        Self {
            accounts,
            keys,
            jackfield,
            expected,
        }
    }

    async fn call(&self, model: &str) -> (u16, Value) {
        self.jackfield.call(&chat(model, false, &json!({}))).await
    }

    /// Makes a call that must succeed; returns the key or the account that served it.
    async fn served(&self, model: &str) -> String {
        let (status, response) = self.call(model).await;
        assert_eq!(status, 200, "{model}: {response}");
        let by = response["x_mock"]["served_by"].as_str();
        by.unwrap().to_owned()
    }

    /// Runs an admin action on a credential.
    async fn act(&self, id: &str, action: &str) {
        let admin = self.jackfield.admin;
        let url = format!("http://{admin}/admin/v1/credentials/{id}/{action}");
        let request = self.jackfield.client.post(url).bearer_auth(TOKEN);
        let status = request.send().await.unwrap().status();
        assert_eq!(status, 200, "{id}: {action}");
    }

    /// Checks that the admin API shows exactly the credentials that f873a21 showed, with at least the same
    /// members.
    async fn stands(&self) {
        let shown = self.jackfield.admin("credentials").await;
        let shown = shown["credentials"].as_array().unwrap();
        let expected = self.expected["credentials"].as_array().unwrap();
        assert_eq!(ids(shown), ids(expected));
        for (shown, expected) in shown.iter().zip(expected) {
            holds(shown, expected, expected["id"].as_str().unwrap());
        }
    }
}

fn case(name: &str) -> PathBuf {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/store/f873a21");
    cases.join(name)
}

/// Copies the data, with file permissions for the owner only: git does not store these.
fn copied() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("jackfield.db", "data/jackfield.db"),
        ("jackfield.key", "data/jackfield.key"),
        ("files/erin.json", "files/erin.json"),
    ] {
        let to = folder.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(case(from), &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

/// Creates an account, and refreshes its tokens as often as when the folder was written.
async fn refresh(client: &reqwest::Client, accounts: &Upstream, tokens: &Value) {
    let account = tokens["account"].as_str().unwrap();
    accounts.oauth().open(account);
    for number in 0..tokens["refreshes"].as_u64().unwrap() {
        let form =
            format!("grant_type=refresh_token&refresh_token={account}.refresh.{number}&{CLIENT}");
        let request = client
            .post(format!("{}/oauth/token", accounts.origin()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        assert_eq!(request.send().await.unwrap().status(), 200, "{account}");
    }
}

fn ids(credentials: &[Value]) -> Vec<&str> {
    let ids = credentials.iter();
    ids.map(|credential| credential["id"].as_str().unwrap())
        .collect()
}

/// Checks that `shown` has all expected members, at any depth; it may have more.
fn holds(shown: &Value, expected: &Value, place: &str) {
    match expected {
        Value::Object(members) => {
            for (name, expected) in members {
                holds(&shown[name], expected, &format!("{place}.{name}"));
            }
        }
        Value::Array(items) => {
            let found = shown.as_array().map_or(0, Vec::len);
            assert_eq!(found, items.len(), "{place}");
            for (index, expected) in items.iter().enumerate() {
                holds(&shown[index], expected, &format!("{place}.{index}"));
            }
        }
        expected => assert_eq!(shown, expected, "{place}"),
    }
}

#[tokio::test]
async fn every_stored_credential_is_shown_as_before_also_after_one_more_restart() {
    let mut scene = Scene::start().await;
    scene.stands().await;
    scene.jackfield = Jackfield::restart(scene.jackfield.stop().await).await;
    scene.stands().await;
    let counts = scene.accounts.oauth().counts();
    let refreshed = scene.expected["tokens"].as_array().unwrap().iter();
    let refreshed = refreshed.map(|tokens| tokens["refreshes"].as_u64().unwrap());
    let expected = MockOAuthCounts {
        refreshed: refreshed.sum(),
        ..MockOAuthCounts::default()
    };
    assert_eq!(counts, expected, "a token was refreshed without need");
}

#[tokio::test]
async fn stored_tokens_are_sent_and_refreshed() {
    let scene = Scene::start().await;
    scene.act("carol", "enable").await;
    let oauth = scene.accounts.oauth();
    let before = oauth.counts().refreshed;
    let tokens = scene.expected["tokens"].as_array().unwrap();
    for tokens in tokens {
        let account = tokens["account"].as_str().unwrap();
        let model = tokens["model"].as_str().unwrap();
        assert_eq!(scene.served(model).await, account);
        assert_eq!(
            oauth.counts().refreshed,
            before,
            "not the stored access token"
        );
    }
    assert_eq!(oauth.counts().unauthorized, 0, "{:?}", oauth.counts());
    // The access tokens expire, so the server needs the stored refresh tokens and client secrets.
    for (number, tokens) in (before + 1..).zip(tokens) {
        let account = tokens["account"].as_str().unwrap();
        oauth.end_access(account);
        let model = tokens["model"].as_str().unwrap();
        assert_eq!(scene.served(model).await, account);
        assert_eq!(oauth.counts().refreshed, number, "{account}");
    }
    // A credential whose refresh was rejected stays barred: no call uses it.
    let (status, _) = scene.call("bob").await;
    assert_ne!(status, 200);
    let counts = oauth.counts();
    assert_eq!((counts.invalid_grant, counts.invalid_client), (0, 0));
    assert_eq!(counts.unauthorized, 4, "one for each expired token");
}

#[tokio::test]
async fn credentials_of_the_admin_api_serve_with_what_was_stored() {
    let scene = Scene::start().await;
    assert_eq!(scene.served("ada/made").await, "key-made");
    let requests = scene.keys.provider.requests();
    let sent = &requests.last().unwrap().headers;
    assert_eq!(sent.get("x-team").map(String::as_str), Some("blue"));
    // The stored proxy does not run, so the call cannot reach the provider.
    let (status, _) = scene.call("proxied").await;
    assert_ne!(status, 200);
    assert!(!scene.keys.provider.calls().contains_key("key-proxied"));
    let (status, _) = scene.call("made-off").await;
    assert_ne!(status, 200);
    scene.act("made-off", "enable").await;
    assert_eq!(scene.served("made-off").await, "key-made-off");
}

#[tokio::test]
async fn operator_edits_and_health_decide_which_credential_serves() {
    let scene = Scene::start().await;
    for (model, key) in [
        ("on", "key-on"),
        ("reset", "key-reset"),
        ("fresh", "key-fresh"),
        ("there", "key-missing"),
    ] {
        assert_eq!(scene.served(model).await, key);
    }
    let calls = scene.keys.provider.calls();
    // Disabled, or the provider named the end of the window.
    let unavailable = ["cooled", "off", "overloaded", "probed"];
    for model in unavailable {
        let (status, response) = scene.call(model).await;
        assert_ne!(status, 200, "{model}: {response}");
    }
    assert_eq!(scene.keys.provider.calls(), calls, "a credential was used");
    scene.act("off", "enable").await;
    for id in ["cooled", "overloaded", "probed"] {
        scene.act(id, "reset").await;
    }
    for model in unavailable {
        scene.served(model).await;
    }
    // The other windows are guesses: they still cool, but a call without another credential may try them.
    for (id, place, class) in [
        ("denied", "/health", "refused"),
        ("missing", "/models/0/health", "missing"),
        ("unpaid", "/health", "billing"),
    ] {
        let shown = scene.jackfield.credential(id).await;
        let health = shown.pointer(place).unwrap();
        assert_eq!(health["state"], "cooling", "{shown}");
        assert_eq!(health["class"], class, "{shown}");
        assert_eq!(health["hint"], false, "{shown}");
    }
    for model in ["denied", "gone", "unpaid"] {
        scene.served(model).await;
    }
    // The cooldown has ended long ago, but the strikes are stored: the next one is the seventh.
    let limit = MockFailure {
        status: MockFailure::TOO_MANY_REQUESTS,
        retry_after: None,
    };
    scene.keys.provider.fail("key-struck", Some(limit));
    let (status, response) = scene.call("struck").await;
    assert_eq!(status, 429, "{response}");
    let struck = scene.jackfield.credential("struck").await;
    assert_eq!(struck["models"][0]["health"]["strikes"], 7, "{struck}");
}
