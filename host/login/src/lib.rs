//! Logins by OAuth 2.0 as pure state: device code (RFC 8628), and authorization code with PKCE (RFC 6749,
//! RFC 7636, RFC 8252). Time and randomness are arguments. The caller sends the requests and passes the
//! responses in; nothing here does I/O.
//!
//! Begin with [`LoginSettings`], then [`DeviceLogin`] or [`CodeLogin`]. Both end with a [`TokenGrant`] or a
//! [`LoginFailure`]. No `Debug` output, error or failure contains a token, a code, a verifier or a client's
//! secret.

mod code;
mod credential_name;
mod device;
mod failure;
pub mod limits;
mod pkce;
mod settings;
mod token_grant;
mod token_request;

pub use code::{CallbackError, CodeLogin};
pub use credential_name::{credential_name, distinct_credential_name};
pub use device::DeviceLogin;
pub use failure::LoginFailure;
pub use pkce::RANDOM_BYTES;
pub use settings::{
    ClientAuthentication, LoginSettings, OAuthClient, Redirect, RedirectHost, TokenMember,
    is_private,
};
pub use token_grant::TokenGrant;
pub use token_request::TokenRequest;
