//! The host functions that guests of version 0.2 import. None of them waits. What a guest reads of a client
//! is noted: a plan is remembered with it, and the instance serves no other client.

use tracing::Level;

use super::bindings::{call, candidates, client, client_body, log, settings, types};
use crate::host_state::HostState;
use crate::reads::Read;

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

impl call::Host for HostState {
    fn now_ms(&mut self) -> u64 {
        self.reads.use_once();
        self.input.now_ms
    }

    fn random(&mut self) -> u64 {
        self.reads.use_once();
        self.input.random()
    }

    fn attempt(&mut self) -> u32 {
        self.reads.use_once();
        self.input.attempt
    }
}

impl client::Host for HostState {
    fn header(&mut self, name: String) -> Vec<String> {
        let values = self.input.header(&name).map(str::to_owned).collect();
        self.note(Read::Header(name));
        values
    }

    fn member(&mut self, name: String) -> Option<String> {
        let value = self.input.member(&name).map(str::to_owned);
        self.note(Read::Member(name));
        value
    }

    fn session(&mut self) -> Option<u64> {
        self.note(Read::Session);
        self.input.session
    }
}

impl client_body::Host for HostState {
    fn length(&mut self) -> u64 {
        self.note(Read::BodyLength);
        self.input.body.len() as u64
    }

    fn read(&mut self) -> Vec<u8> {
        self.note_body();
        self.input.body.to_vec()
    }

    fn text(&mut self) -> Option<String> {
        self.note_body();
        String::from_utf8(self.input.body.to_vec()).ok()
    }

    fn at(&mut self, pointer: String) -> Option<String> {
        let value = self.input.body_value(&pointer).map(str::to_owned);
        self.note(Read::Pointer(pointer));
        value
    }
}

crate::contract::candidates::impl_candidates!(candidates);
