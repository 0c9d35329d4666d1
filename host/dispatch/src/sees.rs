//! What a plugin can see of a client and of its responses, by its imports and exports.

use serde::Serialize;

/// What a plugin can see and do. The host derives it from the component: what it does not import it cannot
/// read, and what it does not export it is never given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact, shown to the operator by its name"
)]
pub struct Sees {
    /// Headers of the client that the host lets through.
    pub client_headers: bool,
    /// The name of the client key, and the session.
    pub client_identity: bool,
    /// The body of the client's request.
    pub body: bool,
    /// The bodies of error responses, which may repeat what a client wrote.
    pub error_bodies: bool,
    /// The bodies of responses.
    pub responses: bool,
    /// Whether it may write to the log what it sees.
    pub log: bool,
}

impl Sees {
    /// Its words, for operators and records: what it sees, and `log`.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.client_headers, "client-headers"),
            (self.client_identity, "client-identity"),
            (self.body, "body"),
            (self.error_bodies, "error-bodies"),
            (self.responses, "responses"),
            (self.log, "log"),
        ];
        all.into_iter()
            .filter_map(|(can, word)| can.then_some(word))
    }

    /// Whether it sees nothing of what clients write and get: neither bodies of requests nor of responses.
    pub fn is_content_blind(self) -> bool {
        !(self.body || self.error_bodies || self.responses)
    }

    /// Whether it does not see who the client is: neither headers nor identity.
    pub fn is_client_blind(self) -> bool {
        !(self.client_headers || self.client_identity)
    }
}

impl Serialize for Sees {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}
