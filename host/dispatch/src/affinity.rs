//! Session affinity: a hash of the client's session, for selectors that keep a session on one
//! credential. Pure.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use jackfield_dialect::json;
use sha2::{Digest, Sha256};

/// A place where a call names its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AffinityKey {
    /// A header of the client's request.
    Header(HeaderName),
    /// A string in the body, at this JSON pointer (RFC 6901).
    BodyPointer(Arc<str>),
    /// The client key: all calls with one key are one session.
    ClientKey,
}

impl AffinityKey {
    /// The places that tools use without configuration: session headers of coding agents, the prompt
    /// cache key of OpenAI clients, the user id of Anthropic clients. Headers come first, because a
    /// body has to be searched.
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

/// The parts of a call that can name its session.
pub(crate) struct SessionHints<'a> {
    /// All headers of the client's request.
    pub(crate) headers: &'a HeaderMap,
    /// The client's body.
    pub(crate) body: &'a [u8],
    /// The name of the client key.
    pub(crate) principal: &'a str,
}

/// Returns a hash of the session that the first of these places names, with [`HASH_BITS`] bits. The
/// hash is the same in every process. `None` if no place names a session, or there are no places.
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

/// Hashes a session name. `None` if it is blank, too long, or contains control characters.
fn hash(value: &str) -> Option<u64> {
    let value = value.trim();
    if value.is_empty() || value.len() > VALUE_BYTES_MAX || value.chars().any(char::is_control) {
        return None;
    }
    // The default hasher of std may change with a Rust version, which would move every session.
    let digest = Sha256::digest(value);
    let (first, _) = digest.split_first_chunk::<8>()?;
    Some(u64::from_be_bytes(*first) >> (64 - HASH_BITS))
}

/// The bits of an integer that a JavaScript number holds exactly; see `wit/selector.wit`.
const HASH_BITS: u32 = 53;

/// The longest session name, in bytes. Those of known tools have fewer than 100; a longer value is
/// not a session name.
const VALUE_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests;
