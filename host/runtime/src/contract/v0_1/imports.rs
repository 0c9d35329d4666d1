//! The host functions that guests of version 0.1 import: log, settings, the client's body, and the
//! candidates. None of them waits.

use tracing::Level;

use super::bindings::{candidates, client_body, log, settings, types};
use crate::host_state::HostState;

impl types::Host for HostState {}

impl log::Host for HostState {
    fn write(&mut self, level: log::Level, message: String) {
        self.log(
            match level {
                log::Level::Trace => Level::TRACE,
                log::Level::Debug => Level::DEBUG,
                log::Level::Info => Level::INFO,
                log::Level::Warn => Level::WARN,
                log::Level::Error => Level::ERROR,
            },
            &message,
        );
    }
}

impl settings::Host for HostState {
    fn json(&mut self) -> String {
        self.settings.as_ref().to_owned()
    }
}

impl client_body::Host for HostState {
    fn length(&mut self) -> u64 {
        self.input.body.len() as u64
    }

    fn read(&mut self) -> Vec<u8> {
        self.tainted = true;
        self.input.body.to_vec()
    }

    fn at(&mut self, pointer: String) -> Option<String> {
        self.tainted = true;
        self.input.body_value(&pointer).map(str::to_owned)
    }
}

crate::contract::candidates::impl_candidates!(candidates);
