//! The sites and ways with the models under a name, by number: so that what depends on them alone is found once for
//! all of their credentials.

use std::collections::BTreeMap;

use crate::ModelKey;
use crate::pool::index_entry::LaneNumber;
use crate::pool::sites::SiteWay;

/// All of them that the name was served with. Numbers are not reused until the index is rebuilt.
#[derive(Debug, Default)]
pub(in crate::pool) struct Lanes {
    all: Vec<(SiteWay, ModelKey)>,
    numbers: BTreeMap<(SiteWay, ModelKey), LaneNumber>,
}

impl Lanes {
    /// Returns the number of a site and way with a model, which is added if it is new.
    pub(in crate::pool) fn number(&mut self, route: SiteWay, model: &ModelKey) -> LaneNumber {
        let next = LaneNumber(super::count(self.all.len()));
        let lane = (route, model.clone());
        *self.numbers.entry(lane).or_insert_with_key(|lane| {
            self.all.push(lane.clone());
            next
        })
    }

    pub(in crate::pool) fn get(&self, number: LaneNumber) -> Option<(SiteWay, &ModelKey)> {
        let (route, model) = self.all.get(number.0 as usize)?;
        Some((*route, model))
    }
}
