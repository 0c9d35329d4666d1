//! Stops calling a plugin where it fails: for the client on whose requests it fails, and for all clients only if it
//! fails for several of them. It must not refuse a client that did nothing.
//!
//! The rule: a client is accused while its last call failed. A plugin is suspended for all if most calls of the last 30 s
//! failed, also without those of the client that had the most faults, and three clients are accused, or all that used it,
//! if they are fewer. One client that alone used it has it suspended by its calls alone. While fewer than three are
//! accused, a client that is not passes at once: if the plugin works for it, the suspension ends, and if not, it is one
//! more. With three of them single calls pass as trials; a client whose trial failed, or that left in its trial, leaves the
//! next one to the others. The version before takes over only because of two clients, or of the only one that there is.

mod circuit;
mod clients;
mod events;
mod few_clients;
mod window;

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jackfield_credential::Timestamp;
use jackfield_dispatch::port::{FaultKind, PluginFault, PluginId};
use jackfield_dispatch::{ClientDigest, Clock};
use parking_lot::Mutex;

use self::circuit::Circuit;
use self::clients::Clients;
pub use self::events::BreakerEvent;
pub(crate) use self::events::{BreakerCallback, BreakerNotice, TakeBackDue};
use self::events::{client_suspended, client_why};
use self::few_clients::FewClients;
use self::window::{Evidence, Window};
use crate::limits::{
    ABANDONED_TIME_FREE, EVIDENCE_WINDOW, FAULT_WASTE_MIN, SUSPENDED_CLIENTS_SHOWN,
    SUSPENDED_PLUGIN_WAIT, SUSPENDED_PLUGIN_WAIT_MAX,
};

/// The breaker of one generation.
pub(crate) struct Breaker {
    plugin: PluginId,
    clock: Clock,
    /// Whether anything is suspended. The quiet path reads only this before a call.
    any_open: AtomicBool,
    state: Mutex<BreakerState>,
    on_event: OnceLock<BreakerCallback>,
}

struct BreakerState {
    clients: Clients,
    window: Window,
    circuit: Circuit,
    evidence: Option<Evidence>,
    /// The first clients that used it since it was loaded.
    users: FewClients,
    /// Clients for which it failed, while it is suspended.
    accused: FewClients,
    /// The latest of them whose trial failed or was given up.
    failed_trials: FewClients,
}

/// Leave to call a plugin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    pub(crate) client: ClientDigest,
    /// Whether it is a call of its own. The further calls of an exchange are not refused and not counted.
    is_entry: bool,
    is_client_trial: bool,
    plugin_trial: Option<PluginTrial>,
}

/// Why a call of a plugin that is suspended for all passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PluginTrial {
    /// The plugin's next trial is due.
    Turn,
    /// Its client has had no fault.
    WithoutFault,
}

/// What is suspended of one generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BreakerStatus {
    /// Set while it is not called for any client.
    pub suspended: Option<Suspended>,
    /// Clients for which it is not called, the latest first. At most [`SUSPENDED_CLIENTS_SHOWN`].
    pub clients: Vec<(ClientDigest, Suspended)>,
}

/// Since when and why a plugin is not called, and when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspended {
    /// Since when.
    pub since: Timestamp,
    /// Why, in words.
    pub why: String,
    /// When the next call is let through, as a trial.
    pub next_trial: Timestamp,
}

impl Pass {
    /// A further call of an exchange that was let through.
    pub(crate) const fn further(client: ClientDigest) -> Self {
        Self {
            client,
            is_entry: false,
            is_client_trial: false,
            plugin_trial: None,
        }
    }

    const fn is_trial(self) -> bool {
        self.is_client_trial || self.plugin_trial.is_some()
    }
}

impl Breaker {
    pub(crate) fn new(plugin: PluginId, clock: Clock) -> Self {
        Self {
            plugin,
            clock,
            any_open: AtomicBool::new(false),
            state: Mutex::new(BreakerState {
                clients: Clients::default(),
                window: Window::default(),
                circuit: Circuit::new(SUSPENDED_PLUGIN_WAIT, SUSPENDED_PLUGIN_WAIT_MAX),
                evidence: None,
                users: FewClients::default(),
                accused: FewClients::default(),
                failed_trials: FewClients::default(),
            }),
            on_event: OnceLock::new(),
        }
    }

    /// Sets what is called at each event. The first callback stays.
    pub(crate) fn on_event(&self, callback: BreakerCallback) {
        let _ = self.on_event.set(callback);
    }

    /// Lets a call of a client through.
    ///
    /// # Errors
    /// `Suspended` or `SuspendedForClient`, with the time until the next trial.
    pub(crate) fn admit(&self, client: ClientDigest) -> Result<Pass, PluginFault> {
        let mut pass = Pass {
            is_entry: true,
            ..Pass::further(client)
        };
        if !self.any_open.load(Ordering::Relaxed) || client == ClientDigest::HOST {
            return Ok(pass);
        }
        let now = self.clock.now();
        let mut state = self.state.lock();
        let for_client = state.clients.check(client, now);
        pass.is_client_trial = for_client.map_err(|wait| self.refused_client(wait))?;
        let for_all = state.plugin_trial(client, now);
        pass.plugin_trial = for_all.map_err(|wait| self.refused(wait))?;
        // Only now: a call that one of both refuses must not use up a trial of the other.
        if pass.is_client_trial {
            state.clients.begin_trial(client, now);
        }
        if pass.plugin_trial == Some(PluginTrial::Turn) {
            state.circuit.begin_trial(now);
        }
        Ok(pass)
    }

    /// A call that was let through did not reach the plugin, because no instance or place was free: if it was a trial,
    /// the next call is one.
    pub(crate) fn not_run(&self, pass: Pass) {
        if !pass.is_trial() {
            return;
        }
        let now = self.clock.now();
        let mut state = self.state.lock();
        if pass.is_client_trial {
            state.clients.return_trial(pass.client, now);
        }
        if pass.plugin_trial == Some(PluginTrial::Turn) {
            state.circuit.return_trial(now);
        }
    }

    /// Checks whether a call that was let through may still run: another call of its client may have used up the
    /// budget meanwhile.
    ///
    /// # Errors
    /// `SuspendedForClient`.
    pub(crate) fn check(&self, pass: Pass) -> Result<(), PluginFault> {
        if !self.any_open.load(Ordering::Relaxed) || pass.is_trial() {
            return Ok(());
        }
        let open = self.state.lock().clients.open_of(pass.client);
        match open {
            Some(open) => {
                let wait = open.trial_at.saturating_since(self.clock.now());
                Err(self.refused_client(wait))
            }
            None => Ok(()),
        }
    }

    /// A call ended well.
    pub(crate) fn succeeded(&self, pass: Pass) {
        if !pass.is_entry {
            return;
        }
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.users.add(pass.client);
        state.window.count_success(pass.client, now);
        if !pass.is_trial() {
            return;
        }
        if pass.is_client_trial {
            state.clients.trial_succeeded(pass.client, now);
        }
        let resumed = pass.plugin_trial.is_some() && state.circuit.open().is_some();
        if resumed {
            state.circuit.close(now);
            state.window = Window::default();
            state.evidence = None;
        }
        self.note_open(&state);
        drop(state);
        if pass.is_client_trial {
            self.report(BreakerEvent::ClientResumed(pass.client));
        }
        if resumed {
            self.report(BreakerEvent::Resumed);
        }
    }

    /// A call ended with a fault after the guest ran for this time.
    pub(crate) fn failed(&self, pass: Pass, ran: Duration) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.users.add(pass.client);
        state.window.count_fault(pass.client, pass.is_entry, now);
        let accused_before = state.accused.len();
        state.note_failed_trial(pass, now);
        let time = ran.max(FAULT_WASTE_MIN);
        let client_open = state
            .clients
            .charge(pass.client, time, pass.is_client_trial, now);
        let suspended = state.trip(now);
        let is_new = suspended.is_some() || state.accused.len() > accused_before;
        let take_back = is_new.then(|| state.take_back_due()).flatten();
        self.note_open(&state);
        drop(state);
        if let Some(open) = client_open {
            self.report(client_suspended(pass.client, open));
        }
        if let Some(suspended) = suspended {
            self.report(BreakerEvent::Suspended(suspended));
        }
        if let Some(due) = take_back {
            self.notify(BreakerNotice::TakeBackDue(due));
        }
    }

    /// A call has no result, because its client left or was suspended. The guest ran for this time.
    pub(crate) fn abandoned(&self, pass: Pass, ran: Duration) {
        let is_turn = pass.plugin_trial == Some(PluginTrial::Turn);
        if ran < ABANDONED_TIME_FREE && !is_turn {
            return;
        }
        let now = self.clock.now();
        let mut state = self.state.lock();
        if is_turn {
            // Otherwise a client could take each trial and leave.
            state.failed_trials.add_latest(pass.client);
            state.circuit.return_trial(now);
        }
        if ran < ABANDONED_TIME_FREE {
            return;
        }
        let open = state.clients.charge(pass.client, ran, false, now);
        self.note_open(&state);
        drop(state);
        if let Some(open) = open {
            self.report(client_suspended(pass.client, open));
        }
    }

    /// Whether no client but this one has used the generation.
    pub(crate) fn is_used_only_by(&self, client: ClientDigest) -> bool {
        let users = self.state.lock().users;
        users.len() == 0 || users.only() == Some(client)
    }

    /// Returns what is suspended.
    pub(crate) fn status(&self) -> BreakerStatus {
        let state = self.state.lock();
        let clients = state.clients.suspended(SUSPENDED_CLIENTS_SHOWN);
        let client = |one: clients::SuspendedClient| (one.client, one.open.status(client_why()));
        BreakerStatus {
            suspended: state.suspended(),
            clients: clients.into_iter().map(client).collect(),
        }
    }

    fn note_open(&self, state: &BreakerState) {
        let any = state.clients.any_suspended() || state.circuit.open().is_some();
        self.any_open.store(any, Ordering::Relaxed);
    }

    fn report(&self, event: BreakerEvent) {
        event.log(&self.plugin, self.clock.now());
        self.notify(BreakerNotice::Event(event));
    }

    fn notify(&self, notice: BreakerNotice) {
        if let Some(callback) = self.on_event.get() {
            callback(notice);
        }
    }

    fn refused_client(&self, retry_after: Duration) -> PluginFault {
        let detail = format!(
            "{}; the next one is tried in {} s",
            client_why(),
            seconds(retry_after)
        );
        self.fault(FaultKind::SuspendedForClient { retry_after }, detail)
    }

    fn refused(&self, retry_after: Duration) -> PluginFault {
        let detail = format!(
            "it failed in most calls of several clients; the next one is tried in {} s",
            seconds(retry_after)
        );
        self.fault(FaultKind::Suspended { retry_after }, detail)
    }

    fn fault(&self, kind: FaultKind, detail: String) -> PluginFault {
        PluginFault {
            plugin: self.plugin.clone(),
            kind,
            detail,
        }
    }
}

impl BreakerState {
    /// Whether a call passes although the plugin is suspended for all, and why. `None` if it is not suspended.
    ///
    /// # Errors
    /// How long it is until the client may have a trial.
    fn plugin_trial(
        &self,
        client: ClientDigest,
        now: Timestamp,
    ) -> Result<Option<PluginTrial>, Duration> {
        let Some(open) = self.circuit.open() else {
            return Ok(None);
        };
        if !self.accused.is_full() && !self.accused.contains(client) {
            return Ok(Some(PluginTrial::WithoutFault));
        }
        let turn_at = match self.failed_trials.contains(client) {
            false => open.trial_at,
            true => open.second_turn_at(),
        };
        if now < turn_at {
            return Err(turn_at.saturating_since(now));
        }
        Ok(Some(PluginTrial::Turn))
    }

    fn note_failed_trial(&mut self, pass: Pass, now: Timestamp) {
        let Some(trial) = pass.plugin_trial else {
            return;
        };
        self.accused.add(pass.client);
        if trial == PluginTrial::Turn {
            self.failed_trials.add_latest(pass.client);
            self.circuit.trial_failed(now);
        }
    }

    /// Suspends the plugin for all if its faults are its own. Returns the suspension, if it begins now.
    fn trip(&mut self, now: Timestamp) -> Option<Suspended> {
        if self.circuit.open().is_some() {
            return None;
        }
        let evidence = self.window.evidence(now)?;
        self.circuit.trip(now);
        self.accused = evidence.accused;
        self.failed_trials = FewClients::default();
        self.evidence = Some(evidence);
        self.suspended()
    }

    /// Whether the version before may take over from this one, which is suspended: never because of one client of several.
    fn take_back_due(&self) -> Option<TakeBackDue> {
        let only_client = self.accused.only();
        if only_client.is_some() && self.users.only() != only_client {
            return None;
        }
        let why = self.suspended()?.why;
        Some(TakeBackDue { why, only_client })
    }

    fn suspended(&self) -> Option<Suspended> {
        let why = self.evidence.map(|evidence| evidence.to_string());
        Some(self.circuit.open()?.status(why.unwrap_or_default()))
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            faults,
            accused,
        } = self;
        let clients = accused.len();
        let window = EVIDENCE_WINDOW.as_secs();
        write!(
            formatter,
            "{faults} faults in {calls} calls within {window} s, of {clients} client(s) or more"
        )
    }
}

impl circuit::Open {
    fn status(self, why: String) -> Suspended {
        Suspended {
            since: self.since,
            why,
            next_trial: self.trial_at,
        }
    }
}

/// Rounds up: a client that comes a moment too early would be refused again.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000) as u64
}

#[cfg(test)]
mod tests;
