//! A small world: a pool, providers and a loop that tries credentials as the dispatcher does, in one
//! round. It checks the main property: no request of one client makes another's fail.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// Every plain chat is served, whatever one other client sends, at which rates, and whatever
    /// the providers answer to it, at once or later.
    #[test]
    fn no_request_makes_another_clients_fail(
        shape in prop::sample::select(vec![(1, 1), (2, 1), (5, 1), (2, 2), (5, 2)]),
        poisons in prop::collection::vec(poison(), 1..4),
        gaps in (0_u64..3_000, 0_u64..15_000),
        took in prop::sample::select(vec![0_u64, 20, 700, 4_000]),
        fails_after in prop::sample::select(vec![0_u64, 0, 30, 900, 7_000]),
        starts in 0_u64..10_000,
        repeats in any::<bool>(),
    ) {
        let mut world = World::new(shape.0, shape.1);
        let (mut next_poison, mut next_chat, mut digest) = (0, starts, 0);
        let mut poisons = poisons.iter().cycle();
        let mut chats = 0;
        while world.now < END {
            let next = next_poison.min(next_chat);
            if let Some(due) = world.next_due().filter(|&due| due <= next) {
                world.now = due;
                world.end_due();
            } else if next_poison <= next_chat {
                world.now = next_poison;
                digest += u64::from(!repeats);
                let poison = poisons.next().expect("it goes on for ever");
                let call = Call::new(requester(1, digest), poison.endpoint);
                let service = Service::Fails(poison.clone(), fails_after);
                // Whatever comes of it.
                let _ = world.run(call, &service);
                next_poison = world.now + gaps.0.max(50);
            } else {
                world.now = next_chat;
                chats += 1;
                let call = Call::new(requester(2, 1_000_000 + chats), CHAT);
                let served = world.run(call, &Service::Serves(took));
                prop_assert!(served.is_ok(), "chat {} at {}: {:?}", chats, world.now, served);
                next_chat = world.now + gaps.1.max(100);
            }
        }
        prop_assert!(chats > 3);
    }
}

#[test]
fn two_revoked_keys_and_a_good_third() {
    let mut world = World::new(3, 1);
    let (revoked, well) = (Service::Keys(vec!["p0-0", "p0-1"], 401), 10);
    for call in 0..well {
        world.now = call * 100;
        let served = world.call(requester(2, call), CHAT, &revoked);
        assert_eq!(served, Ok("p0-2".to_owned()), "call {call}");
    }
    assert_eq!(world.requests, [1, 1, 10], "the two cool");
}

#[test]
fn one_key_that_is_refused_among_three_well_ones() {
    let mut world = World::new(4, 1);
    for call in 0..20 {
        world.now = call * 100;
        let served = world.call(requester(2, call), CHAT, &Service::Keys(vec!["p0-0"], 403));
        assert_eq!(served, Ok("p0-1".to_owned()), "call {call}");
    }
    assert_eq!(world.requests, [1, 20, 0, 0]);
}

#[test]
fn two_refused_keys_do_not_keep_the_call_from_the_third() {
    let mut world = World::new(3, 1);
    for call in 0..20 {
        world.now = call * 100;
        let refused = Service::Keys(vec!["p0-0", "p0-1"], 403);
        let served = world.call(requester(2, call), CHAT, &refused);
        assert_eq!(served, Ok("p0-2".to_owned()), "call {call}");
    }
}

#[test]
fn a_provider_that_is_out_is_tried_at_most_once_a_second() {
    let mut world = World::new(2, 2);
    let out = Service::Provider("p0", 503);
    for call in 0..300 {
        world.now = call * 100;
        let served = world.call(requester(call % 5, call), CHAT, &out);
        assert!(served.is_ok(), "call {call}: {served:?}");
    }
    assert!(world.requests[0] <= 31, "{:?}", world.requests);
}

#[test]
fn a_provider_without_embeddings_goes_on_with_chats() {
    let mut world = World::new(2, 1);
    let missing = Poison {
        endpoint: EMBEDDINGS,
        failure: Failed::Unattributed(404),
    };
    for second in 0..780 {
        world.now = second * 1000;
        if second % 2 == 0 {
            let poison = Service::Fails(missing.clone(), 0);
            let failed = world.call(requester(1, 7), EMBEDDINGS, &poison);
            assert!(failed.is_err());
        }
        if second % 10 == 1 {
            let served = world.call(requester(2, second), CHAT, &Service::Serves(0));
            assert!(served.is_ok(), "at {second} s: {served:?}");
        }
    }
}

/// A provider is out for a while, and one client polls it. Returns how long after the end it is
/// served again.
fn back_after(outage: u64, status: u16, same: bool) -> u64 {
    let mut world = World::new(1, 1);
    let served = world.call(requester(2, 0), CHAT, &Service::Serves(0));
    assert!(served.is_ok());
    for call in 1.. {
        world.now = 120_000 + call * 100;
        let out = world.now < 120_100 + outage;
        let service = match out {
            true => Service::Provider("p0", status),
            false => Service::Serves(0),
        };
        let digest = if same { 1 } else { call };
        let served = world.call(requester(2, digest), CHAT, &service);
        if served.is_ok() {
            return world.now - (120_100 + outage);
        }
    }
    unreachable!("it is served in the end")
}

#[test]
fn service_is_back_soon_after_an_outage() {
    for same in [false, true] {
        for (status, blip, limit) in [
            (500, 100, 1_000),
            (503, 100, 1_000),
            (529, 1_000, 2_000),
            (502, 2_000, 2_000),
            (401, 100, 5_000),
            (403, 100, 5_000),
            (404, 100, 5_000),
        ] {
            let back = back_after(blip, status, same);
            assert!(back <= limit, "{status} for {blip} ms: {back} ms");
        }
    }
    // Other requests find the end of a long outage by trials.
    for status in [500, 503] {
        for outage in [10_000, 30_000, 600_000] {
            let back = back_after(outage, status, false);
            assert!(back <= 1_100, "{status} for {outage} ms: {back} ms");
        }
    }
    for status in [401, 403, 404] {
        let back = back_after(600_000, status, false);
        assert!(back <= 30_100, "{status}: {back} ms");
    }
}

#[derive(Clone, Debug)]
struct Poison {
    endpoint: Endpoint,
    failure: Failed,
}

/// How a provider fails a poisonous request.
#[derive(Clone, Debug)]
enum Failed {
    /// A bare status, as the classifier judges it.
    Unattributed(u16),
    /// In words that speak of the model.
    Worded(u16, &'static str),
    /// In words that speak of the request.
    OfRequest(u16),
    /// The connection was reset, or timed out.
    Reset,
    /// Another status at each credential.
    Mixed,
}

/// Every status from 400 to 599, with and without words, for two endpoints. What a provider enforces
/// for the account, rate limits and quotas, is left out; words that a chat is not served count for
/// its own endpoint alone, so they come with embeddings.
fn poison() -> impl Strategy<Value = Poison> {
    let endpoint = prop::sample::select(vec![CHAT, EMBEDDINGS]);
    let status = (400_u16..600).prop_filter("a limit", |status| *status != 429);
    let kinds = prop::sample::select(vec![kind::NOT_FOUND, kind::UNSUPPORTED, kind::PERMISSION]);
    let failure = prop_oneof![
        6 => status.clone().prop_map(Failed::Unattributed),
        2 => status.clone().prop_map(Failed::OfRequest),
        2 => (status, kinds).prop_map(|(status, kind)| Failed::Worded(status, kind)),
        1 => Just(Failed::Reset),
        1 => Just(Failed::Mixed),
    ];
    (endpoint, failure).prop_map(|(endpoint, failure)| Poison { endpoint, failure })
}

/// What the providers do with a call.
enum Service {
    /// They serve it, with the first content after so many milliseconds.
    Serves(u64),
    /// They fail it after so many milliseconds.
    Fails(Poison, u64),
    /// These credentials get this status, the others are served.
    Keys(Vec<&'static str>, u16),
    /// This provider answers with this status, others serve.
    Provider(&'static str, u16),
}

struct World {
    pool: Pool,
    ids: Vec<String>,
    /// How often each credential was asked.
    requests: Vec<u64>,
    /// Attempts whose first content or failure comes later.
    open: Vec<(u64, Attempt, Later)>,
    now: u64,
}

/// What comes of an attempt later.
enum Later {
    Content,
    Failure(Failure, Box<Call>, Poison),
}

/// A call, and how far it is.
struct Call {
    requester: Requester,
    endpoint: Endpoint,
    tried: Vec<Slot>,
    failed: Vec<PriorFailure>,
    last: Option<String>,
}

impl Call {
    fn new(requester: Requester, endpoint: Endpoint) -> Self {
        Self {
            requester,
            endpoint,
            tried: Vec::new(),
            failed: Vec::new(),
            last: None,
        }
    }

    fn query(&self) -> CandidateQuery<'_> {
        CandidateQuery {
            tried: &self.tried,
            endpoint: self.endpoint,
            requester: self.requester,
            failed: &self.failed,
            ..CandidateQuery::first_round("gpt")
        }
    }
}

impl World {
    /// A world of so many credentials, divided among so many providers.
    fn new(credentials: usize, providers: usize) -> Self {
        let each = credentials.div_ceil(providers);
        let id = |number: usize| format!("p{}-{}", number / each, number % each);
        let ids: Vec<String> = (0..credentials).map(id).collect();
        let one = |(number, id): (usize, &String)| {
            let provider = format!("p{}", number / each);
            Credential {
                base_url: format!("http://127.0.0.1:{}/v1", 1 + number / each).into(),
                provider: provider.into(),
                ..credential(id)
            }
        };
        Self {
            pool: pool(ids.iter().enumerate().map(one).collect()),
            requests: vec![0; ids.len()],
            ids,
            open: Vec::new(),
            now: 0,
        }
    }

    fn next_due(&self) -> Option<u64> {
        self.open.iter().map(|(due, ..)| *due).min()
    }

    /// Ends the attempts that are due; calls that failed go on.
    fn end_due(&mut self) {
        let now = at(self.now);
        let (due, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|(due, ..)| *due <= self.now);
        self.open = open;
        for (_, mut attempt, later) in due {
            match later {
                Later::Content => {
                    self.pool.note_content(&mut attempt, now);
                    self.pool.settle(attempt, &Outcome::Success, None, now);
                }
                Later::Failure(failure, mut call, poison) => {
                    if self.fail(attempt, failure, &mut call) {
                        let _ = self.run(*call, &Service::Fails(poison, 50));
                    }
                }
            }
        }
    }

    fn call(
        &mut self,
        requester: Requester,
        endpoint: Endpoint,
        service: &Service,
    ) -> Result<String, String> {
        self.run(Call::new(requester, endpoint), service)
    }

    /// Tries one credential after another, the first candidate first. Returns the id of the one
    /// that serves or is still at it, or the last failure.
    fn run(&mut self, mut call: Call, service: &Service) -> Result<String, String> {
        loop {
            let query = call.query();
            let candidates = match self.pool.candidates(&query, at(self.now)) {
                Ok(candidates) => candidates,
                Err(unavailable) => return Err(call.last.unwrap_or(unavailable.to_string())),
            };
            let slot = candidates.members.get(0).expect("at least one").slot();
            let attempt = self
                .pool
                .begin(slot, &query, candidates.trial, at(self.now));
            let mut attempt = attempt.expect("a candidate may begin");
            let id = self.pool.credential(slot).expect("in the pool").id.clone();
            let number = self.ids.iter().position(|known| *known == id.as_str());
            let number = number.expect("it is known");
            self.requests[number] += 1;
            match (failure_of(service, id.as_str(), number), service) {
                (None, Service::Serves(took @ 1..)) => {
                    self.open.push((self.now + took, attempt, Later::Content));
                    return Ok(id.to_string());
                }
                (None, _) => {
                    self.pool.note_content(&mut attempt, at(self.now));
                    self.pool
                        .settle(attempt, &Outcome::Success, None, at(self.now));
                    return Ok(id.to_string());
                }
                (Some(failure), Service::Fails(poison, took @ 1..)) => {
                    let later = Later::Failure(failure, Box::new(call), poison.clone());
                    self.open.push((self.now + took, attempt, later));
                    return Ok(id.to_string());
                }
                (Some(failure), _) => {
                    if !self.fail(attempt, failure, &mut call) {
                        return Err("the request's".to_owned());
                    }
                }
            }
        }
    }

    /// Records a failure. Returns false if the call ends with it.
    fn fail(&mut self, attempt: Attempt, failure: Failure, call: &mut Call) -> bool {
        let (slot, status) = (attempt.slot(), failure.status);
        call.tried.push(slot);
        if matches!(failure.scope, Scope::Provider | Scope::Transport) {
            call.failed.push(PriorFailure { slot, status });
        }
        let goes_on = failure.scope != Scope::Request;
        call.last = Some(format!("{status:?}"));
        self.pool
            .settle(attempt, &Outcome::Failed(failure), None, at(self.now));
        goes_on
    }
}

fn failure_of(service: &Service, id: &str, number: usize) -> Option<Failure> {
    match service {
        Service::Serves(_) => None,
        Service::Fails(poison, _) => Some(match poison.failure {
            Failed::Unattributed(status) => bare(status),
            Failed::Worded(status, kind) => Failure {
                scope: Scope::Model,
                kind: kind.into(),
                ..bare(status)
            },
            Failed::OfRequest(status) => Failure {
                scope: Scope::Request,
                ..bare(status)
            },
            Failed::Reset => Failure {
                scope: Scope::Transport,
                kind: kind::TRANSIENT.into(),
                status: None,
                ..bare(500)
            },
            Failed::Mixed => bare([500, 502, 403, 404, 503][number % 5]),
        }),
        Service::Keys(keys, status) => keys.contains(&id).then(|| bare(*status)),
        Service::Provider(provider, status) => id.starts_with(provider).then(|| bare(*status)),
    }
}

/// A status without words, as the classifier judges it.
fn bare(status: u16) -> Failure {
    let scope = match status {
        401 | 402 => Scope::Credential,
        400 | 413 | 415 | 422 | 451 => Scope::Request,
        _ => Scope::Provider,
    };
    Failure {
        scope,
        kind: "".into(),
        status: Some(status),
        message: String::new(),
        retry_after: None,
        refresh_suggested: false,
        sent: true,
    }
}

fn requester(client: u64, digest: u64) -> Requester {
    Requester {
        client: client + 1,
        digest,
    }
}

const CHAT: Endpoint = Endpoint::new("chat");
const EMBEDDINGS: Endpoint = Endpoint::new("embeddings");

/// Each world lasts two minutes, in milliseconds.
const END: u64 = 120_000;

const CASES: u32 = 512;
