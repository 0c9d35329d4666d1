//! How long the heads of streams usually take, by provider and model. A model that reasons before it
//! sends its head must not be given up as silent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jackfield_credential::ProviderName;
use parking_lot::Mutex;

use crate::limits::HEAD_TIMES_MAX;

/// The usual times. A faster head shortens them slowly, a slower one extends them at once.
#[derive(Default)]
pub(crate) struct HeadTimes(Mutex<HashMap<ProviderName, HashMap<Arc<str>, Duration>>>);

impl HeadTimes {
    /// Returns the usual time; zero while it is unknown.
    pub(crate) fn usual(&self, provider: &ProviderName, model: &str) -> Duration {
        let times = self.0.lock();
        let time = times.get(provider).and_then(|models| models.get(model));
        time.copied().unwrap_or_default()
    }

    /// Records the time of one head.
    pub(crate) fn record(&self, provider: &ProviderName, model: &Arc<str>, time: Duration) {
        let mut times = self.0.lock();
        if let Some(usual) = times.get_mut(provider).and_then(|one| one.get_mut(model)) {
            *usual = time.max((*usual * 7 + time) / 8);
            return;
        }
        // Simple, since it is rare: the usual times are learnt again.
        if times.values().map(HashMap::len).sum::<usize>() >= HEAD_TIMES_MAX {
            times.clear();
        }
        let models = times.entry(provider.clone()).or_default();
        models.insert(Arc::clone(model), time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_heads_count_at_once_and_are_forgotten_slowly() {
        let (times, provider) = (HeadTimes::default(), ProviderName::new("p"));
        let model: Arc<str> = Arc::from("m");
        assert_eq!(times.usual(&provider, &model), Duration::ZERO);
        for seconds in [1, 20, 4] {
            times.record(&provider, &model, Duration::from_secs(seconds));
        }
        assert_eq!(times.usual(&provider, &model), Duration::from_secs(18));
        assert_eq!(times.usual(&provider, "other"), Duration::ZERO);
    }

    #[test]
    fn stores_a_bounded_number_of_models() {
        let (times, provider) = (HeadTimes::default(), ProviderName::new("p"));
        for model in 0..2 * HEAD_TIMES_MAX {
            let model = Arc::from(model.to_string());
            times.record(&provider, &model, Duration::from_secs(1));
        }
        let stored: usize = times.0.lock().values().map(HashMap::len).sum();
        assert!(stored <= HEAD_TIMES_MAX, "{stored}");
    }
}
