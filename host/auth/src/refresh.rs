//! Token refresh: what is due (`schedule`), what an executor decides itself (`policy`), and one refresh
//! from the request to the saved tokens (`run`).

mod policy;
mod run;
mod schedule;

pub(crate) use run::begin;
pub(crate) use schedule::run_scheduled;
