//! The entries of a name that a call may not use yet, since it is the turn of others.

use std::collections::BTreeMap;

use crate::{CoolingClass, Timestamp};

/// The entries that a call may not use yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gated {
    None,
    /// All whose windows have just ended: of those with the same turn one for all, by its position.
    All(BTreeMap<u32, GatedEntry>),
    /// Some of them, by position.
    Some(BTreeMap<u32, GatedEntry>),
}

/// When the call has its turn at an entry, and with which of its models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GatedEntry {
    pub(super) model: u32,
    pub(super) at: Timestamp,
    /// The number of entries for which it stands.
    pub(super) count: u32,
    /// The class of their windows; `None` if it is not known yet.
    pub(super) class: Option<CoolingClass>,
}
