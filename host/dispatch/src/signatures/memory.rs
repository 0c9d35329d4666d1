//! The bounded memory of signatures: their hashes, never their text. It does not survive a restart; after one,
//! unknown signatures pass, and a refusal teaches it again.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

use parking_lot::Mutex;
use url::Url;

use crate::limits::{REFUSED_SIGNATURES_MAX, SIGNATURES_MAX};

/// Who gives signatures and accepts them again: the host and port of a provider's API. Several configured
/// providers may be one, such as a subscription and a key of the same vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Origin(u64);

/// The hash of a signature, or of a part without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest(u64);

/// The signatures that were relayed, with their origins, and those that were refused.
#[derive(Default)]
pub(crate) struct SignatureMemory {
    /// With random keys, so that no client can construct a signature with the hash of another one.
    hasher: RandomState,
    known: Mutex<KnownSignatures>,
}

#[derive(Default)]
struct KnownSignatures {
    given: Bounded<Digest>,
    refused: Bounded<(Digest, Origin)>,
    /// Parts without a signature that were refused.
    refused_parts: Bounded<(Digest, Origin)>,
}

/// A part that a provider refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedPart {
    /// By its signature.
    Signature(Digest),
    /// A part that has none, by its JSON.
    Part(Digest),
}

/// What the memory says about a signature that would go to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provenance {
    /// Another provider gave it, or this one refused it.
    Foreign,
    /// The provider gave it.
    Own,
    /// It was never relayed, or is forgotten.
    Unknown,
}

impl SignatureMemory {
    /// The origin of a provider's signatures.
    pub(crate) fn origin(&self, base_url: &Url) -> Origin {
        let host = base_url.host_str().unwrap_or_default();
        let port = base_url.port_or_known_default();
        Origin(self.hasher.hash_one((host, port)))
    }

    /// The digest of a signature, or of a part as JSON.
    pub(crate) fn digest(&self, text: &str) -> Digest {
        Digest(self.hasher.hash_one(text))
    }

    /// Records that a provider gave a signature.
    pub(crate) fn note_given(&self, digest: Digest, origin: Origin) {
        let given = &mut self.known.lock().given;
        given.insert(digest, origin, SIGNATURES_MAX);
    }

    /// Records that a provider refused parts of a request.
    pub(crate) fn note_refused(&self, parts: &[RefusedPart], origin: Origin) {
        let mut known = self.known.lock();
        for part in parts {
            let (refused, digest) = match part {
                RefusedPart::Signature(digest) => (&mut known.refused, *digest),
                RefusedPart::Part(digest) => (&mut known.refused_parts, *digest),
            };
            refused.insert((digest, origin), origin, REFUSED_SIGNATURES_MAX);
        }
    }

    /// Whether signatures may be foreign to an origin. Where all come from one provider, there is no need to look.
    pub(crate) fn may_know_foreign(&self, origin: Origin) -> bool {
        let known = self.known.lock();
        let own = usize::from(known.given.counts.contains_key(&origin));
        known.given.counts.len() > own || known.refused.counts.contains_key(&origin)
    }

    /// Whether an origin has refused parts without a signature.
    pub(crate) fn has_refused_parts(&self, origin: Origin) -> bool {
        let known = self.known.lock();
        known.refused_parts.counts.contains_key(&origin)
    }

    /// Whether an origin has refused this part, which has no signature.
    pub(crate) fn is_refused_part(&self, digest: Digest, origin: Origin) -> bool {
        let known = self.known.lock();
        known.refused_parts.values.contains_key(&(digest, origin))
    }

    /// What is known about a signature that would go to an origin.
    pub(crate) fn provenance(&self, digest: Digest, origin: Origin) -> Provenance {
        let known = self.known.lock();
        if known.refused.values.contains_key(&(digest, origin)) {
            return Provenance::Foreign;
        }
        match known.given.values.get(&digest) {
            None => Provenance::Unknown,
            Some(given) if *given == origin => Provenance::Own,
            Some(_) => Provenance::Foreign,
        }
    }
}

/// A map to origins that forgets the oldest entries.
struct Bounded<K> {
    values: HashMap<K, Origin>,
    /// The keys, the oldest first.
    order: VecDeque<K>,
    /// How many entries each origin has.
    counts: HashMap<Origin, usize>,
}

impl<K> Default for Bounded<K> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            order: VecDeque::new(),
            counts: HashMap::new(),
        }
    }
}

impl<K: Copy + Eq + Hash> Bounded<K> {
    fn insert(&mut self, key: K, origin: Origin, entries_max: usize) {
        match self.values.insert(key, origin) {
            Some(previous) => self.discount(previous),
            None => self.order.push_back(key),
        }
        *self.counts.entry(origin).or_default() += 1;
        while self.order.len() > entries_max {
            if let Some(oldest) = self.order.pop_front()
                && let Some(origin) = self.values.remove(&oldest)
            {
                self.discount(origin);
            }
        }
    }

    fn discount(&mut self, origin: Origin) {
        if let Some(count) = self.counts.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(memory: &SignatureMemory, url: &str) -> Origin {
        memory.origin(&Url::parse(url).unwrap())
    }

    #[test]
    fn origin_is_host_and_port() {
        let memory = SignatureMemory::default();
        let of = |url| origin(&memory, url);
        assert_eq!(of("https://a.test/v1"), of("https://a.test:443/anthropic"));
        assert_ne!(of("https://a.test/v1"), of("https://b.test/v1"));
        assert_ne!(of("http://a.test:1/"), of("http://a.test:2/"));
    }

    #[test]
    fn knows_who_gave_and_who_refused() {
        let memory = SignatureMemory::default();
        let (a, b) = (
            origin(&memory, "https://a.test"),
            origin(&memory, "https://b.test"),
        );
        let (one, two) = (memory.digest("one"), memory.digest("two"));
        assert!(!memory.may_know_foreign(a));
        assert_eq!(memory.provenance(one, a), Provenance::Unknown);
        memory.note_given(one, a);
        assert!(!memory.may_know_foreign(a) && memory.may_know_foreign(b));
        assert_eq!(memory.provenance(one, a), Provenance::Own);
        assert_eq!(memory.provenance(one, b), Provenance::Foreign);
        memory.note_refused(
            &[RefusedPart::Signature(one), RefusedPart::Signature(two)],
            a,
        );
        assert!(memory.may_know_foreign(a) && !memory.has_refused_parts(a));
        assert_eq!(memory.provenance(one, a), Provenance::Foreign);
        assert_eq!(memory.provenance(two, b), Provenance::Unknown);
        memory.note_given(one, b);
        assert!(!memory.may_know_foreign(b), "all are of one origin");
        assert_eq!(memory.provenance(one, b), Provenance::Own);
        memory.note_refused(&[RefusedPart::Part(one)], b);
        assert!(memory.has_refused_parts(b) && !memory.has_refused_parts(a));
        assert!(memory.is_refused_part(one, b) && !memory.is_refused_part(two, b));
    }

    #[test]
    fn forgets_the_oldest() {
        let memory = SignatureMemory::default();
        let (a, b) = (
            origin(&memory, "https://a.test"),
            origin(&memory, "https://b.test"),
        );
        let first = memory.digest("first");
        memory.note_given(first, a);
        memory.note_refused(
            &[RefusedPart::Signature(first), RefusedPart::Part(first)],
            a,
        );
        for number in 0..SIGNATURES_MAX {
            let digest = memory.digest(&number.to_string());
            memory.note_given(digest, b);
            memory.note_given(digest, b);
            memory.note_refused(
                &[RefusedPart::Signature(digest), RefusedPart::Part(digest)],
                b,
            );
        }
        assert_eq!(memory.provenance(first, a), Provenance::Unknown);
        assert!(!memory.has_refused_parts(a));
        let known = memory.known.lock();
        assert!(!known.given.counts.contains_key(&a));
        assert_eq!(known.given.values.len(), SIGNATURES_MAX);
        assert_eq!(known.given.order.len(), SIGNATURES_MAX);
        for refused in [&known.refused, &known.refused_parts] {
            assert_eq!(refused.values.len(), REFUSED_SIGNATURES_MAX);
            assert_eq!(refused.order.len(), REFUSED_SIGNATURES_MAX);
        }
        assert_eq!(known.given.counts.values().sum::<usize>(), SIGNATURES_MAX);
    }
}
