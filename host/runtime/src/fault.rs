//! Turns the error of a guest call into a fault, which names the plugin and the kind.

use jackfield_dispatch::port::{FaultKind, PluginFault, PluginId};
use tokio::time::error::Elapsed;
use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::engine::TimeLimitExceeded;
use crate::host_state::HostState;
use crate::limits::{CALL_WALL_MAX, OUTPUT_BYTES_MAX, TICK};

/// Returns the result of a guest call, or the fault that it means, which is logged.
pub(crate) fn check_result<R>(
    state: &HostState,
    result: Result<wasmtime::Result<R>, Elapsed>,
) -> Result<R, PluginFault> {
    let (kind, detail) = match result {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => explain(state, &error),
        Err(Elapsed { .. }) => (
            FaultKind::OverTime,
            format!(
                "the call did not finish within {} s",
                CALL_WALL_MAX.as_secs()
            ),
        ),
    };
    let fault = PluginFault {
        plugin: state.plugin.clone(),
        kind,
        detail,
    };
    if fault.kind.retry_after().is_some() {
        // The breaker has logged it.
        return Err(fault);
    }
    let stderr = state.stderr();
    tracing::warn!(
        plugin = %fault.plugin,
        call = state.call(),
        kind = fault.kind.label(),
        detail = fault.detail,
        stderr = stderr.trim_end(),
        "plugin failed"
    );
    Err(fault)
}

/// Creates and logs the fault of a guest that returned a value the contract does not allow, in a call of a client or in
/// none.
pub(crate) fn invalid_output(
    plugin: &PluginId,
    call: Option<&str>,
    detail: impl Into<String>,
) -> PluginFault {
    let fault = PluginFault {
        plugin: plugin.clone(),
        kind: FaultKind::InvalidOutput,
        detail: detail.into(),
    };
    let plugin = &fault.plugin;
    tracing::warn!(%plugin, call, detail = fault.detail, "plugin returned an invalid response");
    fault
}

/// Returns the kind and the detail of a fault.
fn explain(state: &HostState, error: &wasmtime::Error) -> (FaultKind, String) {
    if let Some(fault) = error.downcast_ref::<PluginFault>() {
        return (fault.kind, fault.detail.clone());
    }
    if error.is::<TimeLimitExceeded>() {
        let ran = TICK * state.ticks_max;
        return (
            FaultKind::OverTime,
            format!("it was stopped after {} ms", ran.as_millis()),
        );
    }
    // Not the outermost error: wasmtime puts the guest's backtrace there.
    let cause = error.root_cause().to_string();
    if cause.contains(HOSTCALL_FUEL) {
        let most = OUTPUT_BYTES_MAX >> 20;
        return (
            FaultKind::OverOutput,
            format!("it passed more than {most} MiB to the host in one call"),
        );
    }
    if error.is::<PoolConcurrencyLimitError>() {
        // A component made of many core modules takes more than one slot of each kind, so the slots can
        // run out before the permits for instances do.
        return (FaultKind::Overloaded, cause);
    }
    // Most languages abort when memory cannot grow, and the trap does not contain the reason.
    if let Some(limit) = &state.memory_refused {
        return (
            FaultKind::Trapped,
            format!("it requested more than {limit}: {cause}"),
        );
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => (FaultKind::Trapped, trap.to_string()),
        None => (FaultKind::Trapped, cause),
    }
}

/// Part of wasmtime's message for the error, which has no type of its own. The test
/// `enforces_the_output_limit` fails if wasmtime changes it.
const HOSTCALL_FUEL: &str = "fuel allocated for hostcalls has been exhausted";
