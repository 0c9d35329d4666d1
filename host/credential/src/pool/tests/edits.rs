//! An edit of one credential costs what that one serves, not the size of the pool.

use super::*;

/// An edit: its name and its function.
type Edit = (&'static str, fn(&mut Pool));

#[test]
fn one_edit_copies_one_run_of_each_list_it_changes() {
    let edits: [Edit; 7] = [
        ("disable", |pool| {
            pool.set_enabled("k05000", false);
        }),
        ("enable", |pool| {
            pool.set_enabled("k05000", true);
        }),
        ("weight", |pool| {
            let heavy = Credential {
                weight: 3,
                ..of_many(5000)
            };
            pool.upsert(vec![heavy]).expect("a pool");
        }),
        ("priority", |pool| {
            let first = Credential {
                priority: 1,
                ..of_many(5000)
            };
            pool.upsert(vec![first]).expect("a pool");
        }),
        ("back", |pool| {
            pool.upsert(vec![of_many(5000)]).expect("a pool")
        }),
        ("add", |pool| {
            let new = Credential {
                id: "k05000-new".into(),
                ..of_many(5000)
            };
            pool.upsert(vec![new]).expect("a pool");
        }),
        ("remove", |pool| {
            pool.remove(&["k05000".into()]);
        }),
    ];
    let mut pool = pool((0..MANY).map(of_many).collect());
    for (edit, change) in edits {
        let before = lists(&mut pool);
        change(&mut pool);
        let after = lists(&mut pool);
        for (name, (before, after)) in NAMES.iter().zip(before.iter().zip(&after)) {
            let copied = after.copied_since(before);
            // The list of the lower priority is not used while the higher one has members.
            if !matches!(edit, "priority" | "back") {
                assert!(copied <= 256, "{edit} copied {copied} under `{name}`");
            }
        }
        assert_eq!(
            after[UNSERVED].copied_since(&before[UNSERVED]),
            0,
            "{edit}: it does not serve that"
        );
        pool.audit(at(1));
    }
}

#[test]
fn credentials_are_ordered_by_id_whatever_the_insertion_order() {
    let mut pool = pool(vec![credential("m")]);
    let mut expected = vec!["m".to_owned()];
    // Each is inserted between the first and the previous one, until no rank is left there.
    for number in (0..200).rev() {
        let id = format!("a{number:03}");
        pool.upsert(vec![credential(&id)]).expect("a pool");
        expected.push(id);
        pool.audit(at(1));
    }
    // These are appended.
    for number in 0..200 {
        let id = format!("z{number:03}");
        pool.upsert(vec![credential(&id)]).expect("a pool");
        expected.push(id);
        pool.audit(at(1));
    }
    expected.sort();
    assert_eq!(pool.ids("gpt", &[], at(1)), Ok(expected));
}

#[test]
fn unserved_name_is_unknown_until_served_again() {
    let mut pool = pool(vec![credential("a")]);
    for round in 0..3 {
        let name = format!("only-{round}");
        let only = Credential {
            serves: vec![served("upstream", &[&name])],
            ..credential("b")
        };
        pool.upsert(vec![only]).expect("a pool");
        assert_eq!(pool.ids(&name, &[], at(1)), Ok(vec!["b".to_owned()]));
        pool.remove(&["b".into()]);
        assert_eq!(pool.ids(&name, &[], at(1)), Err(Unavailable::UnknownModel));
        pool.audit(at(1));
    }
    assert_eq!(
        pool.name_indexes.len(),
        2,
        "the index of an unused name is reused"
    );
}

fn of_many(number: usize) -> Credential {
    let serves = match number % 2 {
        0 => vec![served("m1", &["gpt"]), served("m2", &["fast"])],
        _ => vec![served("m2", &["fast"]), served("m3", &["slow"])],
    };
    Credential {
        serves,
        ..credential(&format!("k{number:05}"))
    }
}

fn lists(pool: &mut Pool) -> Vec<std::sync::Arc<Members>> {
    let list = |name: &&str| {
        let candidates = pool.candidates(&CandidateQuery::first_round(name), at(1));
        candidates.expect("a credential serves it").members
    };
    NAMES.iter().map(list).collect()
}

const MANY: usize = 10_000;

const NAMES: [&str; 3] = ["gpt", "fast", "slow"];

/// Names that the edited credential does not serve.
const UNSERVED: usize = 2;
