//! Serving: both listeners, the watched folder, and the way out.

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jackfield_auth::AuthManager;
use jackfield_config::Config;
use jackfield_dispatch::error_chain;
use jackfield_http::limits::DRAIN_MAX;
use jackfield_http::{Drain, admin_router, api_router, serve as serve_http};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::wire::Host;

/// Serves a configuration, which was read from `file`, until SIGTERM or Ctrl-C, then lets calls
/// under way end. SIGHUP has it read anew.
pub(crate) async fn serve(config: Config, file: &Path) -> Result<(), String> {
    for warning in &config.warnings {
        tracing::warn!(warning, "deprecated configuration");
    }
    let config = Arc::new(config);
    let (stop, hangups) = (stop_signal()?, hangups()?);
    let host = Host::new(Arc::clone(&config), file).await?;
    let api = listen(config.listen).await?;
    let admin = match &config.admin {
        Some(admin) => Some(listen(admin.listen).await?),
        None => None,
    };
    run(host, api, admin, stop, hangups).await
}

/// Serves live parts on these listeners until it is told to stop.
pub(crate) async fn run(
    host: Host,
    api_listener: TcpListener,
    admin_listener: Option<TcpListener>,
    stop: watch::Receiver<bool>,
    mut hangups: Signal,
) -> Result<(), String> {
    let watching = host.folder.watch().map_err(|error| error_chain(&error))?;
    let files = host
        .files
        .map(|files| files.watch(host.dispatcher.auth().clone()));
    let files = files.transpose()?;
    let following = async {
        match files {
            Some(following) => following.await,
            None => pending().await,
        }
    };
    let stopped = |mut stop: watch::Receiver<bool>| async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let api = host.api;
    let drained = async {
        let stopping = async {
            stopped(stop.clone()).await;
            tracing::info!("stopping: calls under way may end");
            api.start_draining();
        };
        serve_http(api_listener, api_router(api.clone()), stopping, DRAIN_MAX).await
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
    let reloading = async {
        while hangups.recv().await.is_some() {
            // What came of it is in the log.
            let _ = host.reload.reload().await;
        }
        pending().await
    };
    let auth = host.dispatcher.auth().clone();
    let mut background = pin!(auth.run());
    let ended = tokio::select! {
        drain = served => {
            match drain {
                Drain::Complete => tracing::info!("stopped: every call had ended"),
                Drain::CutOff => tracing::warn!(after = ?DRAIN_MAX, "stopped: calls were cut off"),
            }
            Ok(())
        }
        () = watching => Err("the plugins folder cannot be watched any more".to_owned()),
        () = following => Err("the credential files cannot be watched any more".to_owned()),
        () = &mut background => Ok(()),
        () = reloading => Ok(()),
    };
    tokio::select! {
        () = &mut background => {}
        () = wait_for_refreshes(&auth) => {}
    }
    let flushed = auth.flush().await;
    flushed.map_err(|error| format!("saving health: {}", error_chain(&error)))?;
    ended
}

/// Waits for refreshes under way: the provider may have replaced the tokens that are kept.
async fn wait_for_refreshes(auth: &AuthManager) {
    let began = Instant::now();
    while auth.refreshes_running() > 0 && began.elapsed() < REFRESH_DRAIN_MAX {
        sleep(REFRESH_DRAIN_POLL).await;
    }
}

/// How long stopping waits for refreshes. A token endpoint that takes longer is down.
const REFRESH_DRAIN_MAX: Duration = Duration::from_secs(10);

/// How often it is looked whether they have ended.
const REFRESH_DRAIN_POLL: Duration = Duration::from_millis(50);

/// A listener; its address is told, since a port of 0 becomes another.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!("listening on {address}: {error}; name another address, or end what listens there")
    })?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tracing::info!(%address, "listening");
    Ok(listener)
}

/// Tells of each SIGHUP, which from then on does not end the process.
pub(crate) fn hangups() -> Result<Signal, String> {
    signal(SignalKind::hangup()).map_err(|error| format!("watching for signals: {error}"))
}

/// Becomes true at SIGTERM or Ctrl-C.
pub(crate) fn stop_signal() -> Result<watch::Receiver<bool>, String> {
    let failed = |error: std::io::Error| format!("watching for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (stop, stopped) = watch::channel(false);
    #[expect(
        clippy::disallowed_methods,
        reason = "one task, which waits for the end of the process"
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
