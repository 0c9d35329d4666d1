//! Kills the real binary at random moments and restarts it. No rotated token may be lost, and at most the
//! last second of health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jackfield_mock_provider::{MockFailure, MockOAuthOptions, Rotation};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::harness::{Jackfield, Upstream, chat};
use crate::oauth::{CLIENT_SECRET, account, accounts};

/// The number of kills.
const KILLS: u64 = 25;

/// The seed of the random moments.
const SEED: u64 = 20_261_124;

/// The limits of a run's random uptime.
const UPTIME_MS_MIN: u64 = 200;
const UPTIME_MS_MAX: u64 = 2_000;

/// The number of credentials that begin to cool down in one run, each at a random moment in the first
/// `COOLDOWN_WITHIN_MS`.
const COOLDOWNS_PER_RUN: u64 = 3;
const COOLDOWN_WITHIN_MS: u64 = 400;

/// The number of concurrent callers of the accounts.
const CALLERS: usize = 4;

/// The number of accounts. The tokens of each are refreshed at most once a second.
const ACCOUNTS: usize = 8;

/// The life of an access token. It is refreshed after half of it, so tokens rotate several times a second.
const TOKEN_LIFE: Duration = Duration::from_secs(2);

/// The delay of the token endpoint, so that many kills happen during a rotation.
const TOKEN_PAUSE: Duration = Duration::from_millis(30);

/// The limit of lost health.
const HEALTH_LOST_MAX: Duration = Duration::from_secs(1);

/// The timeout of a call.
const CALL_TIME_MAX: Duration = Duration::from_secs(20);

/// The limit of the whole test.
const TIME_MAX: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_loses_no_token_and_at_most_a_second_of_health() {
    let mut random = Random(SEED);
    let setup = Setup::new().await;
    let began = Instant::now();
    let mut folder = tempfile::tempdir().unwrap();
    let mut cooled = Vec::new();
    for kill in 0..KILLS {
        let jackfield = Jackfield::start_in(folder, &setup.config).await;
        setup.check_state(&jackfield, &mut cooled, kill).await;
        let run = setup.run_and_kill(jackfield, &mut random, kill, &mut cooled);
        folder = run.await;
    }
    let jackfield = Jackfield::start_in(folder, &setup.config).await;
    setup.check_state(&jackfield, &mut cooled, KILLS).await;
    let (counts, took) = (setup.accounts.oauth().counts(), began.elapsed());
    let aged = cooled.iter().filter(|cooled| cooled.aged).count();
    eprintln!("{KILLS} kills in {took:?}: {counts:?}, {aged} cooled for long enough");
    assert_eq!(counts.invalid_grant, 0, "a rotated token was lost");
    assert!(counts.refreshed > KILLS * 2, "too few tokens were rotated");
    assert!(
        aged as u64 > KILLS / 2,
        "too few credentials cooled for long enough"
    );
    assert!(took < TIME_MAX, "it took {took:?}");
}

/// The providers and the configuration, which survive the kills.
struct Setup {
    accounts: Upstream,
    /// Kept alive: dropping it would stop the server.
    _limited: Upstream,
    config: String,
}

/// A credential whose call failed.
struct CooledCredential {
    id: String,
    at: Instant,
    /// Whether the next kill came so late that the health must be on disk.
    aged: bool,
}

impl Setup {
    async fn new() -> Self {
        let options = MockOAuthOptions {
            rotation: Rotation::UntilFirstUse,
            lifetime: TOKEN_LIFE,
            pause: TOKEN_PAUSE,
            client: Some(("me".to_owned(), CLIENT_SECRET.to_owned())),
            ..MockOAuthOptions::default()
        };
        let provider = Upstream::with_oauth(options).await;
        let opened = (0..ACCOUNTS).map(|number| {
            let id = format!("account-{number}");
            account(&id, &provider.oauth().open(&id), TOKEN_LIFE)
        });
        let opened: String = opened.collect();
        let (limited, credentials) = limited().await;
        let config = format!(
            "providers:\n{}  - name: limited\n    executor: openai-compatible\n    \
             base-url: http://{}/v1\n    credentials:\n{credentials}    \
             models: [ {{ name: gpt-limited }} ]\n",
            accounts(&provider, "1s", &opened),
            limited.address,
        );
        Self {
            accounts: provider,
            _limited: limited,
            config,
        }
    }

    /// Checks the state after a start: the accounts serve, and the credentials that cooled long enough before
    /// the kill still cool. Removes the others that were lost from the list.
    async fn check_state(
        &self,
        jackfield: &Jackfield,
        cooled: &mut Vec<CooledCredential>,
        kill: u64,
    ) {
        let shown = jackfield.admin("credentials").await;
        let shown = shown["credentials"].as_array().unwrap();
        cooled.retain(|cooled| {
            let mut shown = shown.iter();
            let found = shown.find(|credential| credential["id"] == cooled.id.as_str());
            let found = found.unwrap().to_string();
            let cools = found.contains("\"state\":\"cooling\"");
            assert!(
                cools || !cooled.aged,
                "available after kill {kill}: {found}"
            );
            cools
        });
        let hello = chat("accounts", false, &json!({}));
        let (status, response) = jackfield.call(&hello).await;
        assert_eq!(
            status, 200,
            "the accounts fail after kill {kill}: {response}"
        );
    }

    /// Runs the server under load, then kills it.
    async fn run_and_kill(
        &self,
        jackfield: Jackfield,
        random: &mut Random,
        number: u64,
        cooled: &mut Vec<CooledCredential>,
    ) -> TempDir {
        let jackfield = Arc::new(jackfield);
        let load = BackgroundLoad::start(&jackfield);
        let began = Instant::now();
        let uptime =
            Duration::from_millis(UPTIME_MS_MIN + random.below(UPTIME_MS_MAX - UPTIME_MS_MIN));
        let mut moments =
            [(); COOLDOWNS_PER_RUN as usize].map(|()| random.below(COOLDOWN_WITHIN_MS));
        moments.sort_unstable();
        for (number, moment) in (number * COOLDOWNS_PER_RUN..).zip(moments) {
            let moment = Duration::from_millis(moment);
            if moment >= uptime {
                break;
            }
            sleep_until(began + moment).await;
            cooled.push(cool(&jackfield, number).await);
        }
        sleep_until(began + uptime).await;
        jackfield.signal("-KILL");
        let died = Instant::now();
        for cooled in cooled.iter_mut() {
            cooled.aged |= died.duration_since(cooled.at) > HEALTH_LOST_MAX;
        }
        load.end().await;
        Arc::into_inner(jackfield).unwrap().kill().await
    }
}

/// Starts a provider that rate-limits every call for an hour. Each of its credentials serves one model,
/// with the credential's name.
async fn limited() -> (Upstream, String) {
    let upstream = Upstream::start(&[]).await;
    let hour = MockFailure {
        status: MockFailure::TOO_MANY_REQUESTS,
        retry_after: Some(3_600),
    };
    let credentials = (0..KILLS * COOLDOWNS_PER_RUN).map(|number| {
        let id = format!("cool-{number}");
        upstream.provider.fail(&id, Some(hour));
        format!(
            "      - {{ id: {id}, api-key: {id}, models: [ {{ name: gpt-{id}, alias: {id} }} ] }}\n"
        )
    });
    let credentials = credentials.collect();
    (upstream, credentials)
}

async fn cool(jackfield: &Jackfield, number: u64) -> CooledCredential {
    let id = format!("cool-{number}");
    let (status, response) = jackfield.call(&chat(&id, false, &json!({}))).await;
    assert_eq!(status, 429, "{response}");
    CooledCredential {
        id,
        at: Instant::now(),
        aged: false,
    }
}

/// Callers that ignore failed calls, since the process is killed meanwhile.
struct BackgroundLoad {
    stop: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl BackgroundLoad {
    fn start(jackfield: &Arc<Jackfield>) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            callers: JoinSet::new(),
        };
        for _ in 0..CALLERS {
            let stop = Arc::clone(&load.stop);
            let request = jackfield
                .client
                .post(jackfield.url("/v1/chat/completions"))
                .body(chat("accounts", false, &json!({})).to_string());
            load.callers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let call = request.try_clone().unwrap().send();
                    let response = timeout(CALL_TIME_MAX, call).await;
                    if response.expect("a call hangs").is_err() {
                        break;
                    }
                }
            });
        }
        load
    }

    async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended.expect("a caller failed");
        }
    }
}

/// SplitMix64, a small pseudorandom number generator.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most
    }
}
