//! The end of a stream: `[DONE]` settles the lease, whatever client and provider do afterwards.

use futures_util::StreamExt;
use jackfield_auth::LeaseCounts;
use jackfield_dispatch::ResponseBody;
use jackfield_dispatch::limits::CLOSE_TIMEOUT;
use tokio::time::Instant;

use crate::chat_fixtures::stream;
use crate::fake_plugins::FakeExecutor;
use crate::fake_upstream::{FakeUpstream, Piece, Script};
use crate::stage::{SECOND, Setting, text};

const STILL_HERE: &str = ": still here\n\n";

const SUCCESS: LeaseCounts = LeaseCounts {
    open: 0,
    success: 1,
    failed: 0,
    cancelled: 0,
    inconclusive: 0,
};

#[tokio::test(start_paused = true)]
async fn disconnect_after_done_is_success() {
    for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
        let script = Script::events(stream()).slowly(SECOND).then(Piece::Hang);
        let stage = Setting::new(1)
            .executor(executor)
            .stage(FakeUpstream::in_order(vec![script]));
        let ResponseBody::Stream(mut response) = stage.stream().await.unwrap().body else {
            panic!("not a stream")
        };
        let mut given = Vec::new();
        while !given.ends_with(b"[DONE]\n\n") {
            assert_eq!(stage.counts().success, 0);
            given.extend(response.next().await.unwrap().unwrap());
        }
        assert_eq!(stage.counts(), SUCCESS);
        drop(response);
        assert_eq!(stage.counts(), SUCCESS);
        stage.assert_closed();
    }
}

#[tokio::test(start_paused = true)]
async fn closes_soon_after_done() {
    let still_here = vec![STILL_HERE.to_owned(); 10_000];
    let chatty = Script::events(stream().into_iter().chain(still_here));
    for script in [
        Script::events(stream()).then(Piece::Hang),
        Script::events([stream().concat()]).then(Piece::Hang),
        Script::events(stream())
            .then(Piece::Wait(SECOND / 2))
            .then(Piece::Break),
        chatty.slowly(SECOND / 100),
    ] {
        for executor in [FakeExecutor::relaying(), FakeExecutor::echoing()] {
            let start = Instant::now();
            let stage = Setting::new(1)
                .executor(executor)
                .stage(FakeUpstream::in_order(vec![script.clone()]));
            let given = text(stage.stream().await).await;
            let given = given.replace(STILL_HERE, "");
            assert_eq!(given, stream().concat(), "and nothing after it");
            assert!(
                start.elapsed() <= CLOSE_TIMEOUT + SECOND / 10,
                "{:?}",
                start.elapsed()
            );
            assert_eq!(stage.counts(), SUCCESS);
            stage.assert_closed();
        }
    }
}
