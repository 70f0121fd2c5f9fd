//! What was recorded of a source that a new beginning with it must know.

use rusqlite::{OptionalExtension as _, params};

use crate::model::{Timestamp, UserId};

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

    /// The logins since then that count together: those of a user of a venue, whatever the source was called, and those of a
    /// source. Where users have no number (API keys, wallets) the file does not know them, and the source is all there is.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn recent_logins(
        &self,
        source: &str,
        venue: &str,
        user: Option<UserId>,
        since: Timestamp,
    ) -> Result<LoginHistory, StoreError> {
        let user = user.map(|user| user.to_string());
        let read = || -> rusqlite::Result<LoginHistory> {
            // Only the commands since the first of the sessions in question are looked at, however long the file is.
            let recent = "WITH recent AS (SELECT session.* FROM session JOIN source ON source.id = session.source \
                 WHERE (source.name = ?1 OR (source.venue = ?2 AND session.user = ?3)) \
                 AND (closed_at IS NULL OR closed_at >= ?4)) ";
            let sent = "SELECT sent_at FROM command WHERE session IN (SELECT id FROM recent) \
                 AND method IN ('Authenticate', 'login') AND sent_at >= ?4 \
                 AND id >= (SELECT min(first_frame) << 22 FROM frame_span WHERE session IN (SELECT id FROM recent))";
            let refused = "SELECT login_refused_at, login_error_code FROM recent WHERE login_refused_at >= ?4 \
                 AND (authenticated_at IS NULL OR authenticated_at < login_refused_at)";
            let what = params![source, venue, user, since.0];
            let mut statement = self.connection.prepare(&format!("{recent}{sent}"))?;
            let sent = statement.query_map(what, |row| row.get(0).map(Timestamp))?.collect::<Result<_, _>>()?;
            let mut statement = self.connection.prepare(&format!("{recent}{refused}"))?;
            let refused = statement.query_map(what, |row| Ok((Timestamp(row.get(0)?), row.get(1)?)))?;
            Ok(LoginHistory { sent, refused: refused.collect::<Result<_, _>>()? })
        };
        read().map_err(|error| self.fault(error))
    }
}

/// Logins of an earlier process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginHistory {
    /// When they were sent.
    pub sent: Vec<Timestamp>,
    /// When the venue refused, with its code, and no login was accepted in that session afterwards.
    pub refused: Vec<(Timestamp, i64)>,
}
