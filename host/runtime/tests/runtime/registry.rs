//! Generations: prepared, swapped, kept while calls use them, and rolled back to.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use jackfield_dispatch::port::{Executor, Selector};
use jackfield_dispatch::snapshot::Plugins;
use jackfield_runtime::{Origin, PluginPolicies, Registry, RollbackError};
use jackfield_test_support::{guest, plugin, with_marker};
use parking_lot::Mutex;

use crate::harness::{
    TestCandidates, context, engine, exclusive_engine, frame, head, header, pick_context, plan,
    wait_until,
};

#[tokio::test]
async fn swapped_generations_live_until_released() {
    let (engine, _turn) = exclusive_engine().await;
    let registry = Registry::new(engine.clone());
    let latest = publishing(&registry);
    let variants = ["one", "two"].map(|mark| with_marker(guest("counts"), mark));
    let mut held: BTreeMap<u64, Arc<dyn Executor>> = BTreeMap::new();
    let mut replies = Vec::new();
    for (swap, variant) in variants.iter().cycle().take(201).enumerate() {
        let id = registry
            .load("example", variant.clone(), Origin::BuiltIn)
            .await
            .unwrap();
        assert_eq!(id.generation, swap as u64 + 1);
        let executor = Arc::clone(&latest.lock().executors["example"]);
        assert_eq!(executor.plugin(), &id);
        assert_eq!(header(&plan(&*executor, "m").await, "x-calls"), "1");
        if swap % 50 == 10 {
            let reply = executor
                .reply(&context("m"), &Bytes::new(), Bytes::new())
                .await;
            replies.push(reply.unwrap());
            held.insert(id.generation, executor);
        }
    }
    let status = &registry.status()[0];
    assert_eq!(status.swaps, 200);
    assert_eq!(status.alive, [11, 61, 111, 161, 198, 199, 200, 201]);

    // Calls end on the generation that they began with.
    for (reply, (generation, executor)) in replies.iter_mut().zip(&held) {
        assert_eq!(executor.plugin().generation, *generation);
        for _ in 0..2 {
            let plan = plan(&**executor, "m").await;
            assert_eq!(header(&plan, "x-calls"), "1", "an instance was kept");
        }
        reply.head(head(200, &[])).await.unwrap();
        let output = reply.push(vec![frame("", b"the end")], true).await.unwrap();
        assert_eq!(output.frames, [frame("", b"the end")]);
    }
    held.remove(&61);
    assert_eq!(
        registry.status()[0].alive,
        [11, 111, 161, 198, 199, 200, 201]
    );
    drop((held, replies));
    // Those that a rollback can put in use.
    assert_eq!(registry.status()[0].alive, [198, 199, 200, 201]);
    wait_until("only the generation in use has instances", || {
        engine.instances_alive() <= 4
    })
    .await;
    drop((registry, latest));
    wait_until("no instance is left", || engine.instances_alive() == 0).await;
}

#[tokio::test]
async fn cliproxyapi_compat_1_3_swaps_a_selector_while_in_use() {
    let registry = Registry::new(engine());
    let latest = publishing(&registry);
    let choose = async |selector: &Arc<dyn Selector>| {
        let picked = selector
            .pick(&pick_context("m", 1), Arc::new(TestCandidates::uniform(2)))
            .await;
        format!("{:?}", picked.unwrap())
    };
    registry
        .load("turn", plugin("round-robin"), Origin::BuiltIn)
        .await
        .unwrap();
    let old = Arc::clone(&latest.lock().selectors["turn"]);
    registry
        .load("turn", plugin("fill-first"), Origin::BuiltIn)
        .await
        .unwrap();
    let new = Arc::clone(&latest.lock().selectors["turn"]);
    assert_eq!(choose(&new).await, "Candidate(0)");
    assert_eq!(choose(&old).await, "Candidate(1)");
}

#[tokio::test]
async fn two_rollbacks_cancel_out() {
    // Each plan is to reach the guest.
    let policies = PluginPolicies {
        remember_off: ["example".to_owned()].into(),
        ..PluginPolicies::default()
    };
    let registry = Registry::with_policies(engine(), policies);
    let latest = publishing(&registry);
    let refused = registry.rollback("example", None).unwrap_err();
    assert_eq!(refused, RollbackError::Unknown("example".to_owned()));
    assert_eq!(
        refused.to_string(),
        "there is no plugin `example`; GET /admin/v1/plugins lists them"
    );

    registry
        .load("example", guest("counts"), Origin::BuiltIn)
        .await
        .unwrap();
    let refused = registry.rollback("example", None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "plugin `example` has no previous version"
    );

    registry
        .load("example", guest("reads_body"), Origin::BuiltIn)
        .await
        .unwrap();
    for (serves, before) in [(1, 2), (2, 1), (1, 2)] {
        assert_eq!(
            registry.rollback("example", None).unwrap().generation,
            serves
        );
        let status = &registry.status()[0];
        assert_eq!(status.serving.as_ref().unwrap().generation, serves);
        assert_eq!(status.previous.as_ref().unwrap().generation, before);
        let executor = Arc::clone(&latest.lock().executors["example"]);
        assert_eq!(executor.plugin().generation, serves);
        plan(&*executor, "m").await;
        plan(&*executor, "length").await;
    }
    let status = &registry.status()[0];
    assert_eq!(status.swaps, 4);
    assert_eq!(status.alive, [1, 2]);
    // The restored generation keeps instances again.
    assert_eq!(status.serving.as_ref().unwrap().instances.idle, 1);
    assert_eq!(status.previous.as_ref().unwrap().instances.idle, 0);
}

/// Six bad files came after the good one: it is still held, and so are the last two of them.
#[tokio::test]
async fn last_good_version_is_held_however_many_bad_ones_follow() {
    let registry = Registry::new(engine());
    let latest = publishing(&registry);
    for mark in ["good", "b", "c", "d", "e", "f", "g"] {
        let component = with_marker(guest("counts"), mark);
        let loaded = registry.load("example", component, Origin::BuiltIn).await;
        loaded.unwrap();
        if mark == "good" {
            // The others are never called, so nothing says that they are good.
            let executor = Arc::clone(&latest.lock().executors["example"]);
            plan(&*executor, "m").await;
        }
    }
    let status = &registry.status()[0];
    let held = status.held.iter().map(|status| status.generation);
    assert_eq!(held.collect::<Vec<_>>(), [1, 5, 6]);
    assert_eq!(status.previous.as_ref().unwrap().generation, 6);
    assert_eq!(status.alive, [1, 5, 6, 7]);

    let refused = registry.rollback("example", Some(4)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "plugin `example` does not hold generation 4; it holds 1, 5, 6"
    );
    for to in [1, 1, 5, 7] {
        let id = registry.rollback("example", Some(to)).unwrap();
        assert_eq!(id.generation, to);
        let executor = Arc::clone(&latest.lock().executors["example"]);
        assert_eq!(executor.plugin().generation, to);
    }
    assert_eq!(registry.status()[0].alive, [1, 5, 6, 7]);
    // The one in use before is the previous one.
    assert_eq!(registry.rollback("example", None).unwrap().generation, 5);
}

#[tokio::test]
async fn unloaded_plugin_ends_its_calls_and_gets_no_new_one() {
    let registry = Registry::new(engine());
    let latest = publishing(&registry);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.wasm");
    std::fs::write(&file, "any").unwrap();
    let load = |mark: &'static str| {
        let origin = Origin::File(file.clone());
        registry.load("example", with_marker(guest("counts"), mark), origin)
    };
    load("one").await.unwrap();
    load("two").await.unwrap();
    let built_in = plugin("round-robin");
    let loaded = registry.load("turn", built_in, Origin::BuiltIn).await;
    loaded.unwrap();
    for (name, message) in [
        ("nothing", "there is no plugin `nothing`; GET "),
        (
            "turn",
            "plugin `turn` is built in, so it cannot be unloaded",
        ),
        ("example", "plugin `example` still has its file /"),
    ] {
        let refused = registry.unload(name).await.unwrap_err().to_string();
        assert!(refused.starts_with(message), "{refused}");
    }

    let running = Arc::clone(&latest.lock().executors["example"]);
    std::fs::remove_file(&file).unwrap();
    let unloaded = registry.unload("example").await.unwrap();
    assert_eq!(unloaded.generation, 2);
    assert!(!latest.lock().executors.contains_key("example"));
    assert_eq!(registry.status().len(), 1);
    assert_eq!(header(&plan(&*running, "m").await, "x-calls"), "1");
    let refused = registry.rollback("example", Some(1)).unwrap_err();
    assert_eq!(refused, RollbackError::Unknown("example".to_owned()));
    // No number is given twice: records of calls have it.
    assert_eq!(load("three").await.unwrap().generation, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publishes_changes_in_order() {
    let registry = Arc::new(Registry::new(engine()));
    let published = Arc::new(Mutex::new(Vec::new()));
    let recorder = Arc::clone(&published);
    registry.on_change(Box::new(move |serving| {
        recorder.lock().push(generations(serving));
    }));
    let mut loading = tokio::task::JoinSet::new();
    for task in 0..8 {
        let registry = Arc::clone(&registry);
        loading.spawn(async move {
            let name = ["left", "right"][task % 2];
            let component = with_marker(guest("counts"), &format!("task {task}"));
            registry
                .load(name, component, Origin::BuiltIn)
                .await
                .map(|_| ())
        });
    }
    while let Some(loaded) = loading.join_next().await {
        loaded.unwrap().unwrap();
    }
    let published = published.lock();
    assert_eq!(published.len(), 9, "the first set, and each change");
    assert_eq!(published[0], "");
    let status = registry.status();
    let now: Vec<String> = status
        .iter()
        .map(|status| {
            format!(
                "{}#{}",
                status.name,
                status.serving.as_ref().unwrap().generation
            )
        })
        .collect();
    assert_eq!(published[8], now.join(" "));
    // One change at a time: each set differs from the one before.
    let changed = published.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(changed, "{published:?}");
}

/// To hash 32 MiB takes tens of milliseconds, for which no call on an async worker may wait.
#[test]
fn hashes_components_on_the_blocking_pool() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let registry = Registry::new(engine());
        let load = || registry.load("counts", guest("counts"), Origin::BuiltIn);
        let first = load().await.unwrap();

        // While the only blocking thread is busy, `load` cannot even find that the component is in use.
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || wait.recv());
        let mut second = pin!(load());
        for _ in 0..3 {
            let pending = poll_fn(|task| Poll::Ready(second.as_mut().poll(task).is_pending()));
            assert!(pending.await, "it was hashed on the async thread");
            tokio::task::yield_now().await;
        }
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
        assert_eq!(second.await.unwrap(), first);
    });
}

/// The plugins that the registry published last.
fn publishing(registry: &Registry) -> Arc<Mutex<Arc<Plugins>>> {
    let latest = Arc::new(Mutex::new(Arc::<Plugins>::default()));
    let publish = Arc::clone(&latest);
    registry.on_change(Box::new(move |serving| {
        *publish.lock() = Arc::clone(serving);
    }));
    latest
}

fn generations(serving: &Plugins) -> String {
    let ids: Vec<String> = serving
        .executors
        .values()
        .map(|executor| executor.plugin().to_string())
        .collect();
    ids.join(" ")
}

#[tokio::test]
async fn component_that_is_not_the_pinned_one_is_refused_before_it_is_compiled() {
    let good = plugin("round-robin");
    let pin = |digest: &str| {
        let policies = PluginPolicies {
            pinned: BTreeMap::from([("round-robin".to_owned(), digest.to_owned())]),
            ..PluginPolicies::default()
        };
        Registry::with_policies(engine(), policies)
    };
    let other = "0".repeat(64);
    let registry = pin(&other);
    let load = |registry: Registry, component: Vec<u8>| async move {
        registry
            .load("round-robin", component, Origin::BuiltIn)
            .await
            .map_err(|error| error.to_string())
    };
    let refused = load(registry, good.clone()).await.unwrap_err();
    let digest = refused
        .strip_prefix("its SHA-256 is ")
        .and_then(|rest| rest.split(',').next());
    let digest = digest.unwrap_or_else(|| panic!("{refused}")).to_owned();
    assert!(refused.contains(&other), "{refused}");
    load(pin(&digest), good.clone()).await.unwrap();
    // It would not compile: its digest is looked at first.
    let mut invalid = good;
    invalid.truncate(5_000);
    let refused = load(pin(&digest), invalid).await.unwrap_err();
    assert!(refused.contains("`plugins-pinned` has"), "{refused}");
}
