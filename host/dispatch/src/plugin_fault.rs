//! Plugins that break the contract in what they return.

use crate::client_digest::ClientDigest;
use crate::port::{Executor, FaultKind, PluginFault};

/// Logs and counts output that the contract does not allow. `call` is the id of the client's call, if there is one, and
/// `detail` is for the plugin's author.
pub(crate) fn report_invalid_output(
    executor: &dyn Executor,
    client: ClientDigest,
    call: Option<&str>,
    detail: String,
) -> PluginFault {
    let plugin = executor.plugin().clone();
    tracing::warn!(%plugin, call, detail, "plugin returned an invalid response");
    executor.note_fault(client);
    PluginFault {
        plugin,
        kind: FaultKind::InvalidOutput,
        detail,
    }
}
