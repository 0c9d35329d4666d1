//! Compiles components: on a thread of its own with low priority while calls are served, one at a time.

use std::thread;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use wasmtime::component::Component;

use crate::component_bytes::ComponentBytes;
use crate::engine::{Compiling, Engine};
use crate::limits::COMPILE_WAIT;
use crate::prepare_error::PrepareError;
use crate::slow_calls::lower_priority;

/// Compiles a component, or takes it from the cache.
///
/// # Errors
/// When it does not compile, or does not in time.
pub(crate) async fn compile(
    engine: &Engine,
    plugin: &str,
    component: ComponentBytes,
) -> Result<Component, PrepareError> {
    let compiling = engine.clone();
    let (digest, bytes) = (component.digest().to_owned(), component.bytes().len());
    let work = move || {
        let compiled = Component::new(compiling.wasmtime(), component.bytes())
            .map_err(|error| PrepareError::Compile(format!("{error:#}")))?;
        compiling.seal_compiled_code(component.digest());
        Ok(compiled)
    };
    if engine.compiling() == Compiling::InPlace {
        let compiled = spawn_blocking(work).await;
        return compiled.map_err(|panic| PrepareError::Compile(panic.to_string()))?;
    }
    // An error would mean a closed semaphore, but this one is never closed.
    let permit = engine.compile_permits().acquire_owned().await.ok();
    if !engine.is_compiled(&digest) {
        tracing::info!(plugin, bytes, "compiling a plugin");
    }
    let (sender, receiver) = oneshot::channel();
    let thread = move || {
        lower_priority();
        let compiled = work();
        // Held to here: if the caller has stopped to wait, the next compilation still begins after this one.
        drop(permit);
        let _ = sender.send(compiled);
    };
    let started = thread::Builder::new()
        .name("plugin-compile".to_owned())
        .spawn(thread);
    started.map_err(|error| PrepareError::Compile(format!("no thread for it: {error}")))?;
    match timeout(COMPILE_WAIT, receiver).await {
        Ok(Ok(compiled)) => compiled,
        Ok(Err(_)) => Err(PrepareError::Compile("the compiler panicked".to_owned())),
        Err(_) => Err(PrepareError::Compile(format!(
            "it took more than {} s",
            COMPILE_WAIT.as_secs()
        ))),
    }
}
