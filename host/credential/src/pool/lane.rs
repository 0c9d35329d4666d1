//! A lane: the health of one endpoint of a credential's model.

use crate::evidence::Evidence;
use crate::{Endpoint, Health, Requester};

/// One endpoint of a model of a credential. Most have never failed, so their health takes no space.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) endpoint: Endpoint,
    pub(super) evidence: Evidence,
    trouble: Option<Box<Trouble>>,
}

#[derive(Debug)]
struct Trouble {
    health: Health,
    opened_by: Requester,
}

impl Lane {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            evidence: Evidence::default(),
            trouble: None,
        }
    }

    /// True if it is ready, and no request has failed since the last success.
    pub(super) fn is_untroubled(&self) -> bool {
        self.trouble.is_none() && self.evidence.failing.is_empty()
    }

    pub(super) fn health(&self) -> &Health {
        self.trouble
            .as_ref()
            .map_or(&READY, |trouble| &trouble.health)
    }

    /// Makes room in the evidence for one more request that fails.
    pub(super) fn forget_later(&mut self) {
        let health = self
            .trouble
            .as_ref()
            .map_or(&READY, |trouble| &trouble.health);
        self.evidence.failing.forget_later(health);
    }

    /// Returns whose failure opened the last window.
    pub(super) fn opened_by(&self) -> Option<Requester> {
        self.trouble.as_ref().map(|trouble| trouble.opened_by)
    }

    /// Takes the health, to set the next one.
    pub(super) fn take_health(&mut self) -> Health {
        self.trouble
            .take()
            .map_or(Health::Ready, |trouble| trouble.health)
    }

    pub(super) fn set_health(&mut self, health: Health, opened_by: Requester) {
        self.trouble = match health {
            Health::Ready => None,
            health => Some(Box::new(Trouble { health, opened_by })),
        };
    }
}

static READY: Health = Health::Ready;
