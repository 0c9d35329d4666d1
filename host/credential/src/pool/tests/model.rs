//! Any sequence of events, compared with a pool without an index.

mod events;
mod scan;

use proptest::prelude::*;

use super::*;
use crate::pool::entry::Live;
use crate::pool::trial_time::{trial_time, turn_after_windows};
use events::{CASES, ENDPOINTS, Event, NAMES, PROVIDER_IN_FLIGHT_MAX, credentials, event};
use scan::{Scan, ScanOne, best_of, index_of};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// After each event and for each name: the candidates are exactly those that a scan over all
    /// health finds, the index equals its recomputation, and every candidate can begin.
    #[test]
    fn the_index_never_differs_from_health(
        credentials in credentials(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut run = Run::new(credentials);
        for event in events {
            run.step(event)?;
            run.compare()?;
        }
        run.end()?;
    }

    /// While one credential at a site of its own has only outcomes that do not count against it,
    /// every call finds a candidate.
    #[test]
    fn one_healthy_credential_is_enough(
        credentials in credentials(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let healthy = Credential {
            priority: -5,
            base_url: "http://127.0.0.1:9".into(),
            ..credential("healthy")
        };
        let mut run = Run::new([credentials, vec![healthy]].concat());
        for event in events {
            if matches!(event, Event::Replace(_) | Event::Begin { .. }) && run.open.len() > 20 {
                continue;
            }
            if matches!(event, Event::Replace(_)) {
                continue;
            }
            run.step(event)?;
            for endpoint in ENDPOINTS {
                let query = CandidateQuery { endpoint, ..CandidateQuery::first_round("gpt") };
                let candidates = run.pool.candidates(&query, run.now);
                prop_assert!(candidates.is_ok_and(|candidates| !candidates.trial));
            }
        }
    }
}

struct Run {
    pool: Pool,
    credentials: Vec<Credential>,
    open: Vec<Attempt>,
    /// The failures that a call goes on after, at most three.
    failed: Vec<PriorFailure>,
    now: Timestamp,
}

impl Run {
    fn new(credentials: Vec<Credential>) -> Self {
        let pool = pool(credentials.clone());
        Self {
            pool,
            credentials,
            open: Vec::new(),
            failed: Vec::new(),
            now: at(1),
        }
    }

    fn step(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Advance(millis) => self.now = self.now + Duration::from_millis(millis),
            Event::Begin {
                name,
                choice,
                endpoint,
                requester,
                goes_on,
            } => {
                let failed = self.failed.clone();
                let query = CandidateQuery {
                    endpoint,
                    requester,
                    failed: if goes_on { &failed } else { &[] },
                    ..CandidateQuery::first_round(NAMES[name])
                };
                self.begin(&query, choice)?;
            }
            Event::Content(open) if !self.open.is_empty() => {
                let open = open.index(self.open.len());
                self.pool.note_content(&mut self.open[open], self.now);
            }
            Event::Slow(open) if !self.open.is_empty() => {
                let slot = self.open[open.index(self.open.len())].slot();
                self.pool.note_slow(slot, self.now);
            }
            Event::Settle { open, outcome } if !self.open.is_empty() => {
                self.settle(open.index(self.open.len()), outcome);
            }
            Event::Content(_) | Event::Slow(_) | Event::Settle { .. } => {}
            Event::Replace(credentials) => {
                self.pool.replace(credentials.clone()).expect("a pool");
                self.credentials = credentials;
            }
            Event::Upsert(credentials) => {
                self.pool.upsert(credentials.clone()).expect("a pool");
                let new =
                    |credential: &Credential| credentials.iter().all(|new| new.id != credential.id);
                self.credentials.retain(new);
                self.credentials.extend(credentials);
            }
            Event::Remove(id) if self.credentials.len() > 1 => {
                self.pool.remove(&[id.into()]);
                self.credentials
                    .retain(|credential| credential.id.as_str() != id);
            }
            Event::Remove(_) => {}
            Event::SetEnabled(id, enabled) => {
                self.pool.set_enabled(id, enabled);
                let known = self.credentials.iter_mut();
                for known in known.filter(|known| known.id.as_str() == id) {
                    known.enabled = enabled;
                }
            }
            Event::Bar(id) => {
                let Outcome::Failed(failure) = failed(Scope::Credential, 401) else {
                    return Ok(());
                };
                self.pool.bar(id, Cause::of(&failure), self.now);
            }
            Event::Unbar(id) => drop(self.pool.unbar(id)),
            Event::Reset(id) => drop(self.pool.reset(id)),
            Event::Renew(id, renewal) => drop(self.pool.renew(id, renewal, self.now)),
            Event::Restart => self.restart()?,
        }
        Ok(())
    }

    fn begin(
        &mut self,
        query: &CandidateQuery<'_>,
        choice: prop::sample::Index,
    ) -> Result<(), TestCaseError> {
        let Ok(candidates) = self.pool.candidates(query, self.now) else {
            return Ok(());
        };
        let members: Vec<Member> = candidates.members.iter().copied().collect();
        prop_assert!(!candidates.trial || members.len() == 1);
        let member = choice.get(&members);
        let states: Vec<Availability> = (0..8)
            .map(|model| self.state(member.slot(), model, query.endpoint))
            .collect();
        let attempt = self
            .pool
            .begin(member.slot(), query, candidates.trial, self.now);
        prop_assert!(
            attempt.is_ok(),
            "a candidate must be able to begin: {attempt:?}"
        );
        let attempt = attempt.expect("it began");
        // Of several models under the name, the attempt has chosen one.
        let state = states[attempt.model as usize];
        // No blocked credential is a candidate, except for a probe or a trial.
        match state {
            // One whose windows have just ended finds out whether they are over.
            Availability::Ready => prop_assert_eq!(attempt.is_probe(), attempt.trial),
            Availability::Probe => prop_assert!(attempt.is_probe() && !attempt.trial),
            Availability::Cooling { .. } | Availability::Probing { .. } => {
                prop_assert!(attempt.trial);
            }
            Availability::Barred => return Err(TestCaseError::fail("called while barred")),
        }
        self.open.push(attempt);
        Ok(())
    }

    fn settle(&mut self, open: usize, outcome: Outcome) {
        let attempt = self.open.swap_remove(open);
        let healthy = self.pool.slot("healthy") == Some(attempt.slot());
        let outcome = if healthy { Outcome::Success } else { outcome };
        if let Outcome::Failed(failure) = &outcome {
            self.failed.push(PriorFailure {
                slot: attempt.slot(),
                status: failure.status,
            });
        }
        if self.failed.len() > 3 {
            self.failed.clear();
        }
        self.pool.settle(attempt, &outcome, None, self.now);
    }

    /// Health of accounts and models survives a restart; attempts in flight do not.
    fn restart(&mut self) -> Result<(), TestCaseError> {
        let records = self.pool.health();
        self.pool = pool(self.credentials.clone());
        self.pool.restore(records.clone());
        self.open.clear();
        self.failed.clear();
        let probe = |record: &HealthRecord| matches!(record.health, Health::Probing { .. });
        if !records.iter().any(probe) {
            prop_assert_eq!(self.pool.health(), records);
        }
        Ok(())
    }

    fn health(&self) -> HealthReader<'_> {
        HealthReader {
            slots: &self.pool.slots,
            sites: &self.pool.sites,
            now: self.now,
        }
    }

    fn state(&self, slot: Slot, model: u32, endpoint: Endpoint) -> Availability {
        let live = self.pool.slots.live(slot).expect("it is in the pool");
        self.health().availability(live, model, Some(endpoint))
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        self.pool.advance(self.now);
        let ids: Vec<_> = self
            .credentials
            .iter()
            .map(|credential| &credential.id)
            .collect();
        let slots: Vec<_> = ids
            .iter()
            .filter_map(|id| self.pool.slot(id.as_str()))
            .collect();
        prop_assert_eq!(slots.len(), ids.len());
        let failed = self.failed.clone();
        for name in NAMES {
            for tried in [&[], &slots[..1], &slots[..slots.len() / 2], &slots[..]] {
                for (endpoint, failed) in ENDPOINTS.into_iter().zip([&[], &*failed]) {
                    let query = CandidateQuery {
                        tried,
                        endpoint,
                        failed,
                        requester: Requester {
                            client: 1,
                            digest: 1,
                        },
                        ..CandidateQuery::first_round(name)
                    };
                    self.compare_query(&query)?;
                }
            }
        }
        self.pool.audit(self.now);
        Ok(())
    }

    fn compare_query(&mut self, query: &CandidateQuery<'_>) -> Result<(), TestCaseError> {
        let expected = self.scan(query);
        let found = self.pool.candidates(query, self.now);
        self.pool.audit_gated(query, self.now);
        let found = found.map(|candidates| {
            let ids = self.pool.credentials(&candidates.members);
            let ids: Vec<String> = ids.iter().flatten().map(|one| one.id.to_string()).collect();
            (ids, candidates.trial)
        });
        match (found, expected) {
            (Ok((ids, false)), Scan::Available(expected)) => prop_assert_eq!(ids, expected),
            (Ok((ids, true)), Scan::Trial(allowed)) => {
                prop_assert_eq!(ids.len(), 1);
                prop_assert!(allowed.contains(&ids[0]), "{:?} in {:?}", ids, allowed);
            }
            (Err(Unavailable::UnknownModel), Scan::Unknown) => {}
            (Err(Unavailable::NoneAvailable(mut reasons)), Scan::None(expected)) => {
                prop_assert_eq!(reasons.first.is_some(), reasons.retry_at.is_some());
                reasons.first = None;
                prop_assert_eq!(reasons, expected);
            }
            (found, expected) => {
                return Err(TestCaseError::fail(format!("{found:?}, not {expected:?}")));
            }
        }
        Ok(())
    }

    /// Computes the candidates from health and credentials, without an index.
    fn scan(&mut self, query: &CandidateQuery<'_>) -> Scan {
        self.pool.sites.has_finders(self.now);
        let (mut serving, mut reasons) = (0, Reasons::default());
        let (mut available, mut trials) = (Vec::new(), Vec::new());
        for credential in &self.credentials {
            let Some(found) = self.scan_one(credential, query) else {
                continue;
            };
            serving += 1;
            match found {
                ScanOne::Counts(count) => *count(&mut reasons) += 1,
                ScanOne::Cools {
                    class,
                    first_class,
                    probing,
                    at,
                    may_try,
                    turn,
                    undecided_until,
                } => {
                    reasons.cooling += 1;
                    reasons.times.trial_until = reasons.times.trial_until.max(undecided_until);
                    reasons.times.note(first_class, at);
                    reasons.turns += u32::from(turn);
                    reasons.probing += u32::from(probing);
                    *reasons.classes.of_mut(class) += 1;
                    if may_try {
                        trials.push(credential.id.to_string());
                    }
                    reasons.retry_at = Some(reasons.retry_at.map_or(at, |first| first.min(at)));
                }
                ScanOne::Available { second, priority } => {
                    available.push((second, -priority, credential.id.to_string()));
                }
            }
        }
        available.sort();
        match available.first() {
            Some(&(second, tier, _)) => {
                // Without a first choice, second choice and priority do not compete.
                let in_tier = available.iter().filter(|&&(of, other, _)| {
                    (of, other) == (second, tier) || (second && other == tier)
                });
                Scan::Available(in_tier.map(|(.., id)| id.clone()).collect())
            }
            None if serving == 0 => Scan::Unknown,
            None if !trials.is_empty() => Scan::Trial(trials),
            None => Scan::None(reasons),
        }
    }

    /// Computes the state of one credential; `None` if it does not serve the name.
    fn scan_one(&self, credential: &Credential, query: &CandidateQuery<'_>) -> Option<ScanOne> {
        let named = |served: &&Served| served.names.iter().any(|other| &**other == query.name);
        let mut under_name: Vec<&Served> = credential.serves.iter().filter(named).collect();
        under_name.sort_by_key(|served| -served.priority);
        let served = under_name.first()?;
        let slot = self.pool.slot(credential.id.as_str()).expect("in the pool");
        let live = self.pool.slots.live(slot).expect("in the pool");
        let health = self.health();
        let models: Vec<u32> = under_name.iter().map(|of| index_of(live, of)).collect();
        let (availability, best, probing) = best_of(&health, live, &models, query.endpoint);
        let tried = query.tried.iter().filter(|&&tried| tried == slot).count();
        let provider_is_full = credential.provider.as_str() == "capped"
            && self.in_flight(&credential.provider) >= PROVIDER_IN_FLIGHT_MAX;
        let busy = live.is_busy() || provider_is_full;
        if !credential.enabled {
            return Some(ScanOne::Counts(|reasons| &mut reasons.disabled));
        }
        if tried >= under_name.len() {
            return Some(ScanOne::Counts(|reasons| &mut reasons.tried));
        }
        if availability == Availability::Barred {
            return Some(ScanOne::Counts(|reasons| &mut reasons.barred));
        }
        if let Some(until) = availability.until() {
            let own = (live, &*models, best);
            return Some(self.scan_cooling(own, (until, probing, busy), query));
        }
        if busy {
            return Some(ScanOne::Counts(|reasons| &mut reasons.busy));
        }
        if let Some((model, at)) = self.turn(live, &models, query) {
            let window = health.last_ended(live, model, Some(query.endpoint));
            let class = window.expect("it has just ended").1.class;
            return Some(ScanOne::Cools {
                class,
                first_class: class,
                probing: false,
                at,
                may_try: false,
                turn: true,
                undecided_until: None,
            });
        }
        let failed = query.failed.iter();
        let failed = failed.filter(|prior| {
            let live = self.pool.slots.live(prior.slot);
            live.is_some_and(|live| live.credential.provider == credential.provider)
        });
        let second = failed.count() >= 2
            || self.pool.slow.contains(&slot)
            || (self.pool.sites).is_being_found(live.route, &served.model, query.endpoint);
        let priority = credential.priority + served.priority;
        Some(ScanOne::Available { second, priority })
    }

    /// Computes the state of a credential that cools until `until`; `best` is the model that is back first.
    fn scan_cooling(
        &self,
        (live, models, best): (&Live, &[u32], u32),
        (until, probing, busy): (Timestamp, bool, bool),
        query: &CandidateQuery<'_>,
    ) -> ScanOne {
        let health = self.health();
        let last = health.last_window(live, best, Some(query.endpoint));
        let (_, window) = last.expect("it cools");
        let trials = models.iter();
        let trials = trials.filter_map(|&model| {
            let trial = trial_time(live, model, query, &health)?;
            Some((model, trial))
        });
        let trial = trials.min_by_key(|(_, trial)| trial.at);
        let (tried, trial) = trial.unzip();
        let turn = trial.is_some_and(|trial| trial.gated);
        let undecided_until = trial.and_then(|trial| trial.undecided_until);
        let trial = trial.map(|trial| trial.at);
        let is_due = trial.is_some_and(|trial| trial <= self.now);
        let next = match is_due && busy {
            true => Some(self.now + Duration::from_secs(1)),
            false => trial,
        };
        let at = next.map_or(until, |next| until.min(next));
        let first = if at < until {
            tried.unwrap_or(best)
        } else {
            best
        };
        let first = health.last_or_ended(live, first, Some(query.endpoint));
        ScanOne::Cools {
            class: window.class,
            first_class: first.expect("it cools").1.class,
            probing,
            at,
            may_try: !busy && is_due,
            turn,
            undecided_until,
        }
    }

    /// Returns when the call has its turn at a credential whose windows have just ended, and with which model;
    /// `None` if it need not wait.
    fn turn(
        &self,
        live: &Live,
        models: &[u32],
        query: &CandidateQuery<'_>,
    ) -> Option<(u32, Timestamp)> {
        let health = self.health();
        let available = models.iter().copied().filter(|&model| {
            let availability = health.availability(live, model, Some(query.endpoint));
            availability.is_available()
        });
        let turns = available.map(|model| {
            let at = turn_after_windows(live, model, query, &health);
            (model, at.unwrap_or(self.now))
        });
        let first = turns.min_by_key(|(_, at)| *at);
        first.filter(|(_, at)| *at > self.now)
    }

    fn in_flight(&self, provider: &ProviderName) -> u32 {
        let status = self.pool.status(self.now);
        status
            .iter()
            .filter(|view| view.provider == *provider)
            .map(|view| view.in_flight)
            .sum()
    }

    fn end(mut self) -> Result<(), TestCaseError> {
        for attempt in self.open.drain(..) {
            self.pool
                .settle(attempt, &Outcome::Cancelled, None, self.now);
        }
        for view in self.pool.status(self.now) {
            prop_assert_eq!(view.in_flight, 0, "{}", view.id);
        }
        prop_assert!(self.pool.slow.is_empty());
        Ok(())
    }
}
