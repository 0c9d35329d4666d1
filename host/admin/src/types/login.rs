//! Logins: what begins one, and how one stands. No type here holds a token.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The request body of `POST /logins`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLogin {
    /// Name of the provider.
    pub provider: String,
    /// The method. Without it: `browser` if the provider has an authorization endpoint, otherwise `device`.
    #[serde(default)]
    pub method: Option<LoginMethod>,
    /// Id of the credential that gets the tokens. Without it, the account decides.
    #[serde(default)]
    pub credential: Option<String>,
}

/// How an account consents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginMethod {
    /// On a page of the provider, with a code that is entered there (RFC 8628).
    Device,
    /// In a browser on the server's machine, which returns to the server (RFC 8252).
    Browser,
    /// In any browser. The operator sends the address that it shows at the end.
    Paste,
}

/// The request body of `POST /logins/{id}/callback`. `Debug` shows no code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginCallback {
    /// The address that the browser shows after the consent. It contains a code.
    pub callback: String,
}

impl fmt::Debug for LoginCallback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoginCallback")
            .finish_non_exhaustive()
    }
}

/// The response of `POST /logins`, `GET` and `DELETE /logins/{id}` and `POST /logins/{id}/callback`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginResponse {
    /// Time of the server, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The login.
    pub login: Login,
}

/// One login.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Login {
    /// Its id.
    pub id: String,
    /// Name of its provider.
    pub provider: String,
    /// The method; missing if this version does not know it.
    pub method: Option<LoginMethod>,
    /// How it stands.
    pub state: LoginState,
    /// The whole address to open. Only while it is pending.
    pub open: Option<String>,
    /// The code to enter there, with the method `device`. Only while it is pending.
    pub user_code: Option<String>,
    /// Where the browser returns to, with the other methods.
    pub redirect_uri: Option<String>,
    /// When it ends without tokens, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// Id of the credential that has the tokens, once it is done.
    pub credential: Option<String>,
    /// Whether that credential existed before.
    pub replaced: bool,
    /// Why it ended without tokens, or why the tokens could not be saved.
    pub reason: Option<String>,
}

/// How a login stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginState {
    /// It waits for the account's consent.
    Pending,
    /// A credential has the tokens.
    Done,
    /// The account or the provider refused.
    Denied,
    /// The consent did not arrive in time.
    Expired,
    /// It failed.
    Failed,
    /// An operator ended it.
    Cancelled,
    /// A state that this version does not know. The server never sends it.
    #[default]
    #[serde(other)]
    Unknown,
}
