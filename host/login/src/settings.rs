//! How the accounts of one provider log in: the addresses, the client, and what the token response shows of
//! the account.

use std::collections::BTreeMap;

use secrecy::SecretString;
use url::Url;

/// How the accounts of a provider log in.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// The client that the provider registered for the operator.
    pub client: OAuthClient,
    /// The token endpoint.
    pub token_url: Url,
    /// The device authorization endpoint (RFC 8628, section 3.1), if logins by device code are possible.
    pub device_authorization_url: Option<Url>,
    /// The authorization endpoint, if logins by authorization code are possible.
    pub authorization_url: Option<Url>,
    /// The issuer that the callback must name as `iss` (RFC 9207). None: the provider announces none.
    pub issuer: Option<String>,
    /// The scopes to request.
    pub scopes: Vec<String>,
    /// Further parameters of authorization requests and device authorization requests.
    pub parameters: BTreeMap<String, String>,
    /// Further fields of token requests.
    pub token_parameters: BTreeMap<String, String>,
    /// Further origins that the page for user codes may have; see [`Self::allows_verification_page`].
    pub verification_origins: Vec<Url>,
    /// Where the browser returns to.
    pub redirect: Redirect,
    /// What of the token response identifies the account.
    pub account_from: Option<TokenMember>,
    /// What of the token response describes the account to operators.
    pub label_from: Option<TokenMember>,
}

/// A client that a provider registered.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// Its id, which is public.
    pub id: String,
    /// Its secret; none for a public client (RFC 6749, section 2.1).
    pub secret: Option<SecretString>,
    /// How it authenticates.
    pub authentication: ClientAuthentication,
}

/// Where requests have the client's id and secret (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// In the form.
    #[default]
    Body,
    /// In the header `authorization`, form-encoded, as HTTP Basic authentication.
    Basic,
}

/// A redirect to this machine (RFC 8252, section 7.3), as the provider registered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The host.
    pub host: RedirectHost,
    /// The port; 0 for any free one.
    pub port: u16,
    /// The path, with its slash.
    pub path: String,
}

/// The host of a redirect to this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectHost {
    /// `127.0.0.1`.
    V4,
    /// `[::1]`.
    V6,
    /// `localhost`: both. RFC 8252, section 8.3, advises against it, but some providers register no other.
    Localhost,
}

/// A member of a token response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenMember {
    /// A JSON pointer into the response.
    Pointer(String),
    /// A claim of its `id_token`.
    Claim(String),
}

impl LoginSettings {
    /// Whether the page where a person types the user code may have this URL: one of the origins of the
    /// settings, over HTTPS or on this machine.
    pub fn allows_verification_page(&self, page: &Url) -> bool {
        let own = [&self.device_authorization_url, &self.authorization_url];
        let own = own.into_iter().flatten();
        let allowed = own
            .chain([&self.token_url])
            .chain(&self.verification_origins);
        let mut allowed = allowed.map(Url::origin);
        is_private(page) && allowed.any(|origin| origin == page.origin())
    }
}

impl Redirect {
    /// The URI that the provider redirects to, with this port.
    pub fn uri(&self, port: u16) -> String {
        format!("http://{}:{port}{}", self.host.label(), self.path)
    }
}

impl RedirectHost {
    /// The host as URLs have it.
    pub fn label(self) -> &'static str {
        match self {
            Self::V4 => "127.0.0.1",
            Self::V6 => "[::1]",
            Self::Localhost => "localhost",
        }
    }
}

/// Whether no one on the network can read what is sent to this URL: HTTPS, or this machine.
pub fn is_private(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings with all addresses and a client with a secret.
    pub(crate) fn settings() -> LoginSettings {
        let url = |path: &str| Url::parse(&format!("https://login.example{path}")).unwrap();
        LoginSettings {
            client: OAuthClient {
                id: "our client".to_owned(),
                secret: Some("s3cr3t-of-the-client".into()),
                authentication: ClientAuthentication::Body,
            },
            token_url: url("/token"),
            device_authorization_url: Some(url("/device")),
            authorization_url: Some(url("/authorize?tenant=1")),
            issuer: None,
            scopes: vec!["openid".to_owned(), "offline_access".to_owned()],
            parameters: BTreeMap::from([("audience".to_owned(), "api".to_owned())]),
            token_parameters: BTreeMap::from([("resource".to_owned(), "r".to_owned())]),
            verification_origins: vec![Url::parse("https://device.example").unwrap()],
            redirect: Redirect {
                host: RedirectHost::V4,
                port: 0,
                path: "/callback".to_owned(),
            },
            account_from: None,
            label_from: None,
        }
    }

    #[test]
    fn pages_at_other_origins_are_refused() {
        let settings = settings();
        let allows = |page: &str| settings.allows_verification_page(&Url::parse(page).unwrap());
        assert!(allows("https://login.example/enter?code=1"));
        assert!(allows("https://device.example/"));
        assert!(!allows("http://device.example/"));
        assert!(!allows("https://device.example:444/"));
        assert!(!allows("https://device.example.evil/"));
        assert!(!allows("https://evil.example/"));
    }

    #[test]
    fn private_urls_are_https_or_of_this_machine() {
        let check = |url: &str| is_private(&Url::parse(url).unwrap());
        for url in [
            "https://a.example/",
            "http://127.0.0.1:9/",
            "http://[::1]/",
            "http://localhost/",
        ] {
            assert!(check(url), "{url}");
        }
        for url in [
            "http://a.example/",
            "http://localhost.evil/",
            "http://10.0.0.1/",
            "ftp://127.0.0.1/",
        ] {
            assert!(!check(url), "{url}");
        }
    }
}
