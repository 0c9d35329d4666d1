//! Persists credentials: an SQLite database in one file, with encrypted secrets. This is the only
//! crate that uses a database.

mod database;
mod key;
mod limits;
mod permissions;
mod rows;
mod schema;
mod seal;
mod sqlite;

pub use jackfield_files::LockError;
pub use key::{Key, KeyError};
use sqlite::DATABASE;
pub use sqlite::{OpenError, SqliteStore};
