//! The linear memory of all instances, and of one plugin's: counted in bytes, and capped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A sum of bytes with a maximum.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    used: AtomicUsize,
    max: usize,
    /// What the sum is over, for messages.
    scope: &'static str,
}

/// The memory of one instance, counted in the budgets of its plugin and of all plugins. Dropping it gives
/// the bytes back.
#[derive(Debug)]
pub(crate) struct InstanceMemory {
    bytes: usize,
    budgets: [Arc<MemoryBudget>; 2],
}

impl MemoryBudget {
    pub(crate) fn new(max: usize, scope: &'static str) -> Self {
        Self {
            used: AtomicUsize::new(0),
            max,
            scope,
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.max);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Which limit is reached, in words.
    pub(crate) fn limit(&self) -> String {
        format!("{} MiB of memory for {}", self.max >> 20, self.scope)
    }
}

impl InstanceMemory {
    pub(crate) fn new(plugin: Arc<MemoryBudget>, all: Arc<MemoryBudget>) -> Self {
        Self {
            bytes: 0,
            budgets: [plugin, all],
        }
    }

    /// The size of the instance's memories, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts more bytes.
    ///
    /// # Errors
    /// The budget that has no room for them. Then nothing is counted.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Arc<MemoryBudget>> {
        let [plugin, all] = &self.budgets;
        if !plugin.take(bytes) {
            return Err(Arc::clone(plugin));
        }
        if !all.take(bytes) {
            plugin.give_back(bytes);
            return Err(Arc::clone(all));
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for InstanceMemory {
    fn drop(&mut self) {
        for budget in &self.budgets {
            budget.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_share_budgets_and_give_back() {
        let all = Arc::new(MemoryBudget::new(100, "all plugins"));
        let plugins = [70, 70].map(|max| Arc::new(MemoryBudget::new(max, "this plugin")));
        let instance = |of: usize| InstanceMemory::new(Arc::clone(&plugins[of]), Arc::clone(&all));
        let (mut a, mut b, mut c) = (instance(0), instance(0), instance(1));
        a.grow(60).unwrap();
        assert_eq!(b.grow(11).unwrap_err().scope, "this plugin");
        assert_eq!(c.grow(41).unwrap_err().scope, "all plugins");
        c.grow(40).unwrap();
        assert_eq!(b.grow(1).unwrap_err().scope, "all plugins");
        drop(a);
        b.grow(60).unwrap();
        assert_eq!(b.grow(usize::MAX).unwrap_err().scope, "this plugin");
        assert_eq!((b.bytes(), c.bytes()), (60, 40));
        drop((b, c));
        assert_eq!(all.used.load(Ordering::Relaxed), 0);
        assert_eq!(plugins[0].used.load(Ordering::Relaxed), 0);
    }
}
