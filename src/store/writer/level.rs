//! Price levels of books.

use rusqlite::params;

use crate::model::{BookLevels, Side};

use super::{EVENT_BITS, Group, Written, frames};

impl Group<'_> {
    pub(super) fn levels(&mut self, update: &BookLevels) -> Written {
        let asked = match update.events_from {
            Some(seq) => frames::frame_of(self.connection, self.session_id, seq)?,
            None => None,
        };
        let insert = "INSERT INTO book_update (id, instrument, is_snapshot, levels, events_from, first_seq, last_seq, \
             received_at, age) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.connection.prepare_cached(insert)?.execute(params![
            self.id,
            self.market(update.market)?.instrument,
            update.is_snapshot,
            update.levels.len() as i64,
            asked.map_or(self.id, |frame| frame << EVENT_BITS),
            update.first,
            update.last,
            self.at.0,
            self.age(update.time)?,
        ])?;
        let insert = "INSERT INTO book_level (id, n, side, price, quantity) VALUES (?, ?, ?, ?, ?)";
        let mut insert = self.connection.prepare_cached(insert)?;
        for (n, level) in update.levels.iter().enumerate() {
            insert.execute(params![
                self.id,
                n as i64,
                level.side == Side::Ask,
                self.number_at(n, "price", level.price.as_ref())?,
                self.number_at(n, "quantity", level.quantity.as_ref())?,
            ])?;
        }
        Ok(())
    }
}
