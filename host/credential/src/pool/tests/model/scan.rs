//! What a scan over all health finds.

use super::*;

pub(super) fn index_of(live: &Live, served: &Served) -> u32 {
    let mut models = live.models.iter().zip(0..);
    let model = models.find(|(of, _)| of.key == served.model);
    model.expect("it is served").1
}

/// Returns the best availability of models with its model, and whether a probe is in flight at all of
/// them that are not barred.
pub(super) fn best_of(
    health: &HealthReader<'_>,
    live: &Live,
    models: &[u32],
    endpoint: Endpoint,
) -> (Availability, u32, bool) {
    let all = models.iter();
    let all = all.map(|&model| (health.availability(live, model, Some(endpoint)), model));
    let probing = all.clone().all(|(availability, _)| {
        matches!(
            availability,
            Availability::Probing { .. } | Availability::Barred
        )
    });
    let best = all.min_by_key(|(availability, _)| match availability {
        Availability::Ready | Availability::Probe => (0, None),
        Availability::Barred => (2, None),
        Availability::Cooling { until } | Availability::Probing { until } => (1, Some(*until)),
    });
    let (availability, model) = best.expect("at least one");
    (availability, model, probing)
}

/// What a scan finds.
#[derive(Debug)]
pub(super) enum Scan {
    Unknown,
    Available(Vec<String>),
    /// Any of these may be tried.
    Trial(Vec<String>),
    None(Reasons),
}

/// What a scan finds of one credential.
pub(super) enum ScanOne {
    /// It is not available, and counts as this.
    Counts(fn(&mut Reasons) -> &mut u32),
    Cools {
        class: CoolingClass,
        /// The class of the model that is available first.
        first_class: CoolingClass,
        probing: bool,
        /// When it is available again, or may be tried.
        at: Timestamp,
        may_try: bool,
        /// It may be tried, if it were not the turn of others.
        turn: bool,
        /// Until when the result of another trial is awaited.
        undecided_until: Option<Timestamp>,
    },
    Available {
        second: bool,
        priority: i32,
    },
}
