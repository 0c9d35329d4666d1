//! What a guest has read in a call by the host's functions, and what the values were. A plan is used again
//! only while they are the same.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use jackfield_dialect::ir::Request;
use jackfield_dialect::json;

use crate::limits::{PLAN_READ_BYTES_MAX, PLAN_READS_MAX};

/// The input of a call that a guest reads by functions of the host.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallInput {
    /// The id of the client's call, for the log. No guest reads it.
    pub(crate) call: Option<Arc<str>>,
    /// The client's body.
    pub(crate) body: Bytes,
    /// The client's request in the common form; `None` in other dialects.
    pub(crate) conversation: Option<Arc<Request>>,
    /// The client's headers that the allow-list contains.
    pub(crate) headers: Arc<HeaderMap>,
    /// The name of the client key.
    pub(crate) principal: Option<Arc<str>>,
    /// A hash of the client's session.
    pub(crate) session: Option<u64>,
    /// Milliseconds since the Unix epoch.
    pub(crate) now_ms: u64,
    /// The number of the attempt, from 0.
    pub(crate) attempt: u32,
    /// The random number of the call, once it was read.
    pub(crate) random: Option<u64>,
}

impl CallInput {
    /// The values of a header that are UTF-8.
    pub(crate) fn header<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let values = self.headers.get_all(name);
        values
            .into_iter()
            .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// A member of the client's identity.
    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        match name {
            "name" => self.principal.as_deref(),
            _ => None,
        }
    }

    /// The JSON text of the value at a pointer into the body.
    pub(crate) fn body_value(&self, pointer: &str) -> Option<&str> {
        let range = json::find(&self.body, pointer).ok()??;
        std::str::from_utf8(&self.body[range]).ok()
    }

    /// Returns 53 random bits: the same in all reads of one call.
    pub(crate) fn random(&mut self) -> u64 {
        *self
            .random
            .get_or_insert_with(|| rand::random::<u64>() >> 11)
    }
}

/// One read of a client's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    /// The values of a header.
    Header(String),
    /// A member of the client's identity.
    Member(String),
    /// The session.
    Session,
    /// The length of the body.
    BodyLength,
    /// The value at a pointer into the body.
    Pointer(String),
    /// A small part of the conversation.
    Conversation(ConversationPart),
}

/// A part of the conversation that a plan can be remembered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConversationPart {
    /// The system text.
    System,
    /// The number of turns.
    TurnCount,
    /// The tools, with which of them may be called.
    Tools,
    /// The parameters of sampling, and others that are read with them.
    Parameters,
    /// The form of the answer.
    Format,
    /// How much the model reasons.
    Thinking,
}

impl ConversationPart {
    /// The value of the part, in any text that differs where the value does.
    fn value(self, request: &Request) -> String {
        match self {
            Self::System => format!("{:?}", request.system),
            Self::TurnCount => request.turns.len().to_string(),
            Self::Tools => format!("{:?}", (&request.tools, &request.tool_choice)),
            Self::Parameters => {
                let others = (&request.stop, &request.parallel_tools, &request.user);
                format!("{:?}", (&request.sampling, others))
            }
            Self::Format => format!("{:?}", request.format),
            Self::Thinking => format!("{:?}", request.reasoning),
        }
    }
}

/// The digest of a value that was read, or of its absence.
pub(crate) type ValueDigest = [u64; 2];

/// A read and the digest of its value.
pub(crate) type ReadDigest = (Read, ValueDigest);

/// All that a guest has read in one call.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    reads: Vec<Read>,
    /// Whether it read what differs in each call, or more than can be remembered.
    once: bool,
}

impl Reads {
    /// Notes a read.
    pub(crate) fn note(&mut self, read: Read) {
        if self.once || self.reads.contains(&read) {
            return;
        }
        if self.reads.len() == PLAN_READS_MAX {
            self.use_once();
            return;
        }
        self.reads.push(read);
    }

    /// Notes a read of what differs in each call: the plan is good for this call only.
    pub(crate) fn use_once(&mut self) {
        self.once = true;
        self.reads.clear();
    }

    /// Forgets all reads, for the next call.
    pub(crate) fn clear(&mut self) {
        self.reads.clear();
        self.once = false;
    }

    /// Returns the reads with digests of their values; `None` if a plan made from them is good for this call
    /// only.
    pub(crate) fn digests(self, call: &CallInput, hash: &ReadHash) -> Option<Vec<ReadDigest>> {
        if self.once {
            return None;
        }
        let mut bytes = 0;
        let mut digests = Vec::with_capacity(self.reads.len());
        for read in self.reads {
            let (digest, read_bytes) = hash.digest(&read, call);
            bytes += read_bytes;
            if bytes > PLAN_READ_BYTES_MAX {
                return None;
            }
            digests.push((read, digest));
        }
        Some(digests)
    }
}

/// Hashes values that were read. The keys are random, so that no client can find a value with the digest of
/// another. Two hashes, because one of 64 bits may collide by chance.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadHash(RandomState, RandomState);

impl ReadHash {
    /// Returns the digest of the value that a read has in a call, and its size in bytes.
    pub(crate) fn digest(&self, read: &Read, call: &CallInput) -> (ValueDigest, usize) {
        let mut bytes = 0;
        let mut digest = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            bytes = hash_value(read, call, &mut hasher);
            hasher.finish()
        };
        let digest = [digest(&self.0), digest(&self.1)];
        (digest, bytes)
    }
}

/// Hashes a value, with its length and its kind, and returns its size in bytes.
fn hash_value(read: &Read, call: &CallInput, hasher: &mut impl Hasher) -> usize {
    match read {
        Read::Header(name) => {
            let mut bytes = name.len();
            let mut count = 0_usize;
            for value in call.header(name) {
                value.hash(hasher);
                bytes += value.len();
                count += 1;
            }
            count.hash(hasher);
            bytes
        }
        Read::Member(name) => name.len() + hash_text(call.member(name), hasher),
        Read::Session => {
            call.session.hash(hasher);
            size_of::<u64>()
        }
        Read::BodyLength => {
            call.body.len().hash(hasher);
            size_of::<u64>()
        }
        Read::Conversation(part) => {
            let value = call.conversation.as_deref().map(|it| part.value(it));
            hash_text(value.as_deref(), hasher)
        }
        Read::Pointer(pointer) => pointer.len() + hash_text(call.body_value(pointer), hasher),
    }
}

fn hash_text(text: Option<&str>, hasher: &mut impl Hasher) -> usize {
    text.hash(hasher);
    text.map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn call(headers: &[(&'static str, &'static str)], body: &'static str) -> CallInput {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        CallInput {
            headers: Arc::new(map),
            body: Bytes::from_static(body.as_bytes()),
            ..CallInput::default()
        }
    }

    #[test]
    fn absence_is_a_value() {
        let hash = ReadHash::default();
        let digest = |read: &Read, call: &CallInput| hash.digest(read, call).0;
        let header = Read::Header("x-a".to_owned());
        let none = call(&[], "{}");
        let values = [
            call(&[("x-a", "")], "{}"),
            call(&[("x-a", ""), ("x-a", "")], "{}"),
            call(&[("x-a", "b")], "{}"),
            call(&[("x-a", "b"), ("x-a", "c")], "{}"),
            call(&[("x-a", "bc")], "{}"),
        ];
        let mut digests: Vec<_> = values.iter().map(|call| digest(&header, call)).collect();
        digests.push(digest(&header, &none));
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), values.len() + 1);
        let pointer = Read::Pointer("/a".to_owned());
        let values = ["{}", r#"{"a":null}"#, r#"{"a":1}"#, "no JSON"];
        let digests = values.map(|body| digest(&pointer, &call(&[], body)));
        assert_ne!(digests[0], digests[1]);
        assert_ne!(digests[1], digests[2]);
        assert_eq!(digests[0], digests[3], "both are missing for the guest");
    }

    #[test]
    fn too_many_or_too_large_reads_are_good_for_once() {
        let hash = ReadHash::default();
        let none = call(&[], "{}");
        let mut reads = Reads::default();
        for number in 0..PLAN_READS_MAX {
            reads.note(Read::Header(number.to_string()));
            reads.note(Read::Header("0".to_owned()));
        }
        let digests = reads.digests(&none, &hash).unwrap();
        assert_eq!(digests.len(), PLAN_READS_MAX);
        let mut reads = Reads::default();
        for number in 0..=PLAN_READS_MAX {
            reads.note(Read::Header(number.to_string()));
        }
        assert!(reads.digests(&none, &hash).is_none());
        let large = CallInput {
            body: format!(r#"{{"a":"{}"}}"#, "x".repeat(PLAN_READ_BYTES_MAX)).into(),
            ..CallInput::default()
        };
        let mut reads = Reads::default();
        reads.note(Read::Pointer("/a".to_owned()));
        assert!(reads.digests(&large, &hash).is_none());
    }
}
