//! What was recorded of a source that a new beginning with it must know.

use rusqlite::params;

use crate::model::Timestamp;

use super::{Reader, StoreError};

impl Reader {
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
