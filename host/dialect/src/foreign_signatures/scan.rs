//! Finds the signatures of a text by the names of their members: no parser, no tree. What looks like a member in a
//! string is none, since its quotes are escaped there.

use std::borrow::Cow;

use memchr::{memchr2, memmem};

use crate::Dialect;

/// Calls `found` with each signature in a JSON text of `dialect`, or in a stream of events of such texts. Empty
/// ones count. Members of the same name in other places, such as arguments of tools, are found as well.
pub fn scan_signatures(dialect: Dialect, text: &[u8], found: &mut dyn FnMut(&str)) {
    for member in dialect.codec().signature_members() {
        let is_marked = |mark: &str| memmem::find(text, mark.as_bytes()).is_some();
        if !member.mark.is_none_or(is_marked) {
            continue;
        }
        for at in memmem::find_iter(text, member.name.as_bytes()) {
            let before = at.checked_sub(1).and_then(|quote| text.get(quote));
            if before != Some(&b'"') {
                continue;
            }
            let rest = text.get(at + member.name.len()..).unwrap_or_default();
            if let Some(value) = member_value(rest) {
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
