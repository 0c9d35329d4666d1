//! Any events, of any credentials.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
pub(super) enum Event {
    Advance(u64),
    Begin {
        name: usize,
        choice: prop::sample::Index,
        endpoint: Endpoint,
        requester: Requester,
        /// True if the call goes on after the last failure.
        goes_on: bool,
    },
    Content(prop::sample::Index),
    Slow(prop::sample::Index),
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
    Renew(&'static str, Renewal),
    Restart,
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let gap = prop::sample::select(vec![
        1_u64, 500, 1_000, 5_000, 60_000, 300_000, 1_800_000, 43_200_000,
    ]);
    let renewal = prop::sample::select(vec![
        Renewal::SameAccount,
        Renewal::NewAccount,
        Renewal::Enabled,
    ]);
    let open = any::<prop::sample::Index>;
    prop_oneof![
        3 => gap.prop_map(Event::Advance),
        6 => begin(),
        2 => open().prop_map(Event::Content),
        1 => open().prop_map(Event::Slow),
        6 => (open(), outcome())
            .prop_map(|(open, outcome)| Event::Settle { open, outcome }),
        1 => credentials().prop_map(Event::Replace),
        1 => credentials().prop_map(Event::Upsert),
        2 => credential_of_any_id().prop_map(|one| Event::Upsert(vec![one])),
        1 => id().prop_map(Event::Remove),
        1 => (id(), any::<bool>()).prop_map(|(id, enabled)| Event::SetEnabled(id, enabled)),
        1 => id().prop_map(Event::Bar),
        1 => id().prop_map(Event::Unbar),
        1 => id().prop_map(Event::Reset),
        1 => (id(), renewal).prop_map(|(id, renewal)| Event::Renew(id, renewal)),
        1 => Just(Event::Restart),
    ]
}

fn begin() -> impl Strategy<Value = Event> {
    let requester = (0..3_u64, 0..2_u64);
    let call = (0..NAMES.len(), prop::sample::select(ENDPOINTS.to_vec()));
    (call, any::<prop::sample::Index>(), requester, any::<bool>()).prop_map(
        |((name, endpoint), choice, (client, digest), goes_on)| Event::Begin {
            name,
            choice,
            endpoint,
            requester: Requester { client, digest },
            goes_on,
        },
    )
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
        any::<bool>(),
    );
    let failure = failure.prop_map(|(scope, status, hint, sent)| match failed(scope, status) {
        Outcome::Failed(failure) => Outcome::Failed(Failure {
            retry_after: hint.map(secs),
            sent: sent || scope != Scope::Transport,
            ..failure
        }),
        other => other,
    });
    let others = vec![Outcome::Success, Outcome::Cancelled, Outcome::Inconclusive];
    prop_oneof![3 => failure, 2 => prop::sample::select(others)]
}

/// Up to five credentials in any order, some disabled, with three priorities and two models.
pub(super) fn credentials() -> impl Strategy<Value = Vec<Credential>> {
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
    let way = (
        prop::sample::select(vec!["http://127.0.0.1:1", "http://127.0.0.1:2/v1"]),
        prop::option::weighted(0.3, 1..=2_u64),
    );
    let rounds = prop::option::weighted(0.3, 1..=3_u32);
    let shares = (1..=3_u32, -1..=1_i32);
    (
        prop::bool::weighted(0.85),
        shares,
        serves,
        (cap, rounds),
        (provider, way),
    )
        .prop_map(
            move |(
                enabled,
                (weight, priority),
                serves,
                (in_flight_max, rounds),
                (provider, way),
            )| {
                Credential {
                    enabled,
                    weight,
                    priority,
                    serves,
                    in_flight_max,
                    rounds,
                    provider: provider.into(),
                    base_url: way.0.into(),
                    proxy_digest: way.1,
                    ..credential(id)
                }
            },
        )
}

pub(super) const NAMES: [&str; 4] = ["gpt", "fast", "slow", "nope"];

pub(super) const ENDPOINTS: [Endpoint; 2] = [Endpoint::new("chat"), Endpoint::new("embeddings")];

/// The limit of the provider `capped`; other providers have none.
pub(super) const PROVIDER_IN_FLIGHT_MAX: u32 = 3;

pub(super) const CASES: u32 = 512;
