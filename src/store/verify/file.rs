//! What SQLite itself can tell of its file.

use super::{Aspect, Report, Verifier};
use crate::store::StoreError;
use crate::store::reader::Reader;

/// Defects that SQLite tells of before it gives up.
const DEFECTS_MAX: u32 = 100;

impl Verifier {
    /// Lets SQLite look at its pages, indexes and constraints, and at what refers to other rows.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn file(&mut self) -> Result<(), StoreError> {
        self.look(|reader, report| {
            pages(reader, report).and_then(|()| references(reader, report)).map_err(|error| reader.fault(error))
        })
    }
}

fn pages(reader: &Reader, report: &mut Report) -> rusqlite::Result<()> {
    let mut check = reader.connection.prepare(&format!("PRAGMA integrity_check({DEFECTS_MAX})"))?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        if said != "ok" {
            report.find(Aspect::File, "sqlite", said.replace('\n', " "));
        }
    }
    Ok(())
}

fn references(reader: &Reader, report: &mut Report) -> rusqlite::Result<()> {
    let mut check = reader.connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let (table, id, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let place = id.map_or_else(|| table.clone(), |id| format!("{table} {id}"));
        report.find(Aspect::File, place, format!("refers to a row of {parent} that there is not"));
    }
    Ok(())
}
