//! Hashes of the client and of the request, by which health tells one client's bad request from a bad
//! credential.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;

use jackfield_credential::Requester;

use crate::call::Call;
use crate::client_digest::ClientDigest;

/// Hashes calls. The keys are random, so that no client can craft a request with the hash of another.
#[derive(Default)]
pub(crate) struct RequesterHash(RandomState);

impl RequesterHash {
    /// Returns the digest of the client, for plugins: of its key, or of its network if there are no keys.
    pub(crate) fn client(&self, call: &Call) -> ClientDigest {
        self.client_of(&call.principal, call.network)
    }

    /// Returns the digest of a client with this name, or of one without a key in this network.
    pub(crate) fn client_of(&self, principal: &str, network: Option<IpAddr>) -> ClientDigest {
        ClientDigest::new(self.0.hash_one((principal, network)))
    }

    /// Returns the hashes of the client and of the request: its model, endpoint and body.
    pub(crate) fn requester(&self, call: &Call) -> Requester {
        let mut request = self.0.build_hasher();
        (&*call.model, call.endpoint().label(), call.body.len()).hash(&mut request);
        let body = &call.body[..];
        let (first, rest) = body.split_at(body.len().min(HASHED_BYTES_MAX));
        let last = &rest[rest.len().saturating_sub(HASHED_BYTES_MAX)..];
        request.write(first);
        request.write(last);
        Requester {
            client: self.0.hash_one(&*call.principal),
            digest: request.finish(),
        }
    }
}

/// How much of a body's beginning, and again of its end, is hashed, in bytes: the parameters and the last
/// messages. It takes some 10 µs, and every call pays it.
const HASHED_BYTES_MAX: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use http::HeaderMap;
    use jackfield_dialect::Dialect;
    use tokio::time::Instant;

    use super::*;
    use crate::call::Operation;

    fn call(principal: &str, model: &str, body: Vec<u8>) -> Call {
        Call {
            id: Arc::from("r1"),
            dialect: Dialect::OpenaiChat,
            operation: Operation::Generate,
            model: Arc::from(model),
            stream: None,
            body: Bytes::from(body),
            headers: Arc::new(HeaderMap::new()),
            beta: false,
            principal: Arc::from(principal),
            network: None,
            affinity: None,
            pinned: None,
            deadline: Instant::now(),
        }
    }

    #[test]
    fn digest_depends_on_both_ends_and_the_length() {
        let hash = RequesterHash::default();
        let of = |principal: &str, model: &str, body: Vec<u8>| {
            hash.requester(&call(principal, model, body))
        };
        let large = vec![b'x'; 1 << 20];
        let same = of("a", "m", large.clone());
        assert_eq!(of("a", "m", large.clone()), same);
        let other_client = of("b", "m", large.clone());
        assert_ne!(other_client.client, same.client);
        assert_eq!(other_client.digest, same.digest);
        let longer = [&large[..], b"x"].concat();
        let (mut first, mut last) = (large.clone(), large.clone());
        first[0] = b'y';
        last[(1 << 20) - 1] = b'y';
        for other in [
            of("a", "n", large),
            of("a", "m", longer),
            of("a", "m", first),
            of("a", "m", last),
        ] {
            assert_ne!(other.digest, same.digest);
        }
        assert_ne!(
            of("a", "m", vec![b'x']).digest,
            of("a", "m", Vec::new()).digest
        );
    }
}
