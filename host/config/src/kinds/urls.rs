//! URLs. No message shows the text: people put keys into URLs, and a proxy may have a password.

use serde_json::{Value as Json, json};
use url::Url;

use crate::key::{Describe, Kind};
use crate::reader::{Located, Reader};

/// The URL where an API begins.
pub(crate) struct BaseUrl;

/// A scheme, a host and a port.
pub(crate) struct Origin;

/// The URL of a proxy.
pub(crate) struct ProxyUrl;

impl Describe for BaseUrl {
    fn rule(&self) -> String {
        "URL with http or https, without user and query.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://" })
    }
}

impl Kind for BaseUrl {
    type Value = Url;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Url> {
        let mut url = url(reader, located, &["http", "https"])?;
        let message = if !url.username().is_empty() || url.password().is_some() {
            "must not have a user or a password; put the key under `credentials`"
        } else if url.query().is_some() || url.fragment().is_some() {
            "must end after its path: remove `?` and `#` and the text after them"
        } else {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&path);
            return Some(url);
        };
        reader.report(located, message);
        None
    }

    fn text(&self, value: &Url) -> String {
        value.to_string()
    }
}

impl Describe for Origin {
    fn rule(&self) -> String {
        "Origin.".to_owned()
    }

    fn schema(&self) -> Json {
        BaseUrl.schema()
    }
}

impl Kind for Origin {
    type Value = Url;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Url> {
        let url = BaseUrl.read(reader, located)?;
        if url.path() == "/" {
            return Some(url);
        }
        let message = "must end after its host and port: a grant is a whole origin";
        reader.report(located, message);
        None
    }

    fn text(&self, value: &Url) -> String {
        value.to_string()
    }
}

impl Describe for ProxyUrl {
    fn rule(&self) -> String {
        "URL with http, https or socks5.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[a-zA-Z]+[5sS]?://" })
    }
}

impl Kind for ProxyUrl {
    type Value = Url;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Url> {
        let url = url(reader, located, &["http", "https", "socks5"])?;
        let path = !matches!(url.path(), "" | "/");
        if path || url.query().is_some() || url.fragment().is_some() {
            let message = "must end after its host and port: remove the rest";
            reader.report(located, message);
            return None;
        }
        Some(url)
    }

    fn text(&self, value: &Url) -> String {
        value.to_string()
    }
}

fn url(reader: &mut Reader<'_>, located: &Located<'_>, schemes: &[&str]) -> Option<Url> {
    let text = reader.text(located)?;
    let url = Url::parse(text).ok().filter(Url::has_host);
    let url = url.filter(|url| schemes.contains(&url.scheme()));
    if url.is_none() {
        let schemes = schemes.join("://, ");
        let message = format!("must be a URL with a host that begins with one of {schemes}://");
        reader.report(located, message);
    }
    url
}
