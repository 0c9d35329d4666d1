//! Properties of the memory of plans, over random series of inserts and finds.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

type Memory = PlanMemory<u32, u64>;

fn header(number: u32) -> Read {
    Read::Header(number.to_string())
}

/// The digest of a client. That of 0 is not the one of 1.
fn client(number: u64) -> ClientDigest {
    ClientDigest::new(number + 1)
}

fn insert(memory: &mut Memory, target: u32, owner: u64, reads: Vec<ReadDigest>, plan: u64) {
    let plan = Arc::new(plan);
    memory.insert(
        &target,
        NewPlan {
            owner: client(owner),
            reads,
            plan,
            bytes: 100,
        },
    );
}

fn find(memory: &Memory, target: u32, owner: u64, value: u64) -> Option<u64> {
    let found = memory.find(&target, client(owner))?;
    found.plan(|_| [value, 0]).map(|plan| *plan)
}

/// A guest that reads some headers, by the target. The plan is a function of what it got.
fn reads_of(target: u32) -> u32 {
    target % 3
}

fn plan_of(target: u32, owner: u64, value: u64) -> u64 {
    match reads_of(target) {
        0 => u64::from(target) << 32,
        _ => u64::from(target) << 32 | owner << 16 | value,
    }
}

/// What is found is what the guest would plan: with the values of this call, and from no other client's
/// data. All bounds hold after each step.
#[test]
fn finds_what_the_guest_would_plan() {
    for seed in 0..12 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut memory = Memory::default();
        for step in 0..1_500 {
            let target = random.random_range(0..60);
            let owner = random.random_range(0..12);
            let value = random.random_range(0..12);
            let expected = plan_of(target, owner, value);
            match find(&memory, target, owner, value) {
                Some(found) => assert_eq!(found, expected),
                None => {
                    let reads = (0..reads_of(target)).map(header);
                    let reads = reads.map(|read| (read, [value, 0])).collect();
                    insert(&mut memory, target, owner, reads, expected);
                    assert_eq!(find(&memory, target, owner, value), Some(expected));
                }
            }
            if step % 50 == 0 {
                check(&memory);
            }
        }
    }
}

/// All counts agree, and no bound is exceeded.
fn check(memory: &Memory) {
    let count = |target: &Target<u64>| {
        let own: usize = target.own.values().map(|own| own.len()).sum();
        own + usize::from(target.shared.is_some())
    };
    let variants: usize = memory.targets.values().map(count).sum();
    let owned: usize = memory.owners.values().map(VecDeque::len).sum();
    assert_eq!((variants, owned), (memory.plans, memory.plans));
    assert_eq!(memory.bytes, memory.plans * 100);
    assert!(memory.plans <= PLANS_MAX && memory.bytes <= PLANS_BYTES_MAX);
    for target in memory.targets.values() {
        assert!(count(target) > 0);
        for (owner, own) in &target.own {
            assert!((1..=PLAN_VARIANTS_MAX).contains(&own.len()));
            assert!(own.iter().all(|variant| variant.owner == *owner));
        }
    }
}

#[test]
fn a_client_pushes_out_only_its_own_variants() {
    let mut memory = Memory::default();
    insert(&mut memory, 1, 7, vec![(header(0), [0, 0])], 70);
    for value in 0..100 {
        insert(&mut memory, 1, 8, vec![(header(0), [value, 0])], 80 + value);
    }
    assert_eq!(find(&memory, 1, 7, 0), Some(70));
    assert_eq!(find(&memory, 1, 8, 99), Some(179));
    assert_eq!(find(&memory, 1, 8, 91), None, "the oldest is gone");
    assert_eq!(memory.len(), 1 + PLAN_VARIANTS_MAX);
}

/// A client invents targets, such as spellings of a model's name: the plans of the others stay.
#[test]
fn a_client_with_many_targets_pushes_out_only_its_own() {
    let mut memory = Memory::default();
    for owner in 0..50 {
        insert(&mut memory, 1, owner, vec![(header(0), [0, 0])], owner);
    }
    for target in 100..100 + 3 * u32::try_from(PLANS_MAX).unwrap() {
        insert(&mut memory, target, 99, Vec::new(), 0);
    }
    assert_eq!(memory.len(), PLANS_MAX);
    for owner in 0..50 {
        assert_eq!(find(&memory, 1, owner, 0), Some(owner));
    }
    check(&memory);
}

#[test]
fn bounds_the_bytes_of_all_plans() {
    let mut memory = Memory::default();
    for target in 0..100 {
        let large = NewPlan {
            owner: client(1),
            reads: Vec::new(),
            plan: Arc::new(0),
            bytes: PLANS_BYTES_MAX / 10,
        };
        memory.insert(&target, large);
        assert!(memory.bytes <= PLANS_BYTES_MAX);
    }
    assert_eq!(memory.len(), 10);
}

#[test]
fn forgets_one_plan_or_all() {
    let mut memory = Memory::default();
    insert(&mut memory, 1, 7, Vec::new(), 1);
    insert(&mut memory, 2, 7, Vec::new(), 2);
    let found = memory.find(&1, client(8)).unwrap();
    let plan = found.plan(|_| [0, 0]).unwrap();
    memory.forget(&1, client(8), &plan);
    assert_eq!(find(&memory, 1, 7, 0), None);
    assert_eq!(find(&memory, 2, 7, 0), Some(2));
    memory.clear();
    assert_eq!((memory.len(), find(&memory, 2, 7, 0)), (0, None));
    check(&memory);
}
