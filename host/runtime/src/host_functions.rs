//! The host functions that guests import: log, settings, the client's body, and the candidates. None of
//! them waits.

use std::sync::atomic::Ordering;

use jackfield_dialect::{json, truncate};
use jackfield_dispatch::port::Columns;

use crate::bindings::{candidates, client_body, log, settings, types};
use crate::host_state::HostState;
use crate::limits::LOG_LINE_BYTES_MAX;

impl types::Host for HostState {}

impl log::Host for HostState {
    fn write(&mut self, level: log::Level, message: String) {
        let Some(left) = self.log_lines_left.checked_sub(1) else {
            self.log_lines_dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.log_lines_left = left;
        let message = truncate(&message, LOG_LINE_BYTES_MAX);
        let plugin = &self.plugin;
        match level {
            log::Level::Trace => tracing::trace!(%plugin, "{message}"),
            log::Level::Debug => tracing::debug!(%plugin, "{message}"),
            log::Level::Info => tracing::info!(%plugin, "{message}"),
            log::Level::Warn => tracing::warn!(%plugin, "{message}"),
            log::Level::Error => tracing::error!(%plugin, "{message}"),
        }
    }
}

impl settings::Host for HostState {
    fn json(&mut self) -> String {
        self.settings.as_ref().to_owned()
    }
}

impl client_body::Host for HostState {
    fn length(&mut self) -> u64 {
        self.body.len() as u64
    }

    fn read(&mut self) -> Vec<u8> {
        self.saw_content = true;
        self.body.to_vec()
    }

    fn at(&mut self, pointer: String) -> Option<String> {
        self.saw_content = true;
        // `saw_content` is already set: even `None` tells the guest what the body does not have.
        let range = json::find(&self.body, &pointer).ok()??;
        String::from_utf8(self.body[range].to_vec()).ok()
    }
}

impl candidates::Host for HostState {
    fn len(&mut self) -> u32 {
        self.column(0, |candidates| {
            u32::try_from(candidates.len()).unwrap_or(u32::MAX)
        })
    }

    fn identities(&mut self) -> Vec<u64> {
        self.column(Vec::new(), Columns::identities)
    }

    fn weights(&mut self) -> Vec<u32> {
        self.column(Vec::new(), Columns::weights)
    }

    fn in_flight(&mut self) -> Vec<u32> {
        self.column(Vec::new(), Columns::in_flight)
    }

    fn error_permille(&mut self) -> Vec<u16> {
        self.column(Vec::new(), Columns::error_permille)
    }

    fn latency_ms(&mut self) -> Vec<u32> {
        self.column(Vec::new(), Columns::latency_ms)
    }

    fn quota_left_permille(&mut self) -> Vec<u16> {
        self.column(Vec::new(), Columns::quota_left_permille)
    }

    fn quota_reset_ms(&mut self) -> Vec<u64> {
        self.column(Vec::new(), Columns::quota_reset_ms)
    }

    fn last_used_ms(&mut self) -> Vec<u64> {
        self.column(Vec::new(), Columns::last_used_ms)
    }

    fn attribute(&mut self, name: String) -> Vec<Option<String>> {
        self.column(Vec::new(), |candidates| candidates.attribute(&name))
    }
}

impl HostState {
    /// Reads a column of the candidates. Returns `none` outside of a pick.
    fn column<T>(&self, none: T, read: impl FnOnce(&dyn Columns) -> T) -> T {
        self.candidates.as_deref().map_or(none, read)
    }
}
