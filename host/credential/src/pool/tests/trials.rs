//! Tests of trials: how often, by whom, and what they decide.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn an_outage_is_tried_once_a_second_and_by_other_requests() {
    let mut pool = failing(503);
    // Its own request never, and another one of a client that failed only after the interval.
    assert_eq!(retry_at(&mut pool, who(2, 2), 500), Some(1_100));
    assert_eq!(retry_at(&mut pool, who(1, 1), 500), Some(2_100));
    assert_eq!(trial_at(&mut pool, who(1, 1), 1_100), None);
    // Others, a second after the last trial.
    let trial = begin(&mut pool, who(3, 9), 1_100);
    assert!(trial.is_probe());
    assert_eq!(trial_at(&mut pool, who(4, 9), 1_600), None, "one at a time");
    settle(&mut pool, trial, 503, 1_700);
    assert_eq!(retry_at(&mut pool, who(4, 9), 1_700), Some(2_100));
    let trial = begin(&mut pool, who(4, 9), 2_100);
    pool.settle(trial, &Outcome::Success, None, at(2_200));
    assert_eq!(pool.ids("gpt", &[], at(2_200)), Ok(vec!["a".to_owned()]));
}

#[test]
fn an_undecided_trial_holds_up_the_next_for_five_seconds() {
    let mut pool = failing(503);
    // Four clients have failed at the end: with fewer, trials wait only for those of the site.
    for (client, now) in [(11, 2_100), (12, 6_100), (11, 14_100)] {
        run_for(&mut pool, who(client, now), 503, now);
    }
    let hung = begin(&mut pool, who(3, 1), 15_100);
    for now in [15_101, 16_000, 20_099] {
        assert_eq!(trial_at(&mut pool, who(4, 1), now), None, "{now}");
        assert_eq!(retry_at(&mut pool, who(4, 1), now), Some(20_100), "{now}");
    }
    let next = begin(&mut pool, who(4, 1), 20_100);
    settle(&mut pool, hung, 503, 20_101);
    settle(&mut pool, next, 503, 20_102);
}

#[test]
fn a_trial_that_lacks_capacity_is_due_later_and_not_now() {
    let limited = Credential {
        in_flight_max: NonZeroU32::new(1),
        ..credential("a")
    };
    let mut pool = pool(vec![limited]);
    let first = begin(&mut pool, who(1, 1), 0);
    settle(&mut pool, first, 403, 100);
    // While few clients fail, an undecided trial does not hold up the next one; the credential's limit does.
    let hung = begin(&mut pool, who(3, 1), 1_100);
    assert_eq!(trial_at(&mut pool, who(4, 1), 2_500), None);
    assert_eq!(retry_at(&mut pool, who(4, 1), 2_500), Some(3_500));
    settle(&mut pool, hung, 403, 2_600);
    assert!(trial_at(&mut pool, who(4, 1), 3_500).is_some());
}

#[test]
fn a_refused_credential_is_tried_each_half_minute() {
    // Four clients have failed: with fewer, trials wait only for those of the site. Of the many that wait, the
    // first one has five seconds to come back.
    let mut pool = failing(403);
    for (client, now) in [(51, 1_100), (52, 2_100)] {
        run_for(&mut pool, who(client, 1), 403, now);
    }
    let mut trials = vec![2_100];
    for now in (2_200..145_000).step_by(100) {
        let client = 60 + now / 100 % 50;
        if let Ok(attempt) = try_begin(&mut pool, who(client, now), now) {
            if attempt.is_probe() {
                trials.push(now);
            }
            settle(&mut pool, attempt, 403, now);
        }
    }
    let mut gaps = trials.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(gaps.all(|gap| gap >= 30_000), "{trials:?}");
    assert!(trials.len() >= 4, "{trials:?}");
}

#[test]
fn while_few_clients_fail_a_trial_waits_only_for_those_of_the_site() {
    // Trials of refused credentials are half a minute apart once four clients have failed.
    let mut pool = failing(403);
    for (client, now) in [(3, 1_100), (4, 2_100)] {
        assert_eq!(retry_at(&mut pool, who(client, 1), now - 1), Some(now));
        let trial = begin(&mut pool, who(client, 1), now);
        assert!(trial.is_probe());
        settle(&mut pool, trial, 403, now);
    }
    assert_eq!(trial_at(&mut pool, who(5, 1), 3_100), None);
    assert_eq!(retry_at(&mut pool, who(5, 1), 3_100), Some(32_100));
    // Nor do they wait for one that is undecided, but those of a client that failed do.
    let mut pool = failing(403);
    let hung = begin(&mut pool, who(3, 1), 1_100);
    assert_eq!(retry_at(&mut pool, who(4, 1), 1_200), Some(2_100));
    assert_eq!(trial_at(&mut pool, who(1, 2), 2_100), None);
    settle(&mut pool, hung, 403, 1_300);
}

#[test]
fn many_failures_in_flight_do_not_hide_who_opened_a_window() {
    for status in [401, 403, 503] {
        let mut pool = pool(vec![credential("a")]);
        let in_flight: Vec<Attempt> = (0..20)
            .map(|digest| begin(&mut pool, who(1, digest), 0))
            .collect();
        for (attempt, now) in in_flight.into_iter().zip(100..) {
            settle(&mut pool, attempt, status, now);
        }
        assert_eq!(trial_at(&mut pool, who(1, 99), 900), None, "{status}");
    }
}

#[test]
fn a_trial_that_fails_by_its_own_request_leaves_the_window() {
    let mut pool = failing(503);
    let window = |pool: &Pool| pool.status(at(1_200))[0].models[0].lanes[0].clone();
    let before = window(&pool);
    let trial = begin(&mut pool, who(3, 1), 1_100);
    pool.settle(trial, &failed(Scope::Request, 400), None, at(1_200));
    assert_eq!(window(&pool), before);
    let retry_at = retry_at(&mut pool, who(4, 1), 1_200);
    assert_eq!(retry_at, Some(2_100), "one a second");
}

#[test]
fn hints_are_obeyed_and_probed_each_hour() {
    let mut pool = pool(vec![credential("a")]);
    let attempt = begin(&mut pool, who(1, 1), 0);
    let Outcome::Failed(failure) = failed(Scope::Model, 429) else {
        unreachable!("it is a failure");
    };
    let hinted = Outcome::Failed(Failure {
        retry_after: Some(secs(3 * 3600)),
        ..failure
    });
    pool.settle(attempt, &hinted, None, at(0));
    let hour = 3_600_000;
    assert_eq!(trial_at(&mut pool, who(2, 1), 1_000), None);
    let minute = |minute: &u64| try_begin(&mut pool, who(2, 1), minute * 60_000).is_ok();
    let due = (1..).find(minute).expect("in the end") * 60_000;
    assert!((hour * 4 / 5..=hour * 6 / 5).contains(&due), "{due}");
}

#[test]
fn a_window_that_one_client_opened_does_not_limit_the_trials_of_others() {
    let mut pool = pool(vec![credential("a")]);
    run_for(&mut pool, who(1, 1), 401, 0);
    let trials: Vec<Attempt> = (0..20)
        .map(|number| begin(&mut pool, who(2 + number, 1), 10))
        .collect();
    for trial in trials {
        settle(&mut pool, trial, 401, 20);
    }
    // Now several have failed.
    assert_eq!(trial_at(&mut pool, who(99, 1), 30), None);
}

#[test]
fn two_clients_take_turns() {
    let mut pool = failing(503);
    let mut turns = Vec::new();
    for step in 0..600_u64 {
        let now = 200 + step * 50;
        for client in [5, 6] {
            let digest = step * 10 + client;
            if let Ok(trial) = try_begin(&mut pool, who(client, digest), now) {
                if trial.is_probe() {
                    turns.push(client);
                }
                settle(&mut pool, trial, 503, now);
            }
        }
    }
    assert!(turns.len() >= 15, "{turns:?}");
    let alternate = turns.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(alternate, "{turns:?}");
}

#[test]
fn failures_in_an_outage_are_no_evidence_for_a_refusal_after_it() {
    let mut pool = failing(503);
    for (client, now) in [(3, 1_100), (4, 2_100), (5, 3_100)] {
        run_for(&mut pool, who(client, 1), 503, now);
    }
    // The outage is over, and one client's request is refused.
    run_for(&mut pool, who(6, 1), 404, 4_100);
    let trial = begin(&mut pool, who(3, 2), 4_200);
    assert!(trial.is_probe(), "only one client was refused");
    pool.settle(trial, &Outcome::Success, None, at(4_300));
    assert_eq!(pool.ids("gpt", &[], at(4_300)), Ok(vec!["a".to_owned()]));
}

#[test]
fn a_trial_that_fails_otherwise_does_not_use_up_the_half_minute() {
    let mut pool = failing(401);
    for (client, now) in [(3, 1_100), (4, 2_100)] {
        run_for(&mut pool, who(client, 1), 401, now);
    }
    assert_eq!(retry_at(&mut pool, who(5, 1), 3_000), Some(32_100));
    let trial = begin(&mut pool, who(5, 1), 32_100);
    pool.settle(trial, &failed(Scope::Request, 400), None, at(32_200));
    assert_eq!(retry_at(&mut pool, who(1, 5), 32_200), Some(33_100));
}

#[test]
fn clients_that_wait_take_turns_and_those_that_were_served_come_first() {
    let mut pool = pool(vec![credential("a")]);
    let (regular, fails) = (50, [1, 2, 3, 4]);
    let served = begin(&mut pool, who(regular, 1), 0);
    pool.settle(served, &Outcome::Success, None, at(0));
    let failures = fails.map(|client| begin(&mut pool, who(client, 1), 100));
    for attempt in failures {
        settle(&mut pool, attempt, 503, 200);
    }
    let trial = begin(&mut pool, who(10, 1), 300);
    settle(&mut pool, trial, 503, 400);
    // In this order, but the requests of the third one have been served.
    for (client, now) in [(11, 500), (12, 600), (regular, 700)] {
        let retry_at = retry_at(&mut pool, who(client, 2), now);
        assert!([Some(1_300), Some(1_600)].contains(&retry_at), "{client}");
    }
    for client in [10, 12, 11] {
        assert_eq!(trial_at(&mut pool, who(client, 3), 1_300), None, "{client}");
        assert_eq!(retry_at(&mut pool, who(client, 3), 1_300), Some(1_600));
    }
    let trial = begin(&mut pool, who(regular, 3), 1_310);
    settle(&mut pool, trial, 503, 1_400);
    assert_eq!(
        trial_at(&mut pool, who(12, 3), 2_310),
        None,
        "the other was first"
    );
    let trial = begin(&mut pool, who(11, 3), 2_310);
    settle(&mut pool, trial, 503, 2_400);
    // The first one does not come, so another one gets its trial.
    assert_eq!(trial_at(&mut pool, who(10, 3), 3_320), None);
    let trial = begin(&mut pool, who(10, 3), 3_610);
    settle(&mut pool, trial, 503, 3_700);
}

#[test]
fn a_site_is_tried_once_a_second_over_all_models() {
    let serves = |number: usize| served(&format!("m{number}"), &[&*format!("n{number}")]);
    let mut pool = pool(vec![Credential {
        serves: (0..5).map(serves).collect(),
        ..credential("a")
    }]);
    for number in 0..5 {
        let name = format!("n{number}");
        for client in [1, 2] {
            if let Ok(attempt) = try_begin_of(&mut pool, &name, who(client, 1), client) {
                settle(&mut pool, attempt, 503, client);
            }
        }
    }
    let mut trials = 0;
    for step in 1..=100_u64 {
        for number in 0..5 {
            let name = format!("n{number}");
            let request = who(3 + number, step * 10 + number);
            if let Ok(attempt) = try_begin_of(&mut pool, &name, request, step * 100) {
                trials += u64::from(attempt.is_probe());
                settle(&mut pool, attempt, 503, step * 100);
            }
        }
    }
    assert!((5..=10).contains(&trials), "{trials} trials in 10 s");
}

proptest! {
    /// In any order of calls that all fail: within a window a trial is never one of the last eight requests that
    /// failed, and trials and attempts after the end of a window are a second apart once requests of two clients
    /// have failed.
    #[test]
    fn trials_are_bounded(
        status in prop::sample::select(vec![500_u16, 401, 403, 404]),
        calls in prop::collection::vec((0_u64..4, 0_u64..4, 0_u64..900), 1..300),
    ) {
        let mut pool = pool(vec![credential("a")]);
        let (mut recent, mut last_trial): (Vec<Requester>, Option<u64>) = (Vec::new(), None);
        let mut now = 0;
        for (client, digest, gap) in calls {
            now += gap;
            let request = who(client, digest);
            let is_within = trial_at(&mut pool, request, now).is_some();
            let Ok(attempt) = try_begin(&mut pool, request, now) else {
                continue;
            };
            prop_assert!(!is_within || attempt.is_probe());
            if attempt.is_probe() {
                prop_assert!(!is_within || !recent.contains(&request));
                let several = recent.iter().any(|other| other.client != recent[0].client);
                if several && let Some(last) = last_trial {
                    prop_assert!(now - last >= 1_000, "{last} and {now}");
                }
                last_trial = Some(now);
            }
            settle(&mut pool, attempt, status, now);
            recent.retain(|other| *other != request);
            recent.push(request);
            if recent.len() > 8 {
                recent.remove(0);
            }
        }
    }
}

proptest! {
    /// Refused windows are tried by each client twice a minute at most, and by three clients that have not failed
    /// yet, a second apart: then four have failed, and there is one trial each half minute for all together.
    #[test]
    fn refused_windows_are_tried_each_half_minute_by_each_client(
        status in prop::sample::select(vec![401_u16, 403]),
        clients in 1_u64..7,
        calls in prop::collection::vec((0_u64..7, 0_u64..2, 0_u64..900), 100..400),
    ) {
        let mut pool = pool(vec![credential("a")]);
        let (mut trials, mut failed): (Vec<(u64, u64)>, BTreeSet<u64>) = (Vec::new(), BTreeSet::new());
        let mut now = 0;
        for (client, digest, gap) in calls {
            now += gap;
            let client = client % clients;
            let is_within = trial_at(&mut pool, who(client, digest), now).is_some();
            let Ok(attempt) = try_begin(&mut pool, who(client, digest), now) else {
                continue;
            };
            settle(&mut pool, attempt, status, now);
            if is_within {
                let own = trials.iter().rev().find(|(_, of)| *of == client);
                let last = trials.last();
                prop_assert!(own.is_none_or(|(at, _)| now - at >= 30_000), "{client} at {now}: {trials:?}");
                if failed.len() >= 4 {
                    prop_assert!(last.is_none_or(|(at, _)| now - at >= 30_000), "at {now}: {trials:?}");
                }
                trials.push((now, client));
                let in_half_minute = trials.iter().filter(|(at, _)| now - at < 30_000).count();
                prop_assert!(in_half_minute <= 4, "{trials:?}");
            }
            failed.insert(client);
        }
    }

    /// That is why few failing clients do not make the trials of others half a minute apart: a client whose requests
    /// the provider serves would wait as long for those whose requests it refuses.
    #[test]
    fn a_client_is_served_in_seconds_while_those_of_up_to_three_others_are_refused(
        status in prop::sample::select(vec![401_u16, 403]),
        refused in 1_u64..4,
        starts in 0_u64..60_000,
        gap in 50_u64..2_000,
    ) {
        let mut pool = pool(vec![credential("a")]);
        let mut served_at = None;
        let end = starts + 5_000;
        for (digest, now) in (0..end).step_by(50).enumerate() {
            let digest = digest as u64;
            if now % gap < 50 {
                for client in 0..refused {
                    if let Ok(attempt) = try_begin(&mut pool, who(client, digest), now) {
                        settle(&mut pool, attempt, status, now);
                    }
                }
            }
            if now >= starts && let Ok(attempt) = try_begin(&mut pool, who(9, digest), now) {
                pool.settle(attempt, &Outcome::Success, None, at(now));
                served_at = Some(now);
                break;
            }
        }
        prop_assert!(served_at.is_some(), "it waits for more than 5 s after {starts}");
    }
}

/// A pool of one credential whose lane cools, after requests of two clients have failed: at 0 ms,
/// and after the first window.
pub(super) fn failing(status: u16) -> Pool {
    let mut pool = pool(vec![credential("a")]);
    run_for(&mut pool, who(1, 1), status, 0);
    let trial = begin(&mut pool, who(2, 1), 100);
    settle(&mut pool, trial, status, 100);
    pool
}

pub(super) fn run_for(pool: &mut Pool, requester: Requester, status: u16, now: u64) {
    let attempt = begin(pool, requester, now);
    settle(pool, attempt, status, now);
}

pub(super) fn settle(pool: &mut Pool, attempt: Attempt, status: u16, now: u64) {
    let scope = match status {
        401 => Scope::Credential,
        _ => Scope::Provider,
    };
    pool.settle(attempt, &failed(scope, status), None, at(now));
}

pub(super) fn begin(pool: &mut Pool, requester: Requester, now: u64) -> Attempt {
    try_begin(pool, requester, now).expect("it may begin")
}

pub(super) fn try_begin(
    pool: &mut Pool,
    requester: Requester,
    now: u64,
) -> Result<Attempt, Unavailable> {
    try_begin_of(pool, "gpt", requester, now)
}

fn try_begin_of(
    pool: &mut Pool,
    name: &str,
    requester: Requester,
    now: u64,
) -> Result<Attempt, Unavailable> {
    let query = CandidateQuery {
        requester,
        endpoint: CHAT,
        ..CandidateQuery::first_round(name)
    };
    let candidates = pool.candidates(&query, at(now))?;
    let slot = candidates.members.get(0).expect("at least one").slot();
    let attempt = pool.begin(slot, &query, candidates.trial, at(now));
    Ok(attempt.expect("a candidate may begin"))
}

/// Returns the time, if the request may have a trial then.
pub(super) fn trial_at(pool: &mut Pool, requester: Requester, now: u64) -> Option<u64> {
    let query = CandidateQuery {
        requester,
        endpoint: CHAT,
        ..CandidateQuery::first_round("gpt")
    };
    let candidates = pool.candidates(&query, at(now));
    candidates.ok().filter(|found| found.trial).map(|_| now)
}

pub(super) fn retry_at(pool: &mut Pool, requester: Requester, now: u64) -> Option<u64> {
    let query = CandidateQuery {
        requester,
        endpoint: CHAT,
        ..CandidateQuery::first_round("gpt")
    };
    let candidates = pool.candidates(&query, at(now));
    let retry_at = candidates.err().and_then(|error| error.retry_at());
    retry_at.map(Timestamp::as_millis)
}

pub(super) fn who(client: u64, digest: u64) -> Requester {
    Requester {
        client: client + 1,
        digest,
    }
}

pub(super) const CHAT: Endpoint = Endpoint::new("chat");
