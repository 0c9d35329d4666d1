//! Any sequence of events, held against a pool that has no index at all.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// After each event, for each name: who is offered is exactly who a scan over all health
    /// offers, the index equals its recomputation, and whoever is offered can begin.
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

    /// As long as one credential's outcomes are never its fault, every call finds a candidate.
    #[test]
    fn one_healthy_credential_is_enough(
        credentials in credentials(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let healthy = Credential { priority: -5, ..credential("healthy") };
        let mut run = Run::new([credentials, vec![healthy]].concat());
        for event in events {
            if matches!(event, Event::Replace(_)) {
                continue;
            }
            run.step(event)?;
            prop_assert!(run.pool.candidates("gpt", &[], run.now).is_ok());
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
                let Ok(candidates) = self.pool.candidates(NAMES[name], &[], self.now) else {
                    return Ok(());
                };
                let slot = choice.get(&candidates.members).slot();
                let attempt = self.pool.begin(slot, NAMES[name], self.now);
                prop_assert!(attempt.is_ok(), "offered, and yet {attempt:?}");
                self.open.extend(attempt);
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
        }
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

    /// What the rules say, from the status and the credentials, the slow way.
    fn scan(&self, name: &str, tried: &[Credential]) -> Result<Vec<String>, Unfit> {
        let status = self.pool.status(self.now);
        let (mut fit, mut ends) = (Vec::new(), Vec::new());
        let (mut serving, mut disabled, mut tried_count) = (0, 0, 0);
        for credential in &self.credentials {
            let named = |served: &&Served| served.names.iter().any(|other| &**other == name);
            let Some(served) = credential.serves.iter().find(named) else {
                continue;
            };
            serving += 1;
            let view = status
                .iter()
                .find(|view| view.id == credential.id)
                .expect("in the status");
            let model = view.models.iter().find(|model| model.model == served.model);
            let windows = [&view.account, &model.expect("in the status").standing];
            let until = windows
                .iter()
                .filter_map(|standing| match standing.availability {
                    Availability::Ready => None,
                    Availability::Cooling { until } => Some(until),
                });
            if !credential.enabled {
                disabled += 1;
            } else if tried.contains(credential) {
                tried_count += 1;
            } else if let Some(until) = until.max() {
                ends.push(until);
            } else {
                fit.push((-credential.priority, credential.id.to_string()));
            }
        }
        fit.sort();
        match fit.first() {
            Some(&(tier, _)) => {
                let tier = fit.iter().filter(|&&(other, _)| other == tier);
                Ok(tier.map(|(_, id)| id.clone()).collect())
            }
            None if serving == 0 => Err(Unfit::UnknownModel),
            None => Err(Unfit::NoneFit {
                disabled,
                tried: tried_count,
                cooling: u32::try_from(ends.len()).expect("few"),
                retry_at: ends.iter().min().copied(),
            }),
        }
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
        1_u64, 500, 1_000, 5_000, 60_000, 1_800_000, 43_200_000,
    ]);
    prop_oneof![
        3 => gap.prop_map(Event::Advance),
        6 => (0..NAMES.len(), any::<prop::sample::Index>())
            .prop_map(|(name, choice)| Event::Begin { name, choice }),
        6 => (any::<prop::sample::Index>(), outcome())
            .prop_map(|(open, outcome)| Event::Settle { open, outcome }),
        1 => credentials().prop_map(Event::Replace),
    ]
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
    let others = vec![Outcome::Success, Outcome::Cancelled, Outcome::Unjudged];
    prop_oneof![3 => failure, 2 => prop::sample::select(others)]
}

/// Up to five credentials, in any order, some disabled, over three priorities and two models.
fn credentials() -> impl Strategy<Value = Vec<Credential>> {
    let one = |id: &'static str| {
        let serves = prop::sample::subsequence(
            vec![
                served("m1", &["gpt", "fast"]),
                served("m2", &["fast", "slow"]),
            ],
            0..=2,
        );
        (prop::bool::weighted(0.85), -1..=1_i32, serves).prop_map(
            move |(enabled, priority, serves)| Credential {
                enabled,
                priority,
                serves,
                ..credential(id)
            },
        )
    };
    let all = ["e", "b", "d", "a", "c"].map(one);
    (all, 1..=5_usize).prop_map(|(all, count)| all[..count].to_vec())
}

const NAMES: [&str; 4] = ["gpt", "fast", "slow", "nope"];

const CASES: u32 = 512;
