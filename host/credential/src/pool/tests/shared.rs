//! Tests of what credentials share, sites and ways, and of what is only second choice.

use super::*;

#[test]
fn a_failure_of_all_credentials_is_booked_once_on_the_site() {
    let mut pool = pool(vec![credential("a"), credential("b"), credential("c")]);
    let effects = fail_all(&mut pool, who(1), &[("a", 500), ("b", 500)], 0);
    let places: Vec<HealthPlace> = effects.iter().map(|change| change.place).collect();
    let (lane, site) = (HealthPlace::Lane(CHAT), HealthPlace::SiteLane(CHAT));
    // Opened at `a`, dropped there, and booked on the site.
    assert_eq!(places, [lane, lane, site]);
    assert_eq!(ids(&mut pool, who(1), 1), None, "`c` is of the site");
    let embeddings = CandidateQuery {
        endpoint: Endpoint::new("embeddings"),
        ..CandidateQuery::first_round("gpt")
    };
    let others = pool.candidates(&embeddings, at(1)).expect("not this one");
    assert_eq!(others.members.len(), 3);
    assert_eq!(ids(&mut pool, who(1), 1_000), Some(vec!["a", "b", "c"]));
}

#[test]
fn different_statuses_are_booked_on_each_credential() {
    let mut pool = pool(vec![credential("a"), credential("b"), credential("c")]);
    fail_all(&mut pool, who(1), &[("a", 500), ("b", 404)], 0);
    assert_eq!(ids(&mut pool, who(2), 1), Some(vec!["c"]));
    assert_eq!(ids(&mut pool, who(2), 1_000), Some(vec!["a", "c"]));
    assert_eq!(ids(&mut pool, who(2), 5_000), Some(vec!["a", "b", "c"]));
}

#[test]
fn other_sites_are_not_affected() {
    let elsewhere = Credential {
        base_url: "http://127.0.0.1:2".into(),
        ..credential("c")
    };
    let mut pool = pool(vec![credential("a"), credential("b"), elsewhere]);
    fail_all(&mut pool, who(1), &[("a", 500), ("b", 500)], 0);
    assert_eq!(ids(&mut pool, who(2), 1), Some(vec!["c"]));
}

#[test]
fn after_a_sites_window_one_attempt_finds_out_and_others_prefer_other_sites() {
    let elsewhere = Credential {
        base_url: "http://127.0.0.1:2".into(),
        ..credential("c")
    };
    let mut pool = pool(vec![credential("a"), credential("b"), elsewhere]);
    fail_all(&mut pool, who(1), &[("a", 500), ("b", 500)], 0);
    let all = Some(vec!["a", "b", "c"]);
    assert_eq!(ids(&mut pool, who(2), 1_000), all);
    let finder = begin(&mut pool, who(2), "b", 1_000);
    assert_eq!(ids(&mut pool, who(3), 1_001), Some(vec!["c"]));
    let c = pool.slot("c").expect("it is there");
    let query = CandidateQuery {
        tried: &[c],
        ..query(who(3))
    };
    let rest = pool
        .candidates(&query, at(1_002))
        .expect("better than none");
    assert_eq!(rest.members.len(), 2);
    // It takes too long, so the next one finds out.
    assert_eq!(ids(&mut pool, who(3), 6_000), all);
    pool.settle(finder, &Outcome::Success, None, at(6_100));
    let next = begin(&mut pool, who(3), "a", 6_200);
    assert_eq!(ids(&mut pool, who(4), 6_300), all);
    pool.settle(next, &Outcome::Success, None, at(6_400));
}

#[test]
fn a_way_cools_after_three_attempts_that_were_not_sent() {
    let proxied = |id: &str| Credential {
        proxy_digest: Some(7),
        ..credential(id)
    };
    let mut pool = pool(vec![proxied("a"), proxied("b"), credential("c")]);
    for (id, now) in [("a", 0), ("b", 10)] {
        let attempt = begin(&mut pool, who(1), id, now);
        pool.settle(attempt, &unsent(), None, at(now));
    }
    assert_eq!(ids(&mut pool, who(1), 20), Some(vec!["a", "b", "c"]));
    // An answer, even a failure, shows that the way is well.
    let attempt = begin(&mut pool, who(1), "a", 30);
    pool.settle(attempt, &failed(Scope::Request, 400), None, at(30));
    for now in 40..43 {
        let attempt = begin(&mut pool, who(1), "b", now);
        pool.settle(attempt, &unsent(), None, at(now));
    }
    assert_eq!(ids(&mut pool, who(2), 50), Some(vec!["c"]));
    // Then one finds out, and the window doubles.
    let attempt = begin(&mut pool, who(2), "a", 1_042);
    pool.settle(attempt, &unsent(), None, at(1_050));
    assert_eq!(ids(&mut pool, who(2), 3_049), Some(vec!["c"]));
    assert_eq!(ids(&mut pool, who(2), 3_050), Some(vec!["a", "b", "c"]));
    let attempt = begin(&mut pool, who(2), "b", 3_050);
    pool.settle(attempt, &Outcome::Success, None, at(3_060));
    let attempt = begin(&mut pool, who(2), "b", 3_070);
    pool.settle(attempt, &unsent(), None, at(3_070));
    assert_eq!(ids(&mut pool, who(2), 3_071), Some(vec!["a", "b", "c"]));
}

#[test]
fn a_slow_credential_is_second_choice_until_it_responds() {
    let low = Credential {
        priority: -1,
        ..credential("b")
    };
    let mut pool = pool(vec![credential("a"), low]);
    let mut attempt = begin(&mut pool, who(1), "a", 0);
    let a = attempt.slot();
    pool.note_slow(a, at(60_000));
    assert_eq!(ids(&mut pool, who(2), 60_000), Some(vec!["b"]));
    let b = pool.slot("b").expect("it is there");
    let without_b = CandidateQuery {
        tried: &[b],
        ..query(who(2))
    };
    assert!(pool.candidates(&without_b, at(60_001)).is_ok());
    pool.note_content(&mut attempt, at(70_000));
    assert_eq!(ids(&mut pool, who(2), 70_000), Some(vec!["a"]));
    pool.settle(attempt, &Outcome::Success, None, at(70_001));
    pool.note_slow(a, at(80_000));
    assert_eq!(
        ids(&mut pool, who(2), 80_000),
        Some(vec!["a"]),
        "it is idle"
    );
}

#[test]
fn after_two_failures_of_a_provider_another_one_comes_first() {
    let other = Credential {
        priority: -1,
        provider: "other".into(),
        base_url: "http://127.0.0.1:2".into(),
        ..credential("o")
    };
    let mut pool = pool(vec![
        credential("a"),
        credential("b"),
        credential("c"),
        other,
    ]);
    let [a, b] = ["a", "b"].map(|id| pool.slot(id).expect("it is there"));
    let prior = |slot| PriorFailure {
        slot,
        status: Some(500),
    };
    for (failed, expected) in [(&[prior(a)][..], "c"), (&[prior(a), prior(b)], "o")] {
        let query = CandidateQuery {
            tried: &[a, b],
            failed,
            ..query(who(1))
        };
        let candidates = pool.candidates(&query, at(0)).expect("two are left");
        let found = candidates.members.get(0).expect("at least one").slot();
        assert_eq!(Some(found), pool.slot(expected));
    }
}

#[test]
fn content_serves_an_attempt_once() {
    let mut pool = pool(vec![credential("a")]);
    fail_all(&mut pool, who(1), &[("a", 500)], 0);
    let mut attempt = begin(&mut pool, who(1), "a", 1_000);
    let effects = pool.note_content(&mut attempt, at(1_500));
    assert_eq!(effects.changes.len(), 1);
    let again = pool.note_content(&mut attempt, at(1_600));
    assert_eq!(again, Effects::default());
    let effects = pool.settle(attempt, &Outcome::Success, None, at(2_000));
    assert_eq!(effects, Effects::default());
    assert_eq!(pool.status(at(2_000))[0].last_success, Some(at(2_000)));
}

#[test]
fn a_pinned_call_ignores_cooldowns_but_not_the_operator() {
    let mut pool = pool(vec![credential("a"), credential("b")]);
    fail_all(&mut pool, who(1), &[("a", 500)], 0);
    let a = pool.slot("a").expect("it is there");
    let query = CandidateQuery {
        only: Some(a),
        ..query(who(1))
    };
    let candidates = pool.candidates(&query, at(1)).expect("it is pinned");
    assert_eq!(candidates.members.len(), 1);
    let attempt = pool.begin(a, &query, candidates.trial, at(1));
    let attempt = attempt.expect("it is pinned");
    pool.settle(attempt, &Outcome::Success, None, at(2));
    assert_eq!(ids(&mut pool, who(1), 3), Some(vec!["a", "b"]));
    pool.set_enabled("a", false);
    let disabled = pool.candidates(&query, at(4)).expect_err("it is disabled");
    assert_eq!(disabled.reasons().map(|reasons| reasons.disabled), Some(1));
}

#[test]
fn three_refusals_in_a_row_look_revoked() {
    let mut pool = pool(vec![credential("a")]);
    for (now, revoked) in [(0, false), (5_000, false), (15_000, true)] {
        run(
            &mut pool,
            "a",
            "gpt",
            &failed(Scope::Credential, 401),
            at(now),
        );
        assert_eq!(pool.status(at(now))[0].looks_revoked(), revoked, "{now}");
    }
    pool.renew("a", Renewal::SameAccount, at(15_001));
    assert!(!pool.status(at(15_001))[0].looks_revoked());
}

/// All five credentials of a site refuse four clients, so that the site cools from 38 to 78 s.
fn refused_site() -> Pool {
    let ids = ["a", "b", "c", "d", "e"];
    let mut pool = pool(ids.map(credential).to_vec());
    for (client, now) in [(1, 0), (2, 5_000), (3, 16_000), (4, 37_000)] {
        let mut prior: Vec<PriorFailure> = Vec::new();
        // Calls whose windows have just ended take turns, a second apart.
        for (id, now) in [(ids[client], now), (ids[client - 1], now + now.min(1_000))] {
            let slot = pool.slot(id).expect("it is there");
            let query = CandidateQuery {
                failed: &prior,
                ..query(who(client as u64))
            };
            let attempt = pool.begin(slot, &query, false, at(now));
            settle_403(&mut pool, attempt.expect("it is available"), now);
            prior.push(refusal(slot));
        }
    }
    pool
}

fn refusal(slot: Slot) -> PriorFailure {
    PriorFailure {
        slot,
        status: Some(403),
    }
}

fn settle_403(pool: &mut Pool, attempt: Attempt, now: u64) {
    pool.settle(attempt, &failed(Scope::Provider, 403), None, at(now));
}

/// Begins a trial of a client whose call has failed so before.
fn begin_trial(
    pool: &mut Pool,
    requester: Requester,
    prior: &[PriorFailure],
    now: u64,
) -> Result<Attempt, Unavailable> {
    let tried: Vec<Slot> = prior.iter().map(|prior| prior.slot).collect();
    let query = CandidateQuery {
        tried: &tried,
        failed: prior,
        ..query(requester)
    };
    let candidates = pool.candidates(&query, at(now))?;
    let slot = candidates.members.get(0).expect("at least one").slot();
    let attempt = pool.begin(slot, &query, candidates.trial, at(now));
    Ok(attempt.expect("a candidate may begin"))
}

#[test]
fn the_trials_of_a_refused_site_are_shared_by_its_credentials() {
    let mut pool = refused_site();
    // Half a minute for each of five.
    let waits = begin_trial(&mut pool, who(9), &[], 43_999).expect_err("the site cools");
    assert_eq!(waits.retry_at(), Some(at(44_000)));
    assert!(begin_trial(&mut pool, who(9), &[], 44_000).is_ok());
}

#[test]
fn a_trial_that_one_credential_refuses_goes_on_with_the_next() {
    let mut pool = refused_site();
    let (mut prior, mut tried) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let attempt = begin_trial(&mut pool, who(9), &prior, 44_000).expect("it goes on");
        let slot = attempt.slot();
        tried.push(slot);
        settle_403(&mut pool, attempt, 44_000);
        prior.push(refusal(slot));
    }
    tried.dedup();
    assert_eq!(tried.len(), 3, "each another one");
    let of_outage = PriorFailure {
        status: Some(503),
        ..prior[0]
    };
    assert!(
        begin_trial(&mut pool, who(8), &[of_outage], 44_001).is_err(),
        "another failure says nothing of the refusal"
    );
}

#[test]
fn those_that_wait_know_that_a_trial_is_in_flight() {
    let mut pool = refused_site();
    let trial = begin_trial(&mut pool, who(9), &[], 44_000).expect("its turn");
    let until = |pool: &mut Pool, now| {
        let waits = begin_trial(pool, who(8), &[], now).expect_err("a trial is in flight");
        waits
            .reasons()
            .and_then(|reasons| reasons.times.trial_until)
    };
    assert_eq!(until(&mut pool, 44_001), Some(at(49_000)));
    settle_403(&mut pool, trial, 44_002);
    assert_eq!(until(&mut pool, 44_003), None);
}

/// One call that fails at these credentials. Returns the changes of health.
fn fail_all(
    pool: &mut Pool,
    requester: Requester,
    statuses: &[(&str, u16)],
    now: u64,
) -> Vec<HealthChange> {
    let (mut prior, mut changes) = (Vec::new(), Vec::new());
    for &(id, status) in statuses {
        let slot = pool.slot(id).expect("it is there");
        let query = CandidateQuery {
            failed: &prior,
            ..query(requester)
        };
        let attempt = pool.begin(slot, &query, false, at(now));
        let attempt = attempt.expect("it is available");
        let outcome = failed(Scope::Provider, status);
        changes.extend(pool.settle(attempt, &outcome, None, at(now)).changes);
        prior.push(PriorFailure {
            slot,
            status: Some(status),
        });
    }
    changes
}

fn begin(pool: &mut Pool, requester: Requester, id: &str, now: u64) -> Attempt {
    let slot = pool.slot(id).expect("it is there");
    let attempt = pool.begin(slot, &query(requester), false, at(now));
    attempt.expect("it is available")
}

/// Returns the candidates, unless there is none or only a trial.
fn ids(pool: &mut Pool, requester: Requester, now: u64) -> Option<Vec<&'static str>> {
    let candidates = pool.candidates(&query(requester), at(now)).ok()?;
    let credentials = pool.credentials(&candidates.members);
    let known = ["a", "b", "c"];
    let name = |id: &str| known.into_iter().find(|known| *known == id);
    let names = credentials.iter().flatten();
    let names = names.filter_map(|credential| name(credential.id.as_str()));
    (!candidates.trial).then(|| names.collect())
}

fn query(requester: Requester) -> CandidateQuery<'static> {
    CandidateQuery {
        requester,
        endpoint: CHAT,
        ..CandidateQuery::first_round("gpt")
    }
}

fn who(client: u64) -> Requester {
    Requester {
        client,
        digest: client,
    }
}

const CHAT: Endpoint = Endpoint::new("chat");
