//! Compares the index with a scan over the pool, for tests.

use std::collections::BTreeSet;

use super::*;

impl Pool {
    /// Panics unless the index equals what the credentials serve.
    pub(in crate::pool) fn audit_index(&self) {
        let mut ranks = Vec::new();
        let mut entries: BTreeMap<Arc<str>, BTreeSet<u32>> = BTreeMap::new();
        let mut serving: BTreeMap<Arc<str>, BTreeMap<ProviderName, u32>> = BTreeMap::new();
        let mut in_flight: BTreeMap<ProviderName, u32> = BTreeMap::new();
        let mut rounds: BTreeMap<u32, u32> = BTreeMap::new();
        for &slot in self.by_id.values() {
            let live = self
                .slots
                .live(slot)
                .expect("an id in the index is in the pool");
            ranks.push(live.rank);
            *in_flight
                .entry(live.credential.provider.clone())
                .or_default() += live.in_flight;
            if let Some(own) = live.credential.rounds {
                *rounds.entry(own).or_default() += 1;
            }
            let served = models_by_name(live);
            assert_eq!(live.listings.len(), served.len());
            for (name, with) in served {
                let name_index = self.by_name[&name];
                let listing = live.listing(name_index).expect("it is found by its name");
                assert_eq!(
                    (listing.served, listing.model),
                    (with.first.served, with.first.model)
                );
                let mut expected = index_entry(slot, live, with);
                expected.member.position = listing.position;
                let name_index = &self.name_indexes[name_index as usize];
                let entry = name_index.audit_entry(listing.position);
                expected.lane = entry.lane;
                let model = live.model_key(with.first.model).expect("it has the model");
                assert_eq!(name_index.lane(entry.lane), Some((live.route, model)));
                assert_eq!(*entry, expected, "under `{name}`");
                let entries = entries.entry(Arc::clone(&name)).or_default();
                assert!(
                    entries.insert(listing.position),
                    "two entries at one position"
                );
                let serving = serving.entry(name).or_default();
                if live.credential.enabled {
                    *serving.entry(live.credential.provider.clone()).or_default() += 1;
                }
            }
        }
        let sorted = ranks.iter().zip(ranks.iter().skip(1));
        assert!(
            sorted.into_iter().all(|(one, next)| one < next),
            "{ranks:?}"
        );
        assert_eq!(self.rounds, rounds);
        self.providers.audit(&in_flight);
        let known: Vec<_> = self.by_name.keys().collect();
        assert_eq!(known, entries.keys().collect::<Vec<_>>());
        for (name, &index) in &self.by_name {
            self.name_indexes[index as usize].audit_providers(entries[name].len(), &serving[name]);
        }
        for &vacant in &self.vacant {
            assert!(self.name_indexes[vacant as usize].is_empty());
        }
        assert_eq!(
            self.name_indexes.len(),
            self.vacant.len() + self.by_name.len()
        );
    }
}
