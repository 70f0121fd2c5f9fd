//! Whether the tables have what follows from the journal: each row is compared with the row of a database that was
//! derived anew, in the order of their keys.

use std::cmp::Ordering;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Statement};

use super::{Aspect, Report, TOLD_MAX, TableReport, Verifier};
use crate::store::writer::EVENT_BITS;
use crate::store::{Store, StoreError};

/// Characters of a value that are shown.
const SHOWN_CHARS_MAX: usize = 60;

/// Columns that are told of a row that differs.
const COLUMNS_TOLD_MAX: usize = 3;

impl Verifier {
    /// Compares every table but those of the journal with what was derived from that, and the schema as well.
    /// `progress` is told how many tables are done, and of how many.
    ///
    /// # Errors
    /// If either cannot be read.
    pub fn rows(&mut self, derived: &Store, mut progress: impl FnMut(u64, u64)) -> Result<(), StoreError> {
        self.look(|reader, report| {
            let (recorded, derived) = (&reader.connection, &derived.connection);
            let mut compare = || -> rusqlite::Result<()> {
                schema(recorded, derived, report)?;
                let tables = tables(derived)?;
                for (done, table) in (1..).zip(&tables) {
                    if has(recorded, "table", table)? {
                        compare(recorded, derived, table, report)?;
                    }
                    progress(done, tables.len() as u64);
                }
                Ok(())
            };
            compare().map_err(|error| reader.fault(error))
        })
    }
}

/// Tables, indexes and views are as this program makes them. There may be others.
fn schema(recorded: &Connection, derived: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let select = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
    let mut select = derived.prepare(select)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if !has(recorded, &kind, &name)? {
            report.find(Aspect::Rows, format!("{kind} {name}"), "is missing");
            continue;
        }
        let find = "SELECT sql = ?3 FROM sqlite_schema WHERE type = ?1 AND name = ?2";
        if !recorded.prepare_cached(find)?.query_row([&kind, &name, &sql], |row| row.get::<_, bool>(0))? {
            report.find(Aspect::Rows, format!("{kind} {name}"), "is another than feedtape makes");
        }
    }
    Ok(())
}

fn has(connection: &Connection, kind: &str, name: &str) -> rusqlite::Result<bool> {
    let find = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = ? AND name = ?)";
    connection.prepare_cached(find)?.query_row([kind, name], |row| row.get(0))
}

/// The tables that are derived from the journal. How that itself lies in its tables says nothing.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let select = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND name NOT IN ('frame_block', 'frame_span') ORDER BY rowid";
    let mut select = connection.prepare(select)?;
    let names = select.query_map([], |row| row.get(0))?;
    names.collect()
}

/// The columns of a table that are stored, and those of them that are its key.
struct Columns {
    names: Vec<String>,
    key: Vec<usize>,
}

impl Columns {
    fn of(connection: &Connection, table: &str) -> rusqlite::Result<Self> {
        let mut select = connection.prepare("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid")?;
        let columns: Vec<(String, i64)> =
            select.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let mut key: Vec<usize> = (0..columns.len()).filter(|n| columns[*n].1 > 0).collect();
        key.sort_by_key(|n| columns[*n].1);
        Ok(Self { names: columns.into_iter().map(|(name, _)| name).collect(), key })
    }

    /// All rows in the order of their keys.
    fn select<'c>(&self, connection: &'c Connection, table: &str) -> rusqlite::Result<Statement<'c>> {
        let key: Vec<_> = self.key.iter().map(|n| self.names[*n].as_str()).collect();
        let names = self.names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        connection.prepare(&format!("SELECT {names} FROM \"{table}\" ORDER BY {}", key.join(", ")))
    }

    fn compare_keys(&self, recorded: &Row<'_>, derived: &Row<'_>) -> rusqlite::Result<Ordering> {
        for n in &self.key {
            let order = order(recorded.get_ref(*n)?, derived.get_ref(*n)?);
            if order != Ordering::Equal {
                return Ok(order);
            }
        }
        Ok(Ordering::Equal)
    }

    /// What differs between two rows of the same key, if anything does.
    fn difference(&self, recorded: &Row<'_>, derived: &Row<'_>) -> rusqlite::Result<Option<String>> {
        let mut told = Vec::new();
        let mut others = 0;
        for (n, name) in self.names.iter().enumerate() {
            let (is, should) = (recorded.get_ref(n)?, derived.get_ref(n)?);
            if is == should {
                continue;
            }
            if told.len() == COLUMNS_TOLD_MAX {
                others += 1;
            } else {
                told.push(format!("{name} is {} and should be {}", shown(is), shown(should)));
            }
        }
        if others > 0 {
            told.push(format!("{others} more columns differ"));
        }
        Ok((!told.is_empty()).then(|| told.join(", ")))
    }

    fn place(&self, table: &str, row: &Row<'_>) -> rusqlite::Result<String> {
        let mut place = table.to_owned();
        for n in &self.key {
            place.push_str(&format!(" {}", shown(row.get_ref(*n)?)));
        }
        let id = self.key.first().map(|n| row.get_ref(*n)).transpose()?;
        if let Some(ValueRef::Integer(id)) = id
            && id >> EVENT_BITS > 0
        {
            place.push_str(&format!(" (frame {})", id >> EVENT_BITS));
        }
        Ok(place)
    }
}

fn compare(recorded: &Connection, derived: &Connection, table: &str, report: &mut Report) -> rusqlite::Result<()> {
    let columns = Columns::of(derived, table)?;
    let (mut recorded, mut derived) = (columns.select(recorded, table)?, columns.select(derived, table)?);
    let (mut recorded, mut derived) = (recorded.query([])?, derived.query([])?);
    let mut counts = TableReport { table: table.to_owned(), ..TableReport::default() };
    let mut told = 0;
    let mut find = |place: String, what: String| {
        told += 1;
        *report.counts.entry(Aspect::Rows).or_default() += 1;
        if told <= TOLD_MAX {
            report.tell(Aspect::Rows, place, what);
        }
    };
    let (mut is, mut should) = (recorded.next()?, derived.next()?);
    loop {
        let order = match (is, should) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(is), Some(should)) => columns.compare_keys(is, should)?,
        };
        match (order, is, should) {
            (Ordering::Equal, Some(row), Some(expected)) => {
                if let Some(what) = columns.difference(row, expected)? {
                    counts.different += 1;
                    find(columns.place(table, row)?, what);
                }
            }
            (Ordering::Less, Some(row), _) => {
                counts.unexpected += 1;
                find(columns.place(table, row)?, "does not follow from the journal".to_owned());
            }
            (Ordering::Greater, _, Some(row)) => {
                counts.missing += 1;
                find(columns.place(table, row)?, "is missing, it follows from the journal".to_owned());
            }
            _ => {}
        }
        if order != Ordering::Greater {
            counts.rows += 1;
            is = recorded.next()?;
        }
        if order != Ordering::Less {
            should = derived.next()?;
        }
    }
    report.tables.get_or_insert_default().push(counts);
    Ok(())
}

/// As SQLite sorts.
fn order(one: ValueRef<'_>, other: ValueRef<'_>) -> Ordering {
    fn class(value: ValueRef<'_>) -> u8 {
        match value {
            ValueRef::Null => 0,
            ValueRef::Integer(_) | ValueRef::Real(_) => 1,
            ValueRef::Text(_) => 2,
            ValueRef::Blob(_) => 3,
        }
    }
    match (one, other) {
        (ValueRef::Integer(one), ValueRef::Integer(other)) => one.cmp(&other),
        (ValueRef::Text(one), ValueRef::Text(other)) | (ValueRef::Blob(one), ValueRef::Blob(other)) => one.cmp(other),
        _ => class(one).cmp(&class(other)),
    }
}

/// A value for people; a long one by its beginning.
fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(text) => {
            let text = String::from_utf8_lossy(text);
            let end = text.char_indices().nth(SHOWN_CHARS_MAX).map(|(end, _)| end);
            end.map_or_else(|| format!("'{text}'"), |end| format!("'{}…'", &text[..end]))
        }
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_the_order_that_sqlite_sorts_them_in() {
        let values = [
            ValueRef::Null,
            ValueRef::Integer(-1),
            ValueRef::Integer(2),
            ValueRef::Text(b"10"),
            ValueRef::Text(b"9"),
            ValueRef::Blob(b"1"),
            ValueRef::Blob(b"2"),
        ];
        for (place, one) in values.iter().enumerate() {
            for (other_place, other) in values.iter().enumerate() {
                assert_eq!(order(*one, *other), place.cmp(&other_place), "{one:?} {other:?}");
            }
        }
    }
}
