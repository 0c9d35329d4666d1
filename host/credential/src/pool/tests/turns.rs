//! Tests of the turns of attempts after the end of a guess.

use proptest::prelude::*;

use super::trials::{CHAT, begin, failing, retry_at, run_for, settle, trial_at, try_begin, who};
use super::*;

/// When the window of `failing` ends, in milliseconds.
const END: u64 = 2_100;

#[test]
fn calls_that_come_together_at_the_end_of_a_window_take_turns() {
    let mut pool = failing(503);
    let first = begin(&mut pool, who(10, 1), END);
    assert!(first.is_probe());
    for client in 11..25 {
        assert_eq!(retry_at(&mut pool, who(client, 1), END), Some(END + 1_000));
    }
    settle(&mut pool, first, 503, END + 100);
    // The next window is open, and has its trials.
    let next = retry_at(&mut pool, who(11, 1), END + 100);
    assert_eq!(next, Some(END + 1_000));
    assert!(trial_at(&mut pool, who(11, 1), END + 1_000).is_some());
}

#[test]
fn the_first_content_after_a_window_lets_all_begin() {
    let mut pool = failing(503);
    let mut first = begin(&mut pool, who(10, 1), END);
    assert!(try_begin(&mut pool, who(11, 1), END + 10).is_err());
    let effects = pool.note_content(&mut first, at(END + 20));
    assert!(effects.cooldown_changed, "those that wait are woken");
    for client in 11..40 {
        let attempt = begin(&mut pool, who(client, 1), END + 20);
        assert!(!attempt.is_probe());
        pool.settle(attempt, &Outcome::Success, None, at(END + 30));
    }
    pool.settle(first, &Outcome::Success, None, at(END + 40));
    pool.audit(at(END + 40));
}

#[test]
fn slow_responses_do_not_hold_up_the_others_for_long() {
    let mut pool = failing(503);
    let mut open = Vec::new();
    let mut times = Vec::new();
    for now in (END..END + 6_000).step_by(10) {
        for client in 10..20 {
            if let Ok(attempt) = try_begin(&mut pool, who(client, now), now) {
                open.push(attempt);
                times.push(now - END);
            }
        }
    }
    assert_eq!(times[..3], [0, 1_000, 1_500]);
    assert!((40..=200).contains(&times.len()), "{times:?}");
    // A failure ends it: the window is open.
    settle(&mut pool, open.remove(0), 503, END + 6_000);
    assert_eq!(trial_at(&mut pool, who(1, 9), END + 6_000), None);
    for attempt in open {
        pool.settle(attempt, &Outcome::Cancelled, None, at(END + 6_001));
    }
    pool.audit(at(END + 6_001));
}

#[test]
fn clients_that_were_served_come_first_after_a_window() {
    let mut pool = pool(vec![credential("a")]);
    run_served(&mut pool, 50);
    let failures = [1, 2, 3, 4].map(|client| begin(&mut pool, who(client, 1), 100));
    for attempt in failures {
        settle(&mut pool, attempt, 503, 200);
    }
    // The window ends at 1.2 s, while the trial is undecided. Both clients wait, the other one for longer.
    let trial = begin(&mut pool, who(10, 1), 1_000);
    for (client, now) in [(11, 1_050), (50, 1_060)] {
        assert!(try_begin(&mut pool, who(client, 2), now).is_err());
    }
    assert_eq!(retry_at(&mut pool, who(11, 2), 2_000), Some(2_300));
    let turn = begin(&mut pool, who(50, 2), 2_050);
    assert!(turn.is_probe());
    settle(&mut pool, turn, 503, 2_100);
    settle(&mut pool, trial, 503, 2_200);
}

#[test]
fn failures_of_one_other_client_require_no_turn() {
    let mut pool = pool(vec![credential("a")]);
    run_for(&mut pool, who(1, 1), 503, 0);
    for client in 2..30 {
        let attempt = begin(&mut pool, who(client, 1), 1_000);
        assert!(!attempt.is_probe());
        pool.settle(attempt, &Outcome::Cancelled, None, at(1_001));
    }
    pool.audit(at(1_001));
}

#[test]
fn a_client_alone_has_its_turn_with_the_request_that_failed() {
    let mut pool = pool(vec![credential("a")]);
    run_for(&mut pool, who(1, 1), 503, 0);
    let attempt = begin(&mut pool, who(1, 1), 1_000);
    assert!(attempt.is_probe());
    assert_eq!(retry_at(&mut pool, who(1, 2), 1_000), Some(2_000));
    pool.settle(attempt, &Outcome::Success, None, at(1_100));
    assert!(!begin_and_leave(&mut pool, who(1, 2), 1_100));
}

#[test]
fn an_attempt_that_decides_nothing_holds_up_none() {
    let mut pool = failing(503);
    let first = begin(&mut pool, who(10, 1), END);
    pool.settle(first, &Outcome::Inconclusive, None, at(END + 10));
    let second = begin(&mut pool, who(11, 1), END + 10);
    // Clients that leave at once cause no more requests.
    pool.settle(second, &Outcome::Cancelled, None, at(END + 20));
    let next = retry_at(&mut pool, who(12, 1), END + 20);
    assert_eq!(next, Some(END + 1_010));
}

#[test]
fn calls_need_no_turn_when_the_window_ended_long_ago() {
    let mut pool = failing(503);
    for client in 10..30 {
        assert!(!begin_and_leave(&mut pool, who(client, 1), END + 60_000));
    }
    pool.audit(at(END + 60_000));
}

#[test]
fn another_credential_is_used_meanwhile() {
    let mut pool = pool(vec![credential("a"), credential("b")]);
    for client in [1, 2] {
        let query = CandidateQuery {
            requester: who(client, 1),
            endpoint: CHAT,
            ..CandidateQuery::first_round("gpt")
        };
        let slot = pool.slot("a").expect("in the pool");
        if let Ok(attempt) = pool.begin(slot, &query, true, at(client)) {
            settle(&mut pool, attempt, 401, client);
        }
    }
    let ends = 11_000;
    let first = begin(&mut pool, who(3, 1), ends);
    assert!(first.is_probe());
    assert_eq!(pool.credential(first.slot()).unwrap().id.as_str(), "a");
    let second = begin(&mut pool, who(4, 1), ends);
    assert_eq!(pool.credential(second.slot()).unwrap().id.as_str(), "b");
    settle(&mut pool, first, 401, ends);
    pool.settle(second, &Outcome::Success, None, at(ends));
    pool.audit(at(ends));
}

fn run_served(pool: &mut Pool, client: u64) {
    let attempt = begin(pool, who(client, 0), 0);
    pool.settle(attempt, &Outcome::Success, None, at(0));
}

/// Begins an attempt that is cancelled at once. Returns whether it had a turn.
fn begin_and_leave(pool: &mut Pool, requester: Requester, now: u64) -> bool {
    let attempt = begin(pool, requester, now);
    let is_turn = attempt.is_probe();
    pool.settle(attempt, &Outcome::Cancelled, None, at(now));
    is_turn
}

#[test]
fn credentials_whose_windows_end_together_take_turns_as_one() {
    let mut pool = pool(
        (0..40)
            .map(|number| credential(&format!("c{number:02}")))
            .collect(),
    );
    fail_all(&mut pool, 40, 503);
    let ends = 1_000;
    assert!(trial_at(&mut pool, who(9, 1), 500).is_some(), "all cool");
    let first = begin(&mut pool, who(3, 1), ends);
    assert!(first.is_probe());
    for client in 4..20 {
        let query = of(who(client, 1));
        let Err(Unavailable::NoneAvailable(reasons)) = pool.candidates(&query, at(ends + 10))
        else {
            panic!("it is the turn of another");
        };
        assert!(
            pool.audit_gated(&query, at(ends + 10)),
            "they are one group"
        );
        assert_eq!((reasons.cooling, reasons.turns), (40, 40));
        assert_eq!(reasons.classes.of(CoolingClass::Overload), 40);
        assert_eq!(reasons.retry_at, Some(at(ends + 1_000)));
    }
    pool.settle(first, &Outcome::Success, None, at(ends + 20));
    pool.audit(at(ends + 20));
}

proptest! {
    /// For any failures of any clients at credentials of two sites: what the groups say is what each credential
    /// says.
    #[test]
    fn groups_have_the_turns_of_their_credentials(
        events in prop::collection::vec(
            (0_usize..12, 0_u64..4, 0_u64..3, prop::sample::select(vec![200_u16, 401, 403, 429, 503]), 0_u64..1_500),
            1..60,
        ),
    ) {
        let of_site = |number: usize| Credential {
            base_url: format!("http://127.0.0.1:{}", 1 + number % 2).into(),
            ..credential(&format!("c{number:02}"))
        };
        let mut pool = pool((0..12).map(of_site).collect());
        let mut now = 0;
        for (number, client, digest, status, gap) in events {
            now += gap;
            let query = of(who(client, digest));
            let slot = pool.slot(&format!("c{number:02}")).expect("in the pool");
            if let Ok(attempt) = pool.begin(slot, &query, true, at(now)) {
                let outcome = match status {
                    200 => Outcome::Success,
                    401 => failed(Scope::Credential, status),
                    429 => failed(Scope::Model, status),
                    status => failed(Scope::Provider, status),
                };
                pool.settle(attempt, &outcome, None, at(now));
            }
            for client in 0..5 {
                let query = of(who(client, 9));
                // It updates the index, and has the clients wait.
                let _ = pool.candidates(&query, at(now));
                pool.audit_gated(&query, at(now));
            }
            pool.audit(at(now));
        }
    }
}

fn of(requester: Requester) -> CandidateQuery<'static> {
    CandidateQuery {
        requester,
        endpoint: CHAT,
        ..CandidateQuery::first_round("gpt")
    }
}

/// The requests of two clients fail at all credentials, at 0 ms.
fn fail_all(pool: &mut Pool, number: usize, status: u16) {
    let slots = (0..number).map(|number| pool.slot(&format!("c{number:02}")).expect("in the pool"));
    let slots: Vec<Slot> = slots.collect();
    let mut open = Vec::new();
    for slot in slots {
        for client in [1, 2] {
            let attempt = pool.begin(slot, &of(who(client, 1)), false, at(0));
            open.push(attempt.expect("it is ready"));
        }
    }
    for attempt in open {
        settle(pool, attempt, status, 0);
    }
}
