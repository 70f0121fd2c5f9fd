//! Which schema a file has, and how it gets the newest.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Marks a file as ours (`PRAGMA application_id`): "FTAP".
pub const APPLICATION_ID: i64 = 0x4654_4150;

/// The migrations, in order; the first makes version 1. Append-only once released.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_core.sql"),
    include_str!("../../migrations/0002_views.sql"),
    include_str!("../../migrations/0003_account_views.sql"),
    include_str!("../../migrations/0004_book.sql"),
    include_str!("../../migrations/0006_venues.sql"),
    include_str!("../../migrations/0007_look.sql"),
    include_str!("../../migrations/0008_fees.sql"),
];

/// The schema version this program writes (`PRAGMA user_version`).
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Refuses a file that is not ours or that a newer version wrote; says which schema version it has (0: none yet).
///
/// # Errors
/// If it is refused, or cannot be read.
pub fn check(path: &Path, connection: &Connection) -> Result<i64, StoreError> {
    let read = || -> rusqlite::Result<(i64, i64, bool)> {
        Ok((
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
            connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
            connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?,
        ))
    };
    let (application, version, has_tables) = read().map_err(|error| StoreError::of(path, error))?;
    match application {
        APPLICATION_ID if version > SCHEMA_VERSION => {
            Err(StoreError::Newer { path: path.to_owned(), found: version, known: SCHEMA_VERSION })
        }
        APPLICATION_ID => Ok(version),
        0 if version == 0 && !has_tables => Ok(0),
        _ => Err(StoreError::Foreign {
            path: path.to_owned(),
            what: format!("a SQLite file with application_id {application:#x}"),
        }),
    }
}

/// Brings a file that [`check`] found to have `version` to the newest schema, in one transaction.
///
/// # Errors
/// If a step fails; then the file is as it was.
pub fn migrate(path: &Path, connection: &mut Connection, version: i64) -> Result<(), StoreError> {
    apply(path, connection, version, MIGRATIONS)
}

fn apply(path: &Path, connection: &mut Connection, version: i64, migrations: &[&str]) -> Result<(), StoreError> {
    let known = usize::try_from(version).unwrap_or(0);
    if known >= migrations.len() {
        return Ok(());
    }
    let mut migrate = || {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        migrations[known..].iter().try_for_each(|migration| transaction.execute_batch(migration))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", migrations.len() as i64)?;
        transaction.commit()
    };
    migrate().map_err(|error| StoreError::of(path, error))
}

#[cfg(test)]
mod tests;
