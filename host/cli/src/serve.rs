//! Serves both listeners, applies changes in the folders, and shuts down.

use std::future::pending;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use jackfield_admin::admin_router;
use jackfield_auth::AuthManager;
use jackfield_config::{Config, ListenAddress};
use jackfield_dispatch::error_chain;
use jackfield_http::limits::DRAIN_MAX;
use jackfield_http::{
    Drain, ListenError, Listener, SocketError, api_router, serve as serve_http, serve_by,
};
use jackfield_runtime::Compiling;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::model_lists::ModelLists;
use crate::reload::Reload;
use crate::wire::{HAND_OVER_MAX, HAND_OVER_POLL, Host};

/// Serves a configuration that was read from `file` until SIGTERM or Ctrl-C, then waits for running
/// calls. SIGHUP reloads it.
pub(crate) async fn serve(config: Config, file: &Path) -> Result<(), String> {
    for warning in &config.warnings {
        tracing::warn!(warning, "configuration");
    }
    let config = Arc::new(config);
    // Before the store opens, which may take time: without a handler, SIGHUP would end the process.
    let (stop, hangups) = (stop_signal()?, hangups()?);
    let mut host = Host::new(Arc::clone(&config), file, Compiling::InBackground).await?;
    let api = listen(&config.listen, config.socket_mode).await?;
    let admin = match &config.admin {
        Some(admin) => Some(listen(&admin.listen, admin.socket_mode).await?),
        None => None,
    };
    // After the listeners: connections are accepted already, and calls wait. What is left is loaded later.
    let _ = timeout(COMPILED_LOAD_WAIT, host.folder.load_compiled()).await;
    Box::pin(run(host, api, admin, stop, hangups)).await
}

/// Serves on these listeners until `stop` is true.
pub(crate) async fn run(
    host: Host,
    api_listener: Listener,
    admin_listener: Option<Listener>,
    stop: watch::Receiver<bool>,
    mut hangups: Signal,
) -> Result<(), String> {
    let watching = host.folder.watch().map_err(|error| error_chain(&error))?;
    let files = host
        .files
        .map(|files| files.watch(host.dispatcher.auth().clone()));
    let files = files.transpose()?;
    let following = follow(files);
    let stopped = |mut stop: watch::Receiver<bool>| async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let api = host.api;
    let drained = async {
        let stopping = async {
            stopped(stop.clone()).await;
            tracing::info!("stopping: running calls may end");
            api.start_draining();
        };
        serve_by(
            host.connections,
            api_listener,
            api_router(api.clone()),
            stopping,
            DRAIN_MAX,
        )
        .await
    };
    let administered = async {
        if let (Some(admin), Some(listener)) = (host.admin, admin_listener) {
            let stopping = async {
                stopped(stop.clone()).await;
                admin.stop();
            };
            serve_http(listener, admin_router(admin.clone()), stopping, DRAIN_MAX).await;
        }
    };
    let served = async { tokio::join!(drained, administered).0 };
    let reloading = reload_on(&mut hangups, &host.reload);
    let model_lists = ModelLists::new(&host.dispatcher, &host.reload);
    let auth = host.dispatcher.auth().clone();
    let mut background = pin!(auth.run());
    let ended = {
        // Not after the drain: the next process needs the data folder while streams of this one go on.
        let handed_over = async {
            tokio::select! {
                () = &mut background => {}
                () = stopped(stop.clone()) => {}
            }
            hand_over(&auth, background.as_mut()).await
        };
        let all = async { tokio::join!(served, handed_over) };
        tokio::select! {
            (drain, handed_over) = all => {
                log_drain(drain);
                return handed_over;
            }
            () = watching => Err("the watch of the plugin folder ended".to_owned()),
            () = following => Err("the watch of the credential files ended".to_owned()),
            () = reloading => Ok(()),
            () = model_lists.run() => Ok(()),
        }
    };
    hand_over(&auth, background).await?;
    ended
}

/// Follows the credential files, if there are any.
async fn follow(files: Option<impl Future<Output = ()>>) {
    match files {
        Some(following) => following.await,
        None => pending().await,
    }
}

/// Reloads the configuration at each signal. Does not end.
async fn reload_on(hangups: &mut Signal, reload: &Reload) {
    while hangups.recv().await.is_some() {
        // The log has the result.
        let _ = reload.reload().await;
    }
    pending().await
}

fn log_drain(drain: Drain) {
    match drain {
        Drain::Complete => tracing::info!("stopped: all calls ended"),
        Drain::CutOff => tracing::warn!(after = ?DRAIN_MAX, "stopped: calls were cut off"),
    }
}

/// Ends the work on the data folder and leaves it to the next process: waits for running refreshes, saves what is not
/// saved, and unlocks it.
async fn hand_over(
    auth: &AuthManager,
    background: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), String> {
    auth.stop_refreshes();
    tokio::select! {
        () = background => {}
        () = wait_for_refreshes(auth) => {}
    }
    let saved = auth.close_store().await;
    saved.map_err(|error| format!("saving health: {}", error_chain(&error)))?;
    tracing::info!("data folder left to the next process");
    Ok(())
}

/// How long a start waits for plugins whose code is in the cache before it answers. All of them take some 100 ms.
const COMPILED_LOAD_WAIT: Duration = Duration::from_secs(2);

/// Waits for running refreshes. The provider may have replaced the stored tokens already.
async fn wait_for_refreshes(auth: &AuthManager) {
    let began = Instant::now();
    while auth.refreshes_running() > 0 && began.elapsed() < REFRESH_DRAIN_MAX {
        sleep(REFRESH_DRAIN_POLL).await;
    }
}

/// How long a shutdown waits for refreshes. A token endpoint that takes longer is down.
const REFRESH_DRAIN_MAX: Duration = Duration::from_secs(10);

/// The interval between the checks whether they have ended.
const REFRESH_DRAIN_POLL: Duration = Duration::from_millis(50);

/// Opens a listener, and logs its address: the system replaces port 0. Waits for a process that is leaving the socket.
pub(crate) async fn listen(address: &ListenAddress, socket_mode: u32) -> Result<Listener, String> {
    let listener = match address {
        ListenAddress::Tcp(address) => Listener::tcp(*address).await,
        ListenAddress::Unix(path) => {
            let began = Instant::now();
            loop {
                match Listener::unix(path, socket_mode).await {
                    Err(ListenError::Socket(SocketError::InUse { .. }))
                        if began.elapsed() < HAND_OVER_MAX =>
                    {
                        sleep(HAND_OVER_POLL).await;
                    }
                    listener => break listener,
                }
            }
        }
    };
    let listener = listener.map_err(|error| error.to_string())?;
    let address = listener.address().map_err(|error| error.to_string())?;
    tracing::info!(%address, "listening");
    Ok(listener)
}

/// Receives SIGHUP, which does not end the process from then on.
pub(crate) fn hangups() -> Result<Signal, String> {
    signal(SignalKind::hangup()).map_err(|error| format!("cannot watch for signals: {error}"))
}

/// Returns a value that becomes true at SIGTERM or Ctrl-C.
pub(crate) fn stop_signal() -> Result<watch::Receiver<bool>, String> {
    let failed = |error: std::io::Error| format!("cannot watch for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (stop, stopped) = watch::channel(false);
    #[expect(
        clippy::disallowed_methods,
        reason = "one task, which lives until the process ends"
    )]
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = stop.send(true);
    });
    Ok(stopped)
}
