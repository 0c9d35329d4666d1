//! Finds the signatures of a text by the names of their members: no parser, no tree. What looks like a member in a
//! string is none, since its quotes are escaped there.

use std::borrow::Cow;

use memchr::memchr2;
use memchr::memmem::Finder;

use crate::Dialect;

/// Members of a dialect that hold signatures. They are found in one pass.
#[derive(Debug)]
pub struct SignatureMembers {
    names: &'static [&'static str],
    /// Finds the end that all names have.
    end: Finder<'static>,
    /// Finds a text that every body with such signatures has, if members of these names hold other values too.
    mark: Option<Finder<'static>>,
}

impl SignatureMembers {
    /// Members of these names, which all have this end.
    pub(crate) fn new(names: &'static [&'static str], end: &'static str) -> Self {
        Self {
            names,
            end: Finder::new(end),
            mark: None,
        }
    }

    /// The same, in bodies that have this text.
    pub(crate) fn only_with(self, mark: &'static str) -> Self {
        Self {
            mark: Some(Finder::new(mark)),
            ..self
        }
    }

    /// Whether a text ends with one of the names, in the quotes of a member.
    fn is_end_of(&self, text: &[u8]) -> bool {
        self.names.iter().any(|name| {
            let before = text.strip_suffix(name.as_bytes());
            before.is_some_and(|before| before.ends_with(b"\""))
        })
    }
}

/// Calls `found` with each signature in a JSON text of `dialect`, or in a stream of events of such texts. Empty
/// ones count. Members of the same name in other places, such as arguments of tools, are found as well.
pub fn scan_signatures(dialect: Dialect, text: &[u8], found: &mut dyn FnMut(&str)) {
    for members in dialect.codec().signature_members() {
        let is_marked = |mark: &Finder<'_>| mark.find(text).is_some();
        if !members.mark.as_ref().is_none_or(is_marked) {
            continue;
        }
        let length = members.end.needle().len();
        for at in members.end.find_iter(text) {
            let (before, rest) = text.split_at(at + length);
            if members.is_end_of(before)
                && let Some(value) = member_value(rest)
            {
                found(&value);
            }
        }
    }
}

/// Returns the string after the name of a member. `rest` begins with the quote that ends the name.
fn member_value(rest: &[u8]) -> Option<Cow<'_, str>> {
    let rest = rest.strip_prefix(b"\"")?.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"")?;
    let mut end = 0;
    let mut escaped = false;
    loop {
        end += memchr2(b'"', b'\\', rest.get(end..)?)?;
        if rest.get(end) == Some(&b'"') {
            break;
        }
        escaped = true;
        end += 2;
    }
    let text = std::str::from_utf8(rest.get(..end)?).ok()?;
    if !escaped {
        return Some(Cow::Borrowed(text));
    }
    // Some clients escape the slashes of base64.
    serde_json::from_str(&format!("\"{text}\"")).ok()
}
