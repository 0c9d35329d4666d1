//! Tests logins by OAuth: from `jackfield login` to the first call, and what ends a login without tokens.

use std::process::Stdio;

use jackfield_mock_provider::{MockConsent, MockFailure, MockOAuthOptions, Rotation};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::harness::{Jackfield, TEST_TIMEOUT, TOKEN, Upstream, binary, chat, wait_until};
use crate::oauth::CLIENT_SECRET;

/// A provider whose accounts log in, and a Jackfield without any other credential.
struct Stage {
    upstream: Upstream,
    jackfield: Jackfield,
}

impl Stage {
    async fn new() -> Self {
        Self::with("{}", 0).await
    }

    async fn with_redirect(redirect: &str) -> Self {
        Self::with(redirect, 0).await
    }

    async fn with(redirect: &str, slow_downs: u32) -> Self {
        let upstream = Upstream::with_oauth(MockOAuthOptions {
            rotation: Rotation::Strict,
            client: Some(("me".to_owned(), CLIENT_SECRET.to_owned())),
            slow_downs,
            ..MockOAuthOptions::default()
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let jackfield = Jackfield::start_in(folder, &config(&upstream, redirect)).await;
        Self {
            upstream,
            jackfield,
        }
    }

    /// Sends a request to `/logins` and below it; returns the status and the body.
    async fn logins(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("http://{}/admin/v1/logins{path}", self.jackfield.admin);
        let method = method.parse().unwrap();
        let request = self.jackfield.client.request(method, url);
        let request = request.bearer_auth(TOKEN);
        let request = match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Begins a login, and returns it.
    async fn begin(&self, method: &str) -> Value {
        let body = json!({ "provider": "accounts", "method": method });
        let (status, response) = self.logins("POST", "", Some(body)).await;
        assert_eq!(status, 201, "{response}");
        response["login"].clone()
    }

    /// Waits until a login has ended, and returns it.
    async fn ended(&self, login: &Value) -> Value {
        let path = format!("/{}", login["id"].as_str().unwrap());
        let shown = async || {
            let (status, response) = self.logins("GET", &path, None).await;
            assert_eq!(status, 200, "{response}");
            response["login"].clone()
        };
        wait_until("the login ended", async || {
            shown().await["state"] != "pending"
        })
        .await;
        let ended = shown().await;
        assert_eq!(ended["open"], Value::Null);
        ended
    }

    /// Opens the address of a login as a browser does; returns the status and the page that it ends at.
    async fn browse(&self, login: &Value) -> (u16, String) {
        let open = login["open"].as_str().unwrap();
        let response = self.jackfield.client.get(open).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.text().await.unwrap())
    }

    /// Opens an address as a browser on another machine does; returns the address that it shows at the end.
    async fn browse_elsewhere(&self, open: &str) -> String {
        let client = reqwest::Client::builder().no_proxy();
        let client = client.redirect(Policy::none()).build().unwrap();
        let response = client.get(open).send().await.unwrap();
        assert_eq!(response.status(), 302);
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Logs an account in by a browser, and returns the login.
    async fn log_in(&self, account: &str) -> Value {
        let login = self.begin("browser").await;
        let consent = MockConsent::Approve(account.to_owned());
        self.upstream.oauth().consent(consent);
        let (status, page) = self.browse(&login).await;
        assert_eq!(status, 200, "{page}");
        let ended = self.ended(&login).await;
        assert_eq!(ended["state"], "done", "{ended}");
        ended
    }

    /// Makes a call that this account must serve.
    async fn assert_serves(&self, account: &str) {
        let (status, response) = self.jackfield.call(&hello()).await;
        assert_eq!(status, 200, "{response}");
        assert_eq!(response["x_mock"]["served_by"], account);
    }

    fn assert_no_secret_logged(&self) {
        for secret in SECRETS {
            assert!(!self.jackfield.has_logged(secret), "the log has `{secret}`");
        }
    }
}

/// Returns the configuration of a provider with logins.
fn config(upstream: &Upstream, redirect: &str) -> String {
    let origin = upstream.origin();
    format!(
        "providers:\n  - name: accounts\n    executor: openai-compatible\n    base-url: {origin}/v1\n    login:\n      \
         client-id: me\n      client-secret: \"{CLIENT_SECRET}\"\n      client-authentication: basic\n      \
         token-url: {origin}/oauth/token\n      authorization-url: {origin}/oauth/authorize\n      \
         device-authorization-url: {origin}/oauth/device\n      issuer: {origin}\n      scopes: [ chat ]\n      \
         redirect: {redirect}\n      account-from: sub\n      label-from: email\n    \
         models: [ {{ name: gpt-accounts, alias: accounts }} ]\n  - name: keys\n    executor: openai-compatible\n    \
         base-url: {origin}/v1\n    credentials: [ {{ id: keys-a, api-key: a }} ]\n    models: [ {{ name: gpt-keys }} ]\n"
    )
}

fn hello() -> Value {
    chat("accounts", false, &json!({}))
}

/// Parts of all tokens, codes and client secrets of the mock provider.
const SECRETS: [&str; 4] = [".access.", ".refresh.", ".code.", CLIENT_SECRET];

/// A running `jackfield login`.
struct LoginCommand {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    shown: String,
}

impl LoginCommand {
    fn start(jackfield: &Jackfield, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["login", "accounts", "--admin"])
            .arg(format!("http://{}", jackfield.admin))
            .args(arguments)
            .env("JACKFIELD_ADMIN_TOKEN", TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
            shown: String::new(),
        }
    }

    /// Reads lines until one contains this text, and returns that one.
    async fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = timeout(TEST_TIMEOUT, self.stdout.next_line()).await;
            let line = line.expect("no output").unwrap().expect("the output ended");
            self.shown.push_str(&line);
            self.shown.push('\n');
            if line.contains(text) {
                return line.trim().to_owned();
            }
        }
    }

    async fn paste(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.stdin.write_all(line.as_bytes()).await.unwrap();
    }

    /// Waits for the end; returns the exit code, all of standard output, and standard error.
    async fn end(mut self) -> (Option<i32>, String, String) {
        while let Some(line) = self.stdout.next_line().await.unwrap() {
            self.shown.push_str(&line);
            self.shown.push('\n');
        }
        drop(self.stdin);
        let output = timeout(TEST_TIMEOUT, self.child.wait_with_output()).await;
        let output = output.expect("the command did not end").unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), self.shown, stderr)
    }
}

#[tokio::test]
async fn device_login_leads_to_served_calls_and_refreshes() {
    let stage = Stage::new().await;
    let mut command = LoginCommand::start(&stage.jackfield, &["--device"]);
    let page = command.line_with("http://").await;
    assert_eq!(page, format!("{}/oauth/enter", stage.upstream.origin()));
    let code = command.line_with("Enter this code there: ").await;
    let code = code.rsplit(' ').next().unwrap();
    assert!(stage.upstream.oauth().enter_code(code, Some("alice")));
    let (status, stdout, stderr) = command.end().await;
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stdout.contains("logged in: credential accounts-alice was added"),
        "{stdout}"
    );
    stage.assert_serves("alice").await;
    let counts = stage.upstream.oauth().counts();
    assert_eq!((counts.logged_in, counts.polled_too_early), (1, 0));
    // The executor has no setting for a refresh.
    stage.upstream.oauth().end_access("alice");
    stage.assert_serves("alice").await;
    assert_eq!(stage.upstream.oauth().counts().refreshed, 1);
    stage.assert_no_secret_logged();
}

/// The provider refuses a poll that arrives earlier than 5 s after the interval from before.
#[tokio::test]
async fn slow_down_makes_polls_rarer() {
    let stage = Stage::with("{}", 1).await;
    let login = stage.begin("device").await;
    let code = login["user_code"].as_str().unwrap();
    assert!(stage.upstream.oauth().enter_code(code, Some("alice")));
    let ended = stage.ended(&login).await;
    assert_eq!(ended["state"], "done", "{ended}");
    let counts = stage.upstream.oauth().counts();
    assert_eq!((counts.logged_in, counts.polled_too_early), (1, 0));
}

#[tokio::test]
async fn browser_login_leads_to_served_calls_also_after_a_restart() {
    let stage = Stage::with_redirect("{ host: localhost, path: /auth/callback }").await;
    let mut command = LoginCommand::start(&stage.jackfield, &[]);
    let open = command.line_with("http://").await;
    let consent = MockConsent::Approve("bob@example.com".to_owned());
    stage.upstream.oauth().consent(consent);
    let page = stage.jackfield.client.get(&open).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = &page.headers()["content-security-policy"];
    assert!(policy.to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    let callback = page.url().clone();
    assert_eq!(callback.host_str(), Some("localhost"));
    assert!(page.text().await.unwrap().contains("close this page"));
    let (status, stdout, stderr) = command.end().await;
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stdout.contains("credential accounts-bob-example.com-"),
        "{stdout}"
    );
    for secret in SECRETS {
        assert!(!stdout.contains(secret) && !stderr.contains(secret));
    }
    let again = stage.jackfield.client.get(callback).send().await;
    assert!(again.is_err(), "the listener is still open");
    stage.assert_serves("bob@example.com").await;
    stage.assert_no_secret_logged();
    let folder = stage.jackfield.stop().await;
    let jackfield = Jackfield::restart(folder).await;
    let (status, response) = jackfield.call(&hello()).await;
    assert_eq!(status, 200, "{response}");
}

#[tokio::test]
async fn pasted_login_leads_to_served_calls() {
    let stage = Stage::new().await;
    let mut command = LoginCommand::start(&stage.jackfield, &["--paste", "--id", "mine"]);
    let open = command.line_with("http://").await;
    let consent = MockConsent::Approve("carol".to_owned());
    stage.upstream.oauth().consent(consent);
    let shown = stage.browse_elsewhere(&open).await;
    command.line_with("Paste it here").await;
    command.paste("http://127.0.0.1:1/callback?code=c").await;
    command.line_with("Paste it here").await;
    command.paste(&shown).await;
    let (status, stdout, stderr) = command.end().await;
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stdout.contains("credential mine was added"), "{stdout}");
    assert!(
        stderr.contains("not the callback of this login"),
        "{stderr}"
    );
    stage.assert_serves("carol").await;
    stage.assert_no_secret_logged();
}

#[tokio::test]
async fn callback_with_another_state_ends_nothing() {
    let stage = Stage::new().await;
    let login = stage.begin("browser").await;
    let consent = MockConsent::OtherState("mallory".to_owned());
    stage.upstream.oauth().consent(consent);
    let (status, page) = stage.browse(&login).await;
    assert_eq!(status, 400, "{page}");
    let redirect = login["redirect_uri"].as_str().unwrap();
    let favicon = redirect.replace("/callback", "/favicon.ico");
    let response = stage.jackfield.client.get(favicon).send().await.unwrap();
    assert_eq!(response.status(), 404);
    let path = format!("/{}/callback", login["id"].as_str().unwrap());
    let callback = json!({ "callback": format!("{redirect}?state=x&code=c") });
    let (status, refused) = stage.logins("POST", &path, Some(callback)).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (400, &json!("callback_refused"))
    );
    let consent = MockConsent::Approve("alice".to_owned());
    stage.upstream.oauth().consent(consent);
    assert_eq!(stage.browse(&login).await.0, 200);
    assert_eq!(stage.ended(&login).await["state"], "done");
    stage.assert_serves("alice").await;
    assert_eq!(stage.upstream.oauth().counts().logged_in, 1);
}

#[tokio::test]
async fn callback_of_another_issuer_ends_the_login_without_tokens() {
    let stage = Stage::new().await;
    let login = stage.begin("browser").await;
    let consent = MockConsent::OtherIssuer("alice".to_owned());
    stage.upstream.oauth().consent(consent);
    assert_eq!(stage.browse(&login).await.0, 200);
    let ended = stage.ended(&login).await;
    assert_eq!(ended["state"], "failed");
    let reason = ended["reason"].as_str().unwrap();
    assert!(reason.contains("`iss`"), "{reason}");
    assert_eq!(stage.upstream.oauth().counts().logged_in, 0);
}

#[tokio::test]
async fn refusal_ends_the_login_without_tokens() {
    let stage = Stage::new().await;
    let login = stage.begin("browser").await;
    stage.upstream.oauth().consent(MockConsent::Deny);
    assert_eq!(stage.browse(&login).await.0, 200);
    let ended = stage.ended(&login).await;
    assert_eq!(ended["state"], "denied");
    assert_eq!(ended["reason"], "access denied: access_denied");
    let mut command = LoginCommand::start(&stage.jackfield, &["--device"]);
    let code = command.line_with("Enter this code there: ").await;
    let code = code.rsplit(' ').next().unwrap();
    assert!(stage.upstream.oauth().enter_code(code, None));
    let (status, _, stderr) = command.end().await;
    assert_eq!(status, Some(1));
    assert!(stderr.contains("not logged in: access denied"), "{stderr}");
    assert_eq!(stage.upstream.oauth().counts().logged_in, 0);
}

#[tokio::test]
async fn expired_device_code_ends_the_login() {
    let stage = Stage::new().await;
    let login = stage.begin("device").await;
    assert!(login["user_code"].as_str().unwrap().starts_with("MOCK-"));
    stage.upstream.oauth().expire_devices();
    let ended = stage.ended(&login).await;
    assert_eq!(ended["state"], "expired", "{ended}");
    assert_eq!(ended["user_code"], Value::Null);
}

#[tokio::test]
async fn second_login_of_an_account_replaces_its_credential_and_keeps_its_quota() {
    let stage = Stage::new().await;
    let events = format!("http://{}/admin/v1/events", stage.jackfield.admin);
    let events = stage.jackfield.client.get(events).bearer_auth(TOKEN);
    let mut events = events.send().await.unwrap();
    let first = stage.log_in("alice").await;
    assert_eq!(
        (&first["credential"], &first["replaced"]),
        (&json!("accounts-alice"), &json!(false))
    );
    stage.assert_serves("alice").await;
    let limited = MockFailure {
        status: MockFailure::TOO_MANY_REQUESTS,
        retry_after: Some(3600),
    };
    stage.upstream.provider.fail("alice", Some(limited));
    let (status, response) = stage.jackfield.call(&hello()).await;
    assert_eq!(status, 429, "{response}");
    let cooling = stage.jackfield.credential("accounts-alice").await;
    assert_eq!(
        cooling["models"][0]["health"]["state"], "cooling",
        "{cooling}"
    );
    let second = stage.log_in("alice").await;
    assert_eq!(
        (&second["credential"], &second["replaced"]),
        (&json!("accounts-alice"), &json!(true))
    );
    let alice = stage.jackfield.credential("accounts-alice").await;
    assert_eq!(alice["models"][0]["health"]["state"], "cooling", "{alice}");
    assert_eq!(alice["label"], "alice@example.com");
    assert_eq!(alice["origin"]["kind"], "admin");
    let third = stage.log_in("bob").await;
    assert_eq!(third["credential"], "accounts-bob");
    stage.assert_serves("bob").await;
    let all = stage.jackfield.admin("credentials").await;
    assert_eq!(all["credentials"].as_array().unwrap().len(), 3, "{all}");
    let mut seen = all.to_string();
    while !seen.contains("accounts-bob\",\"result") {
        let piece = timeout(TEST_TIMEOUT, events.chunk()).await;
        let piece = piece.expect("no event").unwrap().expect("the events ended");
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    for secret in SECRETS {
        assert!(!seen.contains(secret), "{secret}: {seen}");
    }
    stage.assert_no_secret_logged();
}

#[tokio::test]
async fn open_logins_are_limited_and_can_be_cancelled() {
    let stage = Stage::new().await;
    let mut logins = Vec::new();
    for _ in 0..8 {
        logins.push(stage.begin("paste").await);
    }
    let body = json!({ "provider": "accounts", "method": "paste" });
    let (status, refused) = stage.logins("POST", "", Some(body.clone())).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (429, &json!("too_many_logins"))
    );
    let path = format!("/{}", logins[0]["id"].as_str().unwrap());
    let (status, cancelled) = stage.logins("DELETE", &path, None).await;
    assert_eq!(
        (status, &cancelled["login"]["state"]),
        (200, &json!("cancelled"))
    );
    wait_until("a login can begin", async || {
        stage.logins("POST", "", Some(body.clone())).await.0 == 201
    })
    .await;
    let (status, refused) = stage.logins("GET", "/unknown", None).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (404, &json!("login_not_found"))
    );
}

#[tokio::test]
async fn login_that_cannot_begin_reports_why() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let stage = Stage::with_redirect(&format!("{{ port: {port} }}")).await;
    for (body, status, code) in [
        (
            json!({ "provider": "accounts" }),
            409,
            "redirect_unavailable",
        ),
        (json!({ "provider": "keys" }), 409, "login_not_configured"),
        (json!({ "provider": "none" }), 404, "provider_not_found"),
        (
            json!({ "provider": "accounts", "method": "magic" }),
            400,
            "invalid_request",
        ),
        (
            json!({ "provider": "accounts", "method": "paste", "credential": "keys-a" }),
            409,
            "credential_defined_elsewhere",
        ),
        (
            json!({ "provider": "accounts", "method": "paste", "credential": "A b" }),
            400,
            "invalid_request",
        ),
    ] {
        let (found, response) = stage.logins("POST", "", Some(body.clone())).await;
        assert_eq!(
            (found, &response["error"]["code"]),
            (status, &json!(code)),
            "{body}: {response}"
        );
    }
    assert_eq!(stage.begin("paste").await["state"], "pending");
}
