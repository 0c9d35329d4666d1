//! Finds the signatures of a text by the names of their members: no parser, no tree. What looks like a member in a
//! string is none, since its quotes are escaped there.

use std::borrow::Cow;

use memchr::memchr2;
use memchr::memmem::Finder;

use crate::Dialect;
use crate::limits::SIGNATURE_BYTES_MAX;

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

    /// Whether a text has the mark, if there is one.
    fn is_marked(&self, text: &[u8]) -> bool {
        let has = |mark: &Finder<'_>| mark.find(text).is_some();
        self.mark.as_ref().is_none_or(has)
    }

    /// Calls `found` with each string that is in one of the members. Returns a position before the first member that
    /// the end of the text cuts off.
    fn scan(&self, text: &[u8], found: &mut dyn FnMut(&str)) -> Option<usize> {
        let mut cut = None;
        let length = self.end.needle().len();
        for at in self.end.find_iter(text) {
            let (before, rest) = text.split_at(at + length);
            if !self.is_end_of(before) {
                continue;
            }
            match member_value(rest) {
                MemberValue::Cut => {
                    cut.get_or_insert((at + length).saturating_sub(MEMBER_NAME_BYTES_MAX));
                }
                MemberValue::Other => {}
                MemberValue::String(signature) => found(&signature),
            }
        }
        cut
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
        if members.is_marked(text) {
            members.scan(text, found);
        }
    }
}

/// Finds the signatures of a text that comes in pieces, as [`scan_signatures`] does, and keeps no more of it than one
/// signature. A mark counts from where it is.
#[derive(Debug)]
pub struct SignatureScan {
    dialect: Dialect,
    /// The end of the text so far, where a member may have begun.
    rest: Vec<u8>,
    /// Which of the dialect's members have had their mark.
    marked: Vec<bool>,
}

impl SignatureScan {
    /// A scan at the beginning of a text in `dialect`.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        let members = dialect.codec().signature_members();
        Self {
            dialect,
            rest: Vec::new(),
            marked: vec![false; members.len()],
        }
    }

    /// Reads the next piece. Some signatures are found twice.
    pub fn push(&mut self, piece: &[u8], found: &mut dyn FnMut(&str)) {
        self.rest.extend_from_slice(piece);
        let tail = self.rest.len().saturating_sub(MEMBER_NAME_BYTES_MAX);
        let mut unread = tail;
        let members = self.dialect.codec().signature_members();
        for (members, is_marked) in members.iter().zip(&mut self.marked) {
            *is_marked = *is_marked || members.is_marked(&self.rest);
            if *is_marked && let Some(cut) = members.scan(&self.rest, found) {
                unread = unread.min(cut);
            }
        }
        if self.rest.len() - unread > SIGNATURE_BYTES_MAX {
            unread = tail;
        }
        self.rest.drain(..unread);
    }

    /// The bytes that are kept.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.rest.len()
    }
}

/// The value of a member, as far as it is there.
enum MemberValue<'a> {
    /// The text ends in it.
    Cut,
    Other,
    String(Cow<'a, str>),
}

/// Returns the value after the name of a member. `rest` begins with the quote that ends the name.
fn member_value(rest: &[u8]) -> MemberValue<'_> {
    let value = after(rest, b'"')
        .and_then(|rest| after(rest, b':'))
        .and_then(|rest| after(rest, b'"'));
    value.map_or_else(|value| value, string_value)
}

/// Returns what follows a token, which may have white space before it.
fn after(rest: &[u8], token: u8) -> Result<&[u8], MemberValue<'static>> {
    match rest.trim_ascii_start().split_first() {
        None => Err(MemberValue::Cut),
        Some((byte, after)) if *byte == token => Ok(after),
        Some(_) => Err(MemberValue::Other),
    }
}

fn string_value(rest: &[u8]) -> MemberValue<'_> {
    let mut end = 0;
    let mut escaped = false;
    loop {
        let found = rest.get(end..).and_then(|rest| memchr2(b'"', b'\\', rest));
        let Some(found) = found else {
            return MemberValue::Cut;
        };
        end += found;
        if rest.get(end) == Some(&b'"') {
            break;
        }
        escaped = true;
        end += 2;
    }
    let Some(text) = rest
        .get(..end)
        .and_then(|text| std::str::from_utf8(text).ok())
    else {
        return MemberValue::Other;
    };
    if !escaped {
        return MemberValue::String(Cow::Borrowed(text));
    }
    // Some clients escape the slashes of base64.
    serde_json::from_str(&format!("\"{text}\"")).map_or(MemberValue::Other, MemberValue::String)
}

/// The most bytes before the value of a member that are read again with the next piece: the longest of the names and of
/// the marks, with quotes.
const MEMBER_NAME_BYTES_MAX: usize = 32;
