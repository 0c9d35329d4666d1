//! The linear memory of all instances, and of one plugin's: counted in bytes, and capped.

use std::sync::Arc;

use jackfield_dispatch::{HeldMemory, MemoryBudget};

use crate::limits::{ALL_MEMORY_BYTES_MAX, PLUGIN_MEMORY_BYTES_MAX};

/// The memory of one instance, counted in the budgets of its plugin and of all plugins. Dropping it gives
/// the bytes back.
#[derive(Debug)]
pub(crate) struct InstanceMemory {
    of_plugin: HeldMemory,
    of_all: HeldMemory,
}

impl InstanceMemory {
    pub(crate) fn new(plugin: &Arc<MemoryBudget>, all: &Arc<MemoryBudget>) -> Self {
        Self {
            of_plugin: HeldMemory::without_client(plugin),
            of_all: HeldMemory::without_client(all),
        }
    }

    /// The size of the instance's memories, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.of_plugin.bytes()
    }

    /// Counts more bytes.
    ///
    /// # Errors
    /// The limit that is reached, in words. Then nothing is counted.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), String> {
        let before = self.bytes();
        let after = before.saturating_add(bytes);
        let of_plugin = self.of_plugin.resize(after);
        of_plugin.map_err(|_| limit(PLUGIN_MEMORY_BYTES_MAX, "this plugin"))?;
        self.of_all.resize(after).map_err(|_| {
            // To hold less cannot fail.
            let _ = self.of_plugin.resize(before);
            limit(ALL_MEMORY_BYTES_MAX, "all plugins")
        })
    }
}

fn limit(bytes_max: usize, scope: &str) -> String {
    format!("{} MiB of memory for {scope}", bytes_max >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_share_budgets_and_give_back() {
        let all = Arc::new(MemoryBudget::new(100));
        let plugins = [70, 70].map(|max| Arc::new(MemoryBudget::new(max)));
        let instance = |of: usize| InstanceMemory::new(&plugins[of], &all);
        let (this_plugin, all_plugins) = (
            "2048 MiB of memory for this plugin",
            "4096 MiB of memory for all plugins",
        );
        let (mut a, mut b, mut c) = (instance(0), instance(0), instance(1));
        a.grow(60).unwrap();
        assert_eq!(b.grow(11).unwrap_err(), this_plugin);
        assert_eq!(c.grow(41).unwrap_err(), all_plugins);
        c.grow(40).unwrap();
        assert_eq!(b.grow(1).unwrap_err(), all_plugins);
        drop(a);
        b.grow(60).unwrap();
        assert_eq!(b.grow(usize::MAX).unwrap_err(), this_plugin);
        assert_eq!((b.bytes(), c.bytes()), (60, 40));
        drop((b, c));
        assert_eq!((all.held(), plugins[0].held()), (0, 0));
    }
}
