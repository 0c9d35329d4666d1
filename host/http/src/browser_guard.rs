//! Keeps web pages away from what needs no key. A page in the operator's browser reaches a server on loopback,
//! by a plain request or after DNS rebinding, and could spend the credentials.
//!
//! A browser names the page in `origin` (Fetch standard, section 3.2) and its relation to the server in
//! `sec-fetch-site` (Fetch Metadata Request Headers, section 2.4), and it sends the name that it looked up in
//! `host`. A page cannot change these three.

use std::net::IpAddr;

use arc_swap::ArcSwap;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method, Uri};

/// Decides which requests could be those of a foreign web page. A reload can replace its names.
#[derive(Debug, Default)]
pub struct BrowserGuard {
    names: ArcSwap<GuardNames>,
}

/// What the operator allows.
#[derive(Debug, Default, Clone)]
pub struct GuardNames {
    /// Names of this server besides those of loopback, in lower case and without a port.
    pub hosts: Vec<String>,
    /// Origins of pages that may call, as browsers write them; `*` for all.
    pub origins: Vec<String>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrowserRejection {
    /// The request was sent to a name that is not known to be this server's.
    #[error(
        "the header `host` names {0:?}, which is not a name of this server: add it to `allowed-hosts`, or use \
         the address 127.0.0.1"
    )]
    Host(String),
    /// A page of this origin sent the request.
    #[error(
        "a web page of {0:?} sent this request: add its origin to `cors.origins` to allow that"
    )]
    Origin(String),
    /// A browser says that a page of another site or port caused the request.
    #[error(
        "a web page elsewhere caused this request (`sec-fetch-site`): add its origin to `cors.origins` to allow \
         that"
    )]
    ForeignPage,
    /// A page can send other types without the browser asking for permission first.
    #[error("requests of a browser need `content-type: application/json`")]
    ContentType,
}

/// Which names of the host pass without being listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownHosts {
    Loopback,
    /// Loopback, and every IP address: DNS rebinding needs a name.
    Addresses,
}

impl BrowserGuard {
    /// Creates a guard.
    pub fn new(names: GuardNames) -> Self {
        Self {
            names: ArcSwap::from_pointee(names),
        }
    }

    /// Replaces the names.
    pub fn replace(&self, names: GuardNames) {
        self.names.store(names.into());
    }

    /// Checks a request to a listener on loopback that needs no key.
    ///
    /// # Errors
    /// If it could be a request of a foreign page.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), BrowserRejection> {
        let names = self.names.load();
        check_host(&names, KnownHosts::Loopback, uri, headers)?;
        let origin = page_of(uri, headers)?;
        if let Some(origin) = origin
            && !names
                .origins
                .iter()
                .any(|known| known == "*" || *known == origin)
        {
            return Err(BrowserRejection::Origin(origin));
        }
        if origin_is_missing(headers) {
            return Err(BrowserRejection::ForeignPage);
        }
        check_content_type(method, headers)
    }

    /// Checks a request to the admin API, whose token is checked as well. Pages elsewhere may never call it.
    ///
    /// # Errors
    /// If it could be a request of a foreign page.
    pub fn check_admin(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), BrowserRejection> {
        check_host(&self.names.load(), KnownHosts::Addresses, uri, headers)?;
        match page_of(uri, headers)? {
            Some(origin) => Err(BrowserRejection::Origin(origin)),
            None if origin_is_missing(headers) => Err(BrowserRejection::ForeignPage),
            None => Ok(()),
        }
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

fn check_host(
    names: &GuardNames,
    known: KnownHosts,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), BrowserRejection> {
    // A request without a host is no browser's.
    let Some(authority) = authority(uri, headers) else {
        return Ok(());
    };
    let host = host_of(&authority);
    let is_known = match host.parse::<IpAddr>() {
        // `to_canonical`, since `::ffff:127.0.0.1` is loopback, too.
        Ok(address) => known == KnownHosts::Addresses || address.to_canonical().is_loopback(),
        // RFC 6761, section 6.3: these names are loopback.
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    };
    if is_known || names.hosts.iter().any(|name| name == host) {
        return Ok(());
    }
    Err(BrowserRejection::Host(host.to_owned()))
}

/// Returns the origin of the page that sent the request; `None` if it is this server's own or not a page.
fn page_of(uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, BrowserRejection> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return Ok(None);
    };
    let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
    if origins.next().is_some() {
        return Err(BrowserRejection::Origin(origin));
    }
    let of_page = origin.split_once("://").map(|(_, authority)| authority);
    if of_page.is_some() && of_page == authority(uri, headers).as_deref() {
        return Ok(None);
    }
    Ok(Some(origin))
}

/// Whether a page elsewhere caused the request, of which the browser sends no origin: a link, an image, a form
/// that only reads.
fn origin_is_missing(headers: &HeaderMap) -> bool {
    let is_foreign = headers
        .get_all(SEC_FETCH_SITE)
        .iter()
        .any(|site| !matches!(site.as_bytes(), b"none" | b"same-origin"));
    is_foreign && !headers.contains_key(ORIGIN)
}

/// Of a browser only JSON is taken: other types need no preflight request (Fetch standard, section 3.2.2).
fn check_content_type(method: &Method, headers: &HeaderMap) -> Result<(), BrowserRejection> {
    let is_browser = headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
    if !is_browser || matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next());
    let is_json = media_type.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"));
    if is_json {
        Ok(())
    } else {
        Err(BrowserRejection::ContentType)
    }
}

/// The authority to which the request was sent, in lower case: of the URI in HTTP/2, otherwise of `host`.
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let of_uri = uri
        .authority()
        .map(|authority| authority.as_str().to_ascii_lowercase());
    let of_header = || {
        let value = headers.get(HOST)?;
        Some(
            String::from_utf8_lossy(value.as_bytes())
                .trim()
                .to_ascii_lowercase(),
        )
    };
    of_uri.or_else(of_header)
}

/// The host of an authority, without port, brackets and the dot of the root.
fn host_of(authority: &str) -> &str {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    fn guard() -> BrowserGuard {
        BrowserGuard::new(GuardNames {
            hosts: vec!["proxy.internal".to_owned()],
            origins: vec!["https://chat.example.com".to_owned()],
        })
    }

    fn post(lines: &[(&'static str, &str)]) -> Result<(), BrowserRejection> {
        guard().check(
            &Method::POST,
            &Uri::from_static("/v1/messages"),
            &headers(lines),
        )
    }

    #[test]
    fn hosts_of_this_server_pass() {
        for host in [
            "127.0.0.1:8317",
            "127.9.9.9",
            "[::1]:8317",
            "[::ffff:127.0.0.1]:8317",
            "LOCALHOST:8317",
            "localhost.:8317",
            "app.localhost",
            "proxy.internal:80",
        ] {
            assert_eq!(post(&[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(post(&[]), Ok(()));
        for host in [
            "rebind.evil.example:8317",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "[fe80::1]:8317",
            "",
        ] {
            let rejected = post(&[("host", host)]);
            assert!(matches!(rejected, Err(BrowserRejection::Host(_))), "{host}");
        }
        let http2 = Uri::from_static("https://rebind.evil.example/v1/models");
        let rejected = guard().check(&Method::GET, &http2, &HeaderMap::new());
        assert!(matches!(rejected, Err(BrowserRejection::Host(_))));
    }

    #[test]
    fn only_listed_pages_and_own_pages_pass() {
        let of = |origin: &'static str| {
            post(&[
                ("host", "127.0.0.1:8317"),
                ("origin", origin),
                ("content-type", "application/json; charset=utf-8"),
            ])
        };
        assert_eq!(of("https://chat.example.com"), Ok(()));
        assert_eq!(of("http://127.0.0.1:8317"), Ok(()));
        for origin in [
            "null",
            "https://evil.example",
            "http://127.0.0.1:3000",
            "http://localhost:8317",
            "https://chat.example.com.evil.example",
        ] {
            assert_eq!(of(origin), Err(BrowserRejection::Origin(origin.to_owned())));
        }
        let two = [
            ("origin", "https://chat.example.com"),
            ("origin", "https://evil.example"),
        ];
        assert!(matches!(post(&two), Err(BrowserRejection::Origin(_))));
    }

    #[test]
    fn requests_without_an_origin_that_a_page_causes_are_refused() {
        for site in ["cross-site", "same-site", "odd"] {
            let get = guard().check(
                &Method::GET,
                &Uri::from_static("/v1/models"),
                &headers(&[("host", "localhost"), ("sec-fetch-site", site)]),
            );
            assert_eq!(get, Err(BrowserRejection::ForeignPage), "{site}");
        }
        let typed = [("host", "localhost"), ("sec-fetch-site", "none")];
        let get = guard().check(
            &Method::GET,
            &Uri::from_static("/v1/models"),
            &headers(&typed),
        );
        assert_eq!(get, Ok(()));
    }

    #[test]
    fn pages_send_json_only() {
        for content_type in [
            "text/plain;charset=UTF-8",
            "application/x-www-form-urlencoded",
            "",
        ] {
            let own = post(&[
                ("host", "localhost"),
                ("origin", "http://localhost"),
                ("content-type", content_type),
            ]);
            assert_eq!(own, Err(BrowserRejection::ContentType));
            // Without a browser's headers, any type.
            let other = post(&[("host", "localhost"), ("content-type", content_type)]);
            assert_eq!(other, Ok(()));
        }
    }

    #[test]
    fn the_admin_api_is_for_no_page_elsewhere() {
        let check = |lines: &[(&'static str, &str)]| {
            guard().check_admin(&Uri::from_static("/admin/v1/plugins"), &headers(lines))
        };
        for host in ["10.0.0.1:8318", "localhost:8318", "proxy.internal"] {
            assert_eq!(check(&[("host", host)]), Ok(()));
        }
        let named = check(&[("host", "rebind.evil.example")]);
        assert!(matches!(named, Err(BrowserRejection::Host(_))));
        let listed = check(&[
            ("host", "localhost"),
            ("origin", "https://chat.example.com"),
        ]);
        assert!(matches!(listed, Err(BrowserRejection::Origin(_))));
        let own = check(&[
            ("host", "localhost:8318"),
            ("origin", "http://localhost:8318"),
        ]);
        assert_eq!(own, Ok(()));
    }
}
