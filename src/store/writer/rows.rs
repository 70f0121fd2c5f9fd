//! Rows of the tables that get millions: gathered, so that one statement inserts many.

use rusqlite::Connection;

/// How many rows a statement inserts. More saves little and makes statements larger.
const ROWS_PER_STATEMENT: usize = 128;

/// A table whose rows are gathered.
#[derive(Clone, Copy)]
pub(super) struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns that are written, `id` first.
    pub columns: &'static str,
}

/// The rows of a table that SQLite has not been given yet; each of `COLUMNS` whole numbers or NULLs.
pub(super) struct Rows<const COLUMNS: usize> {
    one: String,
    many: String,
    waiting: Vec<[Option<i64>; COLUMNS]>,
}

impl<const COLUMNS: usize> Rows<COLUMNS> {
    pub(super) fn new(table: Table) -> Self {
        let values = format!("({})", ["?"; COLUMNS].join(","));
        let insert = |rows: usize| {
            let values = vec![values.as_str(); rows].join(",");
            // What fails takes back the whole group anyway. Said here, it spares SQLite a journal for each statement.
            format!("INSERT OR ROLLBACK INTO {} ({}) VALUES {values}", table.name, table.columns)
        };
        Self { one: insert(1), many: insert(ROWS_PER_STATEMENT), waiting: Vec::with_capacity(ROWS_PER_STATEMENT) }
    }

    /// Adds a row, and inserts those that wait if they are enough for a statement.
    pub(super) fn push(&mut self, connection: &Connection, row: [Option<i64>; COLUMNS]) -> rusqlite::Result<()> {
        self.waiting.push(row);
        if self.waiting.len() < ROWS_PER_STATEMENT {
            return Ok(());
        }
        let mut statement = connection.prepare_cached(&self.many)?;
        for (index, value) in self.waiting.as_flattened().iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        statement.raw_execute()?;
        self.waiting.clear();
        Ok(())
    }

    /// Inserts the rows that wait.
    pub(super) fn flush(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut statement = connection.prepare_cached(&self.one)?;
        for row in &self.waiting {
            for (index, value) in row.iter().enumerate() {
                statement.raw_bind_parameter(index + 1, value)?;
            }
            statement.raw_execute()?;
        }
        self.waiting.clear();
        Ok(())
    }

    /// Forgets the rows that wait: their group was rolled back.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }
}
