//! `jackfield login`: logs an account in on a running server, through its admin API. It shows the whole address to
//! open and opens nothing itself.

use std::io::BufRead;
use std::time::Duration;

use clap::Args;
use jackfield_admin::types::{Login, LoginCallback, LoginMethod, LoginState, NewLogin};
use jackfield_admin::{AdminClient, AdminClientError, AdminRequest};
use jackfield_config::Environment;
use tokio::time::sleep;

use crate::admin_target::AdminTarget;
use crate::log::escape_controls;
use crate::terminal::{eprint, print};

/// Options of `jackfield login`.
#[derive(Args)]
pub(crate) struct LoginArguments {
    #[command(flatten)]
    server: AdminTarget,
    /// Name of the provider, which has a section `login`.
    #[arg(value_name = "PROVIDER")]
    provider: String,
    /// Enter a code on a page of the provider, on any device.
    #[arg(long, conflicts_with = "paste")]
    device: bool,
    /// Use a browser on another machine than the server, and paste the address that it shows at the end.
    #[arg(long)]
    paste: bool,
    /// Id of the credential that gets the tokens. Without it, the account decides.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

/// Logs in, and prints the credential.
pub(crate) async fn run(
    arguments: LoginArguments,
    environment: &dyn Environment,
) -> Result<(), String> {
    let client = arguments.server.client(environment)?;
    let new = NewLogin {
        provider: arguments.provider,
        method: match (arguments.device, arguments.paste) {
            (true, _) => Some(LoginMethod::Device),
            (_, true) => Some(LoginMethod::Paste),
            _ => None,
        },
        credential: arguments.id,
    };
    let request = AdminRequest::begin_login(&new).map_err(|error| error.to_string())?;
    let begun = client.send(&request).await.map_err(text)?;
    let minutes = begun
        .login
        .expires_at_ms
        .saturating_sub(begun.now_ms)
        .div_ceil(60_000);
    show(&begun.login, minutes);
    let pending = async {
        if begun.login.method == Some(LoginMethod::Paste) {
            paste(&client, &begun.login.id).await?;
        }
        wait(&client, &begun.login.id).await
    };
    let login = tokio::select! {
        login = pending => login?,
        _ = tokio::signal::ctrl_c() => {
            let request = AdminRequest::cancel_login(&begun.login.id);
            client.send(&request).await.map_err(text)?.login
        }
    };
    ended(&login)
}

/// Prints what to open.
fn show(login: &Login, minutes: u64) {
    let open = escape_controls(login.open.as_deref().unwrap_or_default()).into_owned();
    let place = match login.method {
        Some(LoginMethod::Browser) => " on the machine of the server",
        _ => "",
    };
    print(&format!(
        "Open this address in a browser{place}, within {minutes} minute(s):\n\n  {open}\n"
    ));
    if let Some(code) = &login.user_code {
        print(&format!(
            "Enter this code there: {}\n",
            escape_controls(code)
        ));
    }
    if let (Some(LoginMethod::Browser), Some(uri)) = (login.method, &login.redirect_uri) {
        let uri = escape_controls(uri);
        print(&format!(
            "The browser returns to {uri}. If it runs on another machine, use --paste."
        ));
    }
}

/// Reads the address that the browser shows, until it is the one of the login.
async fn paste(client: &AdminClient, id: &str) -> Result<(), String> {
    loop {
        print("At the end the browser shows an address that it cannot load. Paste it here:");
        let line = read_line().await?;
        let line = line.ok_or("the input ended without an address")?;
        let callback = LoginCallback {
            callback: line.trim().to_owned(),
        };
        let request = AdminRequest::login_callback(id, &callback);
        let request = request.map_err(|error| error.to_string())?;
        match client.send(&request).await {
            Ok(_) => return Ok(()),
            Err(AdminClientError::Refused { code, message, .. }) if code == REFUSED => {
                eprint(&message);
            }
            Err(error) => return Err(text(error)),
        }
    }
}

/// Reads a line of standard input; none at its end. Ctrl-C must end the command meanwhile, and the runtime would wait
/// for a task that blocks, so a thread of its own reads.
async fn read_line() -> Result<Option<String>, String> {
    let (send, line) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        // The receiver is gone after Ctrl-C.
        let _ = send.send(read.map(|bytes| (bytes > 0).then_some(line)));
    });
    let read = line.await.map_err(|error| error.to_string())?;
    read.map_err(|error| format!("reading the address: {error}"))
}

/// Waits until the login has ended.
async fn wait(client: &AdminClient, id: &str) -> Result<Login, String> {
    let mut failed = 0;
    loop {
        match client.send(&AdminRequest::show_login(id)).await {
            Ok(response) if response.login.state != LoginState::Pending => {
                return Ok(response.login);
            }
            Ok(_) => failed = 0,
            // The server may be busy for a moment; a person is in the middle of a login.
            Err(AdminClientError::Unreachable { .. }) if failed < FAILED_LOOKS_MAX => failed += 1,
            Err(error) => return Err(text(error)),
        }
        sleep(POLL).await;
    }
}

/// Prints how a login ended.
fn ended(login: &Login) -> Result<(), String> {
    let reason = login.reason.as_deref().map(escape_controls);
    if login.state != LoginState::Done {
        let reason = reason.as_deref().unwrap_or("it was cancelled");
        return Err(format!("not logged in: {reason}"));
    }
    let credential = login.credential.as_deref().unwrap_or_default();
    let verb = if login.replaced {
        "has new tokens"
    } else {
        "was added"
    };
    print(&format!("logged in: credential {credential} {verb}"));
    if let Some(reason) = reason {
        eprint(&format!("warning: {reason}"));
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn text(error: AdminClientError) -> String {
    error.to_string()
}

/// The interval between two looks at a login. A person waits for it.
const POLL: Duration = Duration::from_millis(500);

/// Looks in a row at a server that cannot be reached, after which the command gives up: 10 s.
const FAILED_LOOKS_MAX: u32 = 20;

/// The code of the server for an address that is not the one of the login.
const REFUSED: &str = "callback_refused";
