//! What was recorded of a source that a new beginning with it must know.

use rusqlite::{OptionalExtension as _, params};

use crate::model::Timestamp;

use super::{Reader, StoreError};

impl Reader {
    /// Finds out whether a source may be recorded as one of that venue: a source has one venue in a file.
    ///
    /// # Errors
    /// If the file has it as one of another, or cannot be read.
    pub fn check_venue(&self, source: &str, venue: &str) -> Result<(), StoreError> {
        let select = "SELECT venue FROM source WHERE name = ? AND venue <> ?";
        let found = self.connection.query_row(select, [source, venue], |row| row.get(0)).optional();
        match found.map_err(|error| self.fault(error))? {
            None => Ok(()),
            Some(found) => {
                let (path, name, wanted) = (self.path.clone(), source.to_owned(), venue.to_owned());
                Err(StoreError::OtherVenue { path, name, found, wanted })
            }
        }
    }

    /// When a source sent logins, from `since` on.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn recent_logins(&self, source: &str, since: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Timestamp>> {
            // Only the commands since the first of the sessions in question are looked at, however long the file is.
            let sql = "WITH recent AS (SELECT session.id FROM session JOIN source ON source.id = session.source \
                 WHERE source.name = ?1 AND connecting_at >= ?2 - 86400000000000) \
                 SELECT sent_at FROM command WHERE session IN recent AND method = 'Authenticate' AND sent_at >= ?2 \
                 AND id >= (SELECT min(first_frame) << 22 FROM frame_span WHERE session IN recent)";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map(params![source, since.0], |row| row.get(0).map(Timestamp))?;
            rows.collect()
        };
        read().map_err(|error| self.fault(error))
    }
}
