//! Keeps what is known of credentials over a restart: an SQLite database in one file, with secrets
//! encrypted. The only crate that knows a database.

mod database;
mod key;
pub mod limits;
mod permissions;
mod rows;
mod schema;
mod seal;
mod sqlite;

pub use key::{Key, KeyError};
pub use sqlite::{DATABASE, OpenError, SqliteStore};
