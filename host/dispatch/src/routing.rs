//! How credentials are picked: selector, fallbacks, queue, affinity, with the default values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::affinity::AffinityKey;
use crate::fallback::Fallback;

/// How credentials are picked.
#[derive(Debug, Clone)]
pub struct Routing {
    /// The name of the selector.
    pub selector: Arc<str>,
    /// Its settings, as the text of a JSON object.
    pub settings: Arc<str>,
    /// Fallback models, in order, by the client's name for the model that they replace.
    pub fallbacks: BTreeMap<Arc<str>, Vec<Fallback>>,
    /// How long a call may wait in the queue when all credentials are busy.
    pub queue_timeout: Duration,
    /// Where a call names its session; the first place with a value counts. Empty turns affinity off.
    pub affinity: Vec<AffinityKey>,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            selector: Arc::from("round-robin"),
            settings: Arc::from("{}"),
            fallbacks: BTreeMap::new(),
            queue_timeout: Duration::from_secs(30),
            affinity: AffinityKey::defaults(),
        }
    }
}
