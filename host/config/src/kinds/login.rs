//! The values of logins: addresses of the provider, the path of the redirect, members of the token response.

use jackfield_login::{TokenMember, is_private};
use serde_json::{Value as Json, json};
use url::Url;

use super::Line;
use crate::key::{Describe, Kind};
use crate::reader::{Located, Reader};

/// The URL of an endpoint that tokens, codes or a browser go to.
pub(crate) struct LoginUrl;

/// The path of a URL.
pub(crate) struct UrlPath;

/// A member of a token response: a JSON pointer, or the name of a claim of the `id_token`.
pub(crate) struct TokenMemberName;

impl Describe for LoginUrl {
    fn rule(&self) -> String {
        "URL with https, or with http on loopback.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[hH][tT][tT][pP][sS]?://" })
    }
}

impl Kind for LoginUrl {
    type Value = Url;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<Url> {
        let text = reader.text(located)?;
        let url = Url::parse(text).ok().filter(Url::has_host);
        let Some(url) = url.filter(is_private) else {
            // Without the text: people put secrets into URLs.
            let message = "must be a URL with https; http is possible only on loopback";
            reader.report(located, message);
            return None;
        };
        let message = if !url.username().is_empty() || url.password().is_some() {
            "must not have a user or a password; use `client-id` and `client-secret`"
        } else if url.fragment().is_some() {
            "must not have a fragment: remove `#` and the text after it"
        } else {
            return Some(url);
        };
        reader.report(located, message);
        None
    }

    fn text(&self, value: &Url) -> String {
        value.to_string()
    }
}

impl Describe for UrlPath {
    fn rule(&self) -> String {
        "Path.".to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^/[A-Za-z0-9._~/-]*$" })
    }
}

impl Kind for UrlPath {
    type Value = String;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<String> {
        let text = Line.read(reader, located)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._~/-".contains(&byte);
        if text.starts_with('/') && text.bytes().all(legal) {
            return Some(text);
        }
        let rule = "must be a path of letters, digits and `._~-`, such as /callback";
        reader.invalid_value(located, &text, rule)
    }

    fn text(&self, value: &String) -> String {
        value.clone()
    }
}

impl Describe for TokenMemberName {
    fn rule(&self) -> String {
        "JSON pointer into the response, such as `/account/id`, or the name of a claim of its `id_token`, such as `sub`."
            .to_owned()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "minLength": 1 })
    }
}

impl Kind for TokenMemberName {
    type Value = TokenMember;

    fn read(&self, reader: &mut Reader<'_>, located: &Located<'_>) -> Option<TokenMember> {
        let text = Line.read(reader, located)?;
        if text.starts_with('/') {
            Some(TokenMember::Pointer(text))
        } else {
            Some(TokenMember::Claim(text))
        }
    }

    fn text(&self, value: &TokenMember) -> String {
        let (TokenMember::Pointer(text) | TokenMember::Claim(text)) = value;
        text.clone()
    }
}
