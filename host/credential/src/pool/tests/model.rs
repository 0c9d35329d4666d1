//! Any sequence of events, compared with a pool without an index.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

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

    /// While one credential has only outcomes that do not count against it, every call finds a
    /// candidate.
    #[test]
    fn one_healthy_credential_is_enough(
        credentials in credentials(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let healthy = Credential { priority: -5, ..credential("healthy") };
        let mut run = Run::new([credentials, vec![healthy]].concat());
        for event in events {
            if matches!(event, Event::Replace(_) | Event::Begin { .. }) && run.open.len() > 20 {
                continue;
            }
            if matches!(event, Event::Replace(_)) {
                continue;
            }
            run.step(event)?;
            prop_assert!(run.pool.candidates(&CandidateQuery::first_round("gpt"), run.now).is_ok());
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Advance(u64),
    Begin {
        name: usize,
        choice: prop::sample::Index,
    },
    Settle {
        open: prop::sample::Index,
        outcome: Outcome,
    },
    Replace(Vec<Credential>),
    Upsert(Vec<Credential>),
    Remove(&'static str),
    SetEnabled(&'static str, bool),
    Bar(&'static str),
    Unbar(&'static str),
    Reset(&'static str),
    Restart,
}

struct Run {
    pool: Pool,
    credentials: Vec<Credential>,
    open: Vec<Attempt>,
    now: Timestamp,
}

impl Run {
    fn new(credentials: Vec<Credential>) -> Self {
        let pool = pool(credentials.clone());
        Self {
            pool,
            credentials,
            open: Vec::new(),
            now: at(1),
        }
    }

    fn step(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Advance(millis) => self.now = self.now + Duration::from_millis(millis),
            Event::Begin { name, choice } => {
                let Ok(candidates) = self
                    .pool
                    .candidates(&CandidateQuery::first_round(NAMES[name]), self.now)
                else {
                    return Ok(());
                };
                let members: Vec<Member> = candidates.members.iter().copied().collect();
                let slot = choice.get(&members).slot();
                let views = self.pool.status(self.now);
                let attempt = self.pool.start(slot, NAMES[name], self.now);
                prop_assert!(
                    attempt.is_ok(),
                    "a candidate must be able to begin: {attempt:?}"
                );
                let attempt = attempt.expect("it began");
                self.never_blocked(&views, &attempt)?;
                self.open.push(attempt);
            }
            Event::Settle { open, outcome } if !self.open.is_empty() => {
                let attempt = self.open.swap_remove(open.index(self.open.len()));
                let healthy = self.pool.slot("healthy") == Some(attempt.slot());
                let outcome = if healthy { Outcome::Success } else { outcome };
                self.pool.settle(attempt, &outcome, None, self.now);
            }
            Event::Settle { .. } => {}
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
            Event::Restart => self.restart()?,
        }
        Ok(())
    }

    /// Health survives a restart; attempts in flight do not.
    fn restart(&mut self) -> Result<(), TestCaseError> {
        let records = self.pool.health();
        self.pool = pool(self.credentials.clone());
        self.pool.restore(records.clone());
        self.open.clear();
        let probe = |record: &HealthRecord| matches!(record.health, Health::Probing { .. });
        if !records.iter().any(probe) {
            prop_assert_eq!(self.pool.health(), records);
        }
        Ok(())
    }

    /// No blocked credential is a candidate, except for one probe.
    fn never_blocked(
        &self,
        views: &[CredentialStatus],
        attempt: &Attempt,
    ) -> Result<(), TestCaseError> {
        let credential = self.pool.credential(attempt.slot()).expect("it is there");
        let view = views.iter().find(|view| view.id == credential.id);
        let view = view.expect("in the status");
        let model = view
            .models
            .iter()
            .find(|model| model.model == *attempt.model());
        let model = model.expect("in the status").health.availability;
        let expected = match view.account.availability.and(model) {
            Availability::Ready => false,
            Availability::Probe => true,
            blocked => return Err(TestCaseError::fail(format!("called while {blocked:?}"))),
        };
        prop_assert_eq!(attempt.is_probe(), expected);
        Ok(())
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
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
        for name in NAMES {
            for tried in [&[], &slots[..1], &slots[..slots.len() / 2], &slots[..]] {
                let tried_ids = &self.credentials[..tried.len()];
                let expected = self.scan(name, tried_ids);
                prop_assert_eq!(self.pool.ids(name, tried, self.now), expected);
            }
        }
        self.pool.audit(self.now);
        Ok(())
    }

    /// Computes the candidates from the rules, status and credentials, without an index.
    fn scan(&self, name: &str, tried: &[Credential]) -> Result<Vec<String>, Unavailable> {
        let status = self.pool.status(self.now);
        let mut available = Vec::new();
        let mut ends = Vec::new();
        let (mut serving, mut reasons) = (0, Reasons::default());
        for credential in &self.credentials {
            let named = |served: &&Served| served.names.iter().any(|other| &**other == name);
            let Some(served) = credential.serves.iter().find(named) else {
                continue;
            };
            serving += 1;
            let view = status.iter().find(|view| view.id == credential.id);
            let view = view.expect("in the status");
            let model = view.models.iter().find(|model| model.model == served.model);
            let model = &model.expect("in the status").health;
            let availability = view.account.availability.and(model.availability);
            if !credential.enabled {
                reasons.disabled += 1;
            } else if tried.iter().any(|tried| tried.id == credential.id) {
                reasons.tried += 1;
            } else if availability == Availability::Barred {
                reasons.barred += 1;
            } else if let Some(until) = availability.until() {
                reasons.probing += u32::from(matches!(availability, Availability::Probing { .. }));
                ends.push(until);
            } else if view
                .in_flight_max
                .is_some_and(|most| view.in_flight >= most)
                || (credential.provider.as_str() == "capped"
                    && self.in_flight(&credential.provider) >= PROVIDER_IN_FLIGHT_MAX)
            {
                reasons.busy += 1;
            } else {
                let priority = credential.priority + served.priority;
                available.push((-priority, credential.id.to_string()));
            }
        }
        available.sort();
        match available.first() {
            Some(&(tier, _)) => {
                let tier = available.iter().filter(|&&(other, _)| other == tier);
                Ok(tier.map(|(_, id)| id.clone()).collect())
            }
            None if serving == 0 => Err(Unavailable::UnknownModel),
            None => Err(Unavailable::NoneAvailable(Reasons {
                cooling: u32::try_from(ends.len()).expect("few"),
                retry_at: ends.iter().min().copied(),
                ..reasons
            })),
        }
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
        Ok(())
    }
}

fn event() -> impl Strategy<Value = Event> {
    let gap = prop::sample::select(vec![
        1_u64, 500, 1_000, 5_000, 60_000, 300_000, 1_800_000, 43_200_000,
    ]);
    prop_oneof![
        3 => gap.prop_map(Event::Advance),
        6 => (0..NAMES.len(), any::<prop::sample::Index>())
            .prop_map(|(name, choice)| Event::Begin { name, choice }),
        6 => (any::<prop::sample::Index>(), outcome())
            .prop_map(|(open, outcome)| Event::Settle { open, outcome }),
        1 => credentials().prop_map(Event::Replace),
        1 => credentials().prop_map(Event::Upsert),
        2 => credential_of_any_id().prop_map(|one| Event::Upsert(vec![one])),
        1 => id().prop_map(Event::Remove),
        1 => (id(), any::<bool>()).prop_map(|(id, enabled)| Event::SetEnabled(id, enabled)),
        1 => id().prop_map(Event::Bar),
        1 => id().prop_map(Event::Unbar),
        1 => id().prop_map(Event::Reset),
        1 => Just(Event::Restart),
    ]
}

fn id() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "d", "e"])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let scopes = [
        Scope::Request,
        Scope::Model,
        Scope::Credential,
        Scope::Provider,
        Scope::Transport,
    ];
    let failure = (
        prop::sample::select(scopes.to_vec()),
        prop::sample::select(vec![400_u16, 401, 404, 429, 500]),
        prop::option::of(0_u64..100),
    );
    let failure = failure.prop_map(|(scope, status, hint)| match failed(scope, status) {
        Outcome::Failed(failure) => Outcome::Failed(Failure {
            retry_after: hint.map(secs),
            ..failure
        }),
        other => other,
    });
    let others = vec![Outcome::Success, Outcome::Cancelled, Outcome::Inconclusive];
    prop_oneof![3 => failure, 2 => prop::sample::select(others)]
}

/// Up to five credentials in any order, some disabled, with three priorities and two models.
fn credentials() -> impl Strategy<Value = Vec<Credential>> {
    let all = ["e", "b", "d", "a", "c"].map(any_credential);
    (all, 1..=5_usize).prop_map(|(all, count)| all[..count].to_vec())
}

fn credential_of_any_id() -> impl Strategy<Value = Credential> {
    id().prop_flat_map(any_credential)
}

fn any_credential(id: &'static str) -> impl Strategy<Value = Credential> {
    let serves = prop::sample::subsequence(
        vec![
            served("m1", &["gpt", "fast"]),
            served("m2", &["fast", "slow"]),
        ],
        0..=2,
    );
    let cap = prop::option::of((1..=2_u32).prop_map(|most| NonZeroU32::new(most).expect("one")));
    let provider = prop::sample::select(vec!["acme", "capped"]);
    let rounds = prop::option::weighted(0.3, 1..=3_u32);
    let shares = (1..=3_u32, -1..=1_i32);
    (
        prop::bool::weighted(0.85),
        shares,
        serves,
        (cap, rounds),
        provider,
    )
        .prop_map(
            move |(enabled, (weight, priority), serves, (in_flight_max, rounds), provider)| {
                Credential {
                    enabled,
                    weight,
                    priority,
                    serves,
                    in_flight_max,
                    rounds,
                    provider: provider.into(),
                    ..credential(id)
                }
            },
        )
}

const NAMES: [&str; 4] = ["gpt", "fast", "slow", "nope"];

/// The limit of the provider `capped`; other providers have none.
const PROVIDER_IN_FLIGHT_MAX: u32 = 3;

const CASES: u32 = 512;
