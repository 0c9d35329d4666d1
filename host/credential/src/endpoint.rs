//! The part of a model that a call uses.

use std::hash::{Hash, Hasher};

/// What of a model a call uses: one path of one API, such as chat completions, embeddings or the
/// token count.
///
/// A provider may serve one endpoint of a model and not the other, so health is kept for each. The
/// caller chooses it before it chooses a credential, from a fixed set of words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialOrd, Ord)]
pub struct Endpoint(&'static str);

impl Endpoint {
    /// Creates the endpoint with this word.
    pub const fn new(label: &'static str) -> Self {
        Self(label)
    }

    /// Returns the word.
    pub const fn label(self) -> &'static str {
        self.0
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        // Mostly the same constant, which need not be read.
        std::ptr::eq(self.0, other.0) || self.0 == other.0
    }
}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
