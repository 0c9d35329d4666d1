//! Which calls belong together: a hash of the client's session, for selectors that keep a session
//! with one credential. Pure.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use jackfield_dialect::json;
use sha2::{Digest, Sha256};

/// Where the name of a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AffinityKey {
    /// In a header of the client's.
    Header(HeaderName),
    /// In the body, as a text at this JSON pointer (RFC 6901).
    BodyPointer(Arc<str>),
    /// Nowhere: all calls with one client key are one session.
    ClientKey,
}

impl AffinityKey {
    /// Where tools put it by themselves, the finest first: coding agents their session, OpenAI's
    /// clients the key of the prompt's cache, Anthropic's the user. What is asked of the body comes
    /// after what is asked of the headers, since it costs a look through the body.
    pub fn defaults() -> Vec<Self> {
        let headers = [
            "x-claude-code-session-id",
            "x-session-id",
            "x-session-affinity",
        ];
        let pointers = [
            "/session_id",
            "/prompt_cache_key",
            "/metadata/user_id",
            "/conversation_id",
        ];
        let headers = headers.map(|name| Self::Header(HeaderName::from_static(name)));
        let pointers = pointers.map(|pointer| Self::BodyPointer(Arc::from(pointer)));
        headers.into_iter().chain(pointers).collect()
    }
}

/// Where the name of a call's session is looked for.
pub(crate) struct SessionHints<'a> {
    /// All of the client's headers.
    pub(crate) headers: &'a HeaderMap,
    /// Its body.
    pub(crate) body: &'a [u8],
    /// The name of its key.
    pub(crate) principal: &'a str,
}

/// The session, by the first of these places that names one: a hash of [`HASH_BITS`], the same in
/// every process and after every restart.
pub(crate) fn session_hash(keys: &[AffinityKey], hints: &SessionHints<'_>) -> Option<u64> {
    keys.iter().find_map(|key| match key {
        AffinityKey::Header(name) => hash(hints.headers.get(name)?.to_str().ok()?),
        AffinityKey::BodyPointer(pointer) => {
            let range = json::find(hints.body, pointer).ok()??;
            let text: String = serde_json::from_slice(hints.body.get(range)?).ok()?;
            hash(&text)
        }
        AffinityKey::ClientKey => hash(hints.principal),
    })
}

/// None for what names no session: nothing, too much, or what no tool would send.
fn hash(value: &str) -> Option<u64> {
    let value = value.trim();
    if value.is_empty() || value.len() > VALUE_BYTES_MAX || value.chars().any(char::is_control) {
        return None;
    }
    let digest = Sha256::digest(value);
    let (first, _) = digest.split_first_chunk::<8>()?;
    Some(u64::from_be_bytes(*first) >> (64 - HASH_BITS))
}

/// What JavaScript holds exactly in a number; see `wit/selector.wit`.
const HASH_BITS: u32 = 53;

/// The longest name of a session, in bytes. The tools' own have fewer than 100; what is longer is
/// something else.
const VALUE_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests;
