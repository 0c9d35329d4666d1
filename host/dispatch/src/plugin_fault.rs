//! Plugins that break the contract in what they return.

use crate::client_digest::ClientDigest;
use crate::port::{Executor, FaultKind, PluginFault};

/// Logs and counts output that the contract does not allow. `detail` is for the plugin's author.
pub(crate) fn report_invalid_output(
    executor: &dyn Executor,
    client: ClientDigest,
    detail: String,
) -> PluginFault {
    let plugin = executor.plugin().clone();
    tracing::warn!(%plugin, detail, "plugin returned an invalid response");
    executor.note_fault(client);
    PluginFault {
        plugin,
        kind: FaultKind::InvalidOutput,
        detail,
    }
}
