//! Opens the database file, checks it, and migrates it to the newest schema.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::limits::DATABASE_BUSY_MAX;
use crate::{OpenError, permissions};

/// Migrations: each leads from the schema with its index to the next. A released step must never
/// change; append another one.
pub(crate) const STEPS: [&str; 1] = ["
    CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE credentials (
        id TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        enabled INTEGER,
        tokens BLOB,
        definition BLOB,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE health (
        credential TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (credential, model)
    ) STRICT, WITHOUT ROWID;
"];

/// Opens a database, and creates it if it does not exist. A database with a newer schema is left
/// unchanged.
pub(crate) fn open(path: &Path, steps: &[&str]) -> Result<Connection, OpenError> {
    let failed = |why: String| OpenError::Database {
        path: path.to_owned(),
        why,
    };
    // SQLite alone would create a file that other users may read. Its WAL file gets this file's mode.
    permissions::create_private_file(path).map_err(|error| failed(error.to_string()))?;
    let opened = (|| {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(DATABASE_BUSY_MAX)?;
        let version = version(&connection)?;
        // Checked before `prepare`, which changes the file's journal mode.
        if version > newest(steps) {
            return Ok(Err(version));
        }
        prepare(&connection)?;
        let damage = find_damage(&connection)?;
        if damage.is_none() {
            migrate(&mut connection, steps)?;
        }
        Ok(Ok((connection, damage)))
    })();
    match opened {
        Err(error) => Err(failed(describe_error(&error))),
        Ok(Err(version)) => Err(OpenError::Newer {
            path: path.to_owned(),
            version,
            known: newest(steps),
        }),
        Ok(Ok((_, Some(damage)))) => Err(failed(format!("it is damaged: {damage}"))),
        Ok(Ok((connection, None))) => Ok(connection),
    }
}

/// Describes an error of SQLite, with advice if there is any. It contains no values.
pub(crate) fn describe_error(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, PermissionDenied,
        ReadOnly,
    };
    let advice = match error.sqlite_error_code() {
        Some(DatabaseBusy) => "; another program has locked it: end that program",
        Some(DatabaseCorrupt | NotADatabase) => "; it is damaged",
        Some(DiskFull) => "; free space on the disk",
        Some(CannotOpen | PermissionDenied | ReadOnly) => {
            "; Jackfield's user needs write access to it and its folder"
        }
        _ => "",
    };
    format!("{error}{advice}")
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // WAL: readers and the writer do not block each other. FULL: a commit is on the disk when it
    // returns.
    // SQLite reports a lock at once, without its busy timeout, when several processes switch a new file
    // to WAL together. A transaction does wait for the other process.
    for _ in 0..WAL_TRIES_MAX {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
            }
            _ => break,
        }
    }
    // Reports what the tries did not solve; in WAL already it changes nothing.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Overwrites deleted secrets, which would otherwise stay in unused pages.
    connection.pragma_update(None, "secure_delete", "ON")
}

/// Returns what is damaged in the file, if anything. Otherwise a later save would discover it.
fn find_damage(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}

/// Applies all missing steps or none. Other processes that open the database wait.
fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read under the write lock: another process may have migrated the file meanwhile.
    let version = usize::try_from(version(&transaction)?).unwrap_or(0);
    if version >= steps.len() {
        return Ok(());
    }
    for step in steps.iter().skip(version) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", newest(steps))?;
    transaction.commit()
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn newest(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

/// How often a new file is switched to WAL while other processes do the same.
const WAL_TRIES_MAX: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrates_old_schema_atomically() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.db");
        let first = "CREATE TABLE one (name TEXT) STRICT; INSERT INTO one VALUES ('value');";
        drop(open(&path, &[first]).unwrap());

        let invalid_steps = [first, "CREATE TABLE two (name TEXT) STRICT", "not SQL"];
        assert!(open(&path, &invalid_steps).is_err());
        let next = [first, "CREATE TABLE two AS SELECT name FROM one"];
        let connection = open(&path, &next).unwrap();
        assert_eq!(version(&connection), Ok(2));
        let value = connection.query_row("SELECT name FROM two", [], |row| row.get(0));
        assert_eq!(value, Ok("value".to_owned()));

        drop(connection);
        let refused = open(&path, &[first]).unwrap_err();
        assert!(
            matches!(
                refused,
                OpenError::Newer {
                    version: 2,
                    known: 1,
                    ..
                }
            ),
            "{refused}"
        );
    }

    #[test]
    fn concurrent_creators_all_open_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/new.db");
        std::thread::scope(|scope| {
            let opening = || open(&path, &STEPS).map(drop);
            let all: Vec<_> = (0..8).map(|_| scope.spawn(opening)).collect();
            for one in all {
                one.join().unwrap().unwrap();
            }
        });
    }
}
