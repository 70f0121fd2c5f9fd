//! SQL of the user's: whatever it says, it only reads this one file, and it ends.
//!
//! The file is opened read-only; that alone would still let a statement attach and write others. So an authorizer lets
//! through nothing but reading, the connection is defensive and its schema not trusted, attaching has no slots, lengths
//! are limited, and a deadline interrupts what runs for too long. Sorting may use temporary files, which SQLite deletes.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement};
use thiserror::Error;

use super::StoreError;
use super::frames::{Frame, Frames};
use super::reader::Reader;

/// A value in a row of an answer.
pub type Value<'a> = ValueRef<'a>;

/// Largest text, BLOB or row: no frame is larger, by default limits of connections.
const VALUE_BYTES_MAX: i32 = 64 << 20;

/// Longest statement.
const SQL_BYTES_MAX: i32 = 1 << 20;

/// Longest pattern of LIKE and GLOB, whose cost is the product of pattern and text.
const PATTERN_BYTES_MAX: i32 = 1000;

/// All that SQLite may allocate.
const HEAP_BYTES_MAX: i64 = 1 << 30;

/// Virtual machine instructions between looks at the deadline.
const INSTRUCTIONS_PER_LOOK: i32 = 10_000;

/// Pragmas that only tell.
const PRAGMAS: &[&str] = &[
    "application_id",
    "collation_list",
    "compile_options",
    "database_list",
    "encoding",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "journal_mode",
    "module_list",
    "page_count",
    "page_size",
    "pragma_list",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// Those of them whose argument says what to tell of; an argument of the others would set something.
const PRAGMAS_WITH_ARGUMENT: &[&str] =
    &["foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list", "table_xinfo"];

/// Functions that reach beyond the database.
const FUNCTIONS_DENIED: &[&str] = &["load_extension", "fts3_tokenizer"];

/// The journal as a table. Columns are read from a frame only if a statement uses them, so looking up one session, or
/// counting, decompresses nothing that it does not show.
const FRAMES: &str = "
CREATE TEMP VIEW frames AS
SELECT n.value AS frame, s.session, s.first_seq + n.value - s.first_frame AS seq, frame_kind(n.value) AS kind,
    frame_received_at(n.value) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', frame_received_at(n.value) / 1000000000, 'unixepoch')
        || printf('.%09dZ', frame_received_at(n.value) % 1000000000) AS received_utc,
    frame_mono(n.value) AS mono, frame_text(n.value) AS text, frame_bytes(n.value) AS bytes
FROM frame_span s CROSS JOIN generate_series n ON n.start = s.first_frame AND n.stop = s.first_frame + s.frames - 1";

/// Why a statement was not answered.
#[derive(Debug, Error)]
pub enum QueryError {
    /// SQLite does not accept it, or it failed.
    #[error("{0}")]
    Statement(String),
    /// It would do more than read.
    #[error("a query only reads this one file: {0}")]
    Denied(String),
    /// There is more than one statement.
    #[error("one statement at a time, give each to a query of its own")]
    Several,
    /// There is no statement, or one without columns.
    #[error("there is nothing to answer, give a SELECT")]
    Nothing,
    /// It ran for too long.
    #[error("no answer within {}, narrow it or give it more time with --timeout", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A connection for the user's SQL.
pub struct Query {
    reader: Reader,
    timeout: Duration,
}

impl Query {
    /// Opens a database for statements that may run for `timeout` each.
    ///
    /// # Errors
    /// As for [`Reader::open`].
    pub fn open(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        let mut reader = Reader::open(path)?;
        let frames = Arc::new(Mutex::new(Frames::open(path)?));
        add_frames(&reader.connection, &frames).map_err(|error| reader.fault(error))?;
        confine(&mut reader.connection).map_err(|error| StoreError::of(path, error))?;
        Ok(Self { reader, timeout })
    }

    /// Prepares a statement and starts its time.
    ///
    /// # Errors
    /// If it is none, more than one, or would do more than read.
    pub fn prepare(&mut self, sql: &str) -> Result<Answer<'_>, QueryError> {
        let deadline = Instant::now() + self.timeout;
        let is_over = move || Instant::now() >= deadline;
        let set = self.reader.connection.progress_handler(INSTRUCTIONS_PER_LOOK, Some(is_over));
        set.map_err(|error| self.reader.fault(error))?;
        let (reader, timeout) = (&self.reader, self.timeout);
        let statement = reader.connection.prepare(sql).map_err(|error| sort(reader, timeout, error))?;
        if !statement.readonly() {
            return Err(QueryError::Denied("this would write".to_owned()));
        }
        if statement.column_count() == 0 {
            return Err(QueryError::Nothing);
        }
        Ok(Answer { reader, statement, timeout })
    }
}

/// The answer to a statement.
pub struct Answer<'q> {
    reader: &'q Reader,
    statement: Statement<'q>,
    timeout: Duration,
}

impl Answer<'_> {
    /// The names of its columns.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        self.statement.column_names().collect()
    }

    /// Gives each row to `visit`, until it breaks.
    ///
    /// # Errors
    /// If the statement fails or runs for too long.
    pub fn rows(&mut self, mut visit: impl FnMut(&[Value<'_>]) -> ControlFlow<()>) -> Result<(), QueryError> {
        let Self { reader, statement, timeout } = self;
        let sort = |error| sort(reader, *timeout, error);
        let columns = statement.column_count();
        let mut rows = statement.query([]).map_err(sort)?;
        while let Some(row) = rows.next().map_err(sort)? {
            let values: Result<Vec<_>, _> = (0..columns).map(|n| row.get_ref(n)).collect();
            if visit(&values.map_err(sort)?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn sort(reader: &Reader, timeout: Duration, error: rusqlite::Error) -> QueryError {
    let message = match &error {
        rusqlite::Error::MultipleStatement => return QueryError::Several,
        rusqlite::Error::SqlInputError { msg, offset, .. } if *offset >= 0 => format!("{msg} (at byte {offset})"),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => QueryError::TimedOut(timeout),
        Some(ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly) => QueryError::Denied(message),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::SystemIoFailure) => {
            QueryError::Store(reader.fault(error))
        }
        _ => QueryError::Statement(message),
    }
}

/// Lets the connection read, and nothing else.
fn confine(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    for (limit, bound) in [
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, bound)?;
    }
    connection.pragma_update_and_check(None, "hard_heap_limit", HEAP_BYTES_MAX, |_| Ok(()))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.authorizer(Some(authorize))
}

fn authorize(context: AuthContext<'_>) -> Authorization {
    let one_of = |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let may = match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => !one_of(FUNCTIONS_DENIED, function_name),
        AuthAction::Pragma { pragma_name, pragma_value: None } => one_of(PRAGMAS, pragma_name),
        AuthAction::Pragma { pragma_name, pragma_value: Some(_) } => one_of(PRAGMAS_WITH_ARGUMENT, pragma_name),
        _ => false,
    };
    if may { Authorization::Allow } else { Authorization::Deny }
}

/// Adds the view `frames`, and the functions it is made of: `frame_text(frame)` and so on, which serve every row that
/// names its frame.
fn add_frames(connection: &Connection, frames: &Arc<Mutex<Frames>>) -> rusqlite::Result<()> {
    rusqlite::vtab::series::load_module(connection)?;
    let add = |name: &str, value: fn(Frame<'_>) -> Owned| {
        let frames = Arc::clone(frames);
        let function = move |context: &Context<'_>| -> rusqlite::Result<ToSqlOutput<'static>> {
            let number: Option<i64> = context.get(0)?;
            let mut frames = frames.lock().unwrap_or_else(PoisonError::into_inner);
            let frame = number.map(|number| frames.get(number)).transpose();
            let frame = frame.map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?.flatten();
            Ok(ToSqlOutput::Owned(frame.map_or(Owned::Null, value)))
        };
        connection.create_scalar_function(name, 1, FunctionFlags::SQLITE_UTF8, function)
    };
    add("frame_session", |frame| Owned::Integer(frame.session.0))?;
    add("frame_seq", |frame| Owned::Integer(frame.seq.0 as i64))?;
    add("frame_kind", |frame| Owned::Text(frame.record.kind.as_str().to_owned()))?;
    add("frame_received_at", |frame| Owned::Integer(frame.record.at.wall.0))?;
    add("frame_mono", |frame| Owned::Integer(frame.record.at.mono))?;
    add("frame_text", |frame| match str::from_utf8(frame.record.body) {
        Ok(text) => Owned::Text(text.to_owned()),
        Err(_) => Owned::Null,
    })?;
    add("frame_bytes", |frame| Owned::Blob(frame.record.body.to_owned()))?;
    connection.execute_batch(FRAMES)
}
