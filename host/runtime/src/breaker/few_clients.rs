//! A few different clients: more would change no decision of the breaker.

use jackfield_dispatch::ClientDigest;

use crate::limits::SUSPENDING_CLIENTS;

/// Up to [`SUSPENDING_CLIENTS`] different clients, the oldest first.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct FewClients([Option<ClientDigest>; SUSPENDING_CLIENTS]);

impl FewClients {
    pub(super) fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == SUSPENDING_CLIENTS
    }

    pub(super) fn contains(&self, client: ClientDigest) -> bool {
        self.0.contains(&Some(client))
    }

    /// The client, if it is the only one.
    pub(super) fn only(&self) -> Option<ClientDigest> {
        self.0
            .first()
            .copied()
            .flatten()
            .filter(|_| self.len() == 1)
    }

    /// Adds a client if there is room. The host is none.
    pub(super) fn add(&mut self, client: ClientDigest) {
        if client == ClientDigest::HOST || self.contains(client) {
            return;
        }
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(client);
        }
    }

    /// Adds a client as the latest one. If there is no room, the oldest one leaves.
    pub(super) fn add_latest(&mut self, client: ClientDigest) {
        if self.is_full() && !self.contains(client) {
            self.0.rotate_left(1);
            if let Some(last) = self.0.last_mut() {
                *last = None;
            }
        }
        self.add(client);
    }
}
