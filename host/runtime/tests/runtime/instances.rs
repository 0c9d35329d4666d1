//! Instances: a clean one is reused, one that saw content is not, and none is left at the end.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use jackfield_dispatch::plan::Context;
use jackfield_dispatch::port::{Choice, FaultKind};
use jackfield_runtime::limits::{INSTANCE_CALLS_MAX, INSTANCES_MAX, PREWARM_INSTANCES};
use jackfield_test_support::{guest, plugin};

use crate::harness::{
    TestCandidates, as_executor, as_selector, assert_fault, context, exclusive_engine, frame, head,
    header, load, load_in, pick_context, plan, wait_until,
};

#[tokio::test]
async fn reuses_instances_that_saw_no_content() {
    let counts = load("counts", guest("counts")).await;
    let executor = as_executor(&counts);
    for call in ["1", "2", "3"] {
        assert_eq!(header(&plan(&*executor, "m").await, "x-calls"), call);
    }
    let counts = counts.counts();
    assert_eq!(
        (counts.created, counts.calls, counts.faults, counts.idle),
        (1, 3, 0, 1)
    );
}

#[tokio::test]
async fn settings_are_per_call() {
    let counts = load("counts", guest("counts")).await;
    let executor = as_executor(&counts);
    for settings in ["{\"a\":1}", "{}", "{\"b\":2}"] {
        let context = Context {
            settings: Arc::from(settings),
            ..context("m")
        };
        let plan = executor.prepare(&context, &Bytes::new()).await.unwrap();
        assert_eq!(header(&plan, "x-settings"), settings);
    }
}

#[tokio::test]
async fn does_not_reuse_instances_that_read_a_body() {
    let reads = load("reads_body", guest("reads_body")).await;
    let executor = as_executor(&reads);
    for (model, part) in [
        ("read", "of this client"),
        ("at", "of this client"),
        ("length", "27"),
        ("at", "of this client"),
    ] {
        let body = Bytes::from_static(b"{\"secret\":\"of this client\"}");
        let plan = executor.prepare(&context(model), &body).await.unwrap();
        assert!(
            header(&plan, "x-now").contains(part),
            "it did not read the body"
        );
        assert_eq!(header(&plan, "x-seen"), "", "content of another call");
    }
    assert_eq!(reads.counts().faults, 0);
}

#[tokio::test]
async fn does_not_reuse_instances_that_saw_a_response() {
    let plugin = load("counts", guest("counts")).await;
    let executor = as_executor(&plugin);
    let (context, nothing) = (context("m"), Bytes::new());

    assert_eq!(header(&plan(&*executor, "m").await, "x-calls"), "1");
    let result = executor
        .judge(&context, &nothing, &head(500, &[]), &nothing)
        .await;
    assert_eq!(
        result.unwrap().failure.message,
        "2",
        "a clean instance may classify"
    );
    assert_eq!(header(&plan(&*executor, "m").await, "x-calls"), "1");

    let reply = executor.reply(&context, &nothing, Bytes::new()).await;
    let mut reply = reply.unwrap();
    reply.head(head(200, &[])).await.unwrap();
    let output = reply.push(vec![frame("", b"some")], false).await.unwrap();
    assert_eq!(
        output.usage.unwrap().input,
        2,
        "a clean instance may serve a reply"
    );
    // Another call while the response is open, and one after it.
    assert_eq!(header(&plan(&*executor, "m").await, "x-calls"), "1");
    reply.push(vec![frame("", b"content")], true).await.unwrap();
    drop(reply);
    let after = plan(&*executor, "m").await;
    assert_ne!(
        header(&after, "x-calls"),
        "3",
        "the instance of the reply was reused"
    );
}

#[tokio::test]
async fn prewarms_instances_that_see_content() {
    let reads = load("reads_body", guest("reads_body")).await;
    let executor = as_executor(&reads);
    for _ in 0..20 {
        plan(&*executor, "read").await;
    }
    wait_until("four are idle", || reads.counts().idle == PREWARM_INSTANCES).await;
    let created = reads.counts().created;
    plan(&*executor, "length").await;
    assert!(
        reads.counts().created <= created + 1,
        "an instance was created during the call"
    );
}

#[tokio::test]
async fn replaces_instances_after_their_call_limit() {
    let plugin = load("fill-first", plugin("fill-first")).await;
    let selector = as_selector(&plugin);
    let (context, listed) = (pick_context("m", 0), Arc::new(TestCandidates::uniform(2)));
    // `describe` was the first of its calls.
    for _ in 0..INSTANCE_CALLS_MAX - 2 {
        let choice = selector
            .pick(&context, Arc::<TestCandidates>::clone(&listed))
            .await;
        assert_eq!(choice.unwrap(), Choice::Candidate(0));
    }
    assert_eq!((plugin.counts().created, plugin.counts().idle), (1, 1));
    selector.pick(&context, listed).await.unwrap();
    assert_eq!(plugin.counts().idle, 0, "it was kept");
    wait_until("another one is idle", || plugin.counts().idle == 1).await;
    assert_eq!(plugin.counts().created, 2);
}

#[tokio::test]
async fn dropping_plugins_and_replies_frees_all_instances() {
    let (engine, _turn) = exclusive_engine().await;
    let plugins = [
        load_in(&engine, "counts", guest("counts")).await,
        load_in(&engine, "reply_fails", guest("reply_fails")).await,
    ];
    assert_eq!(engine.instances_alive(), 2);
    let mut replies = Vec::new();
    for plugin in &plugins {
        let executor = as_executor(plugin);
        for _ in 0..10 {
            plan(&*executor, "m").await;
            let reply = executor
                .reply(&context("m"), &Bytes::new(), Bytes::new())
                .await;
            replies.push(reply.unwrap());
        }
    }
    assert!(engine.instances_alive() >= replies.len());
    drop(plugins);
    assert!(
        engine.instances_alive() >= replies.len(),
        "replies outlive their plugin"
    );
    drop(replies);
    wait_until("every instance is gone", || engine.instances_alive() == 0).await;
}

#[tokio::test]
async fn dropping_a_call_frees_its_instance() {
    let (engine, _turn) = exclusive_engine().await;
    let spins = load_in(&engine, "spins", guest("spins")).await;
    let executor = as_executor(&spins);
    for _ in 0..20 {
        let (context, body) = (context("m"), Bytes::new());
        let mut prepare = executor.prepare(&context, &body);
        let pending = poll_fn(|task| Poll::Ready(prepare.as_mut().poll(task).is_pending()));
        assert!(pending.await, "it yields while it spins");
        assert_eq!(engine.instances_alive(), 1);
        drop(prepare);
        // A call that has left the thread ends at its next tick.
        wait_until("the instance is dropped", || engine.instances_alive() == 0).await;
    }
    assert_eq!(spins.counts().faults, 0, "a dropped call is no fault");
    drop((executor, spins));
    let counts = load_in(&engine, "counts", guest("counts")).await;
    assert_eq!(
        header(&plan(&*as_executor(&counts), "m").await, "x-calls"),
        "1"
    );
}

#[tokio::test]
async fn full_engine_reports_overload_and_recovers() {
    let (engine, _turn) = exclusive_engine().await;
    let plugin = load_in(&engine, "counts", guest("counts")).await;
    let executor = as_executor(&plugin);
    let (context, nothing) = (context("m"), Bytes::new());
    let mut replies = Vec::new();
    while engine.instances_alive() < INSTANCES_MAX as usize {
        let reply = executor.reply(&context, &nothing, Bytes::new()).await;
        replies.push(reply.unwrap());
        // Lets the tasks run that create instances in advance.
        tokio::task::yield_now().await;
    }
    while plugin.counts().idle > 0 {
        let reply = executor.reply(&context, &nothing, Bytes::new()).await;
        replies.push(reply.unwrap());
    }
    let one_more = executor.reply(&context, &nothing, Bytes::new()).await;
    let fault = one_more.err().unwrap();
    assert_fault(
        &fault,
        "counts",
        FaultKind::Overloaded,
        "no instance was free within 2 s",
    );

    replies.truncate(10);
    wait_until("there is room", || engine.instances_alive() < 100).await;
    assert_eq!(header(&plan(&*executor, "m").await, "x-calls"), "1");
}
