//! What can be found wrong with a recording by reading it.
//!
//! * `file`: what SQLite itself can tell.
//! * `journal`: whether all records are there, each once, and every block can be read.
//! * `streams`: what is said of streams, and what contradictions were found.
//! * `rows`: whether the tables have what follows from the journal, and nothing else.

mod file;
mod journal;
mod rows;
mod streams;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::frames::Frames;
use super::reader::Reader;
use super::{SCHEMA_VERSION, StoreError};

/// Findings told of one thing (a table, or all of another aspect); beyond, they are counted.
const TOLD_MAX: u64 = 10;

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// SQLite's file.
    File,
    /// The journal: its blocks, and that no record is missing.
    Journal,
    /// The tables, which must have what follows from the journal.
    Rows,
    /// What is said of streams: one thing at any time.
    Coverage,
    /// What the venue sent and contradicts itself.
    Contradictions,
}

impl Aspect {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::File, Self::Journal, Self::Rows, Self::Coverage, Self::Contradictions];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Journal => "journal",
            Self::Rows => "rows",
            Self::Coverage => "coverage",
            Self::Contradictions => "contradictions",
        }
    }
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub aspect: Aspect,
    /// Where: a row, a block, a stream.
    pub place: String,
    /// What is wrong there, one clause.
    pub what: String,
}

/// A table as it is, compared with what follows from the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Its name.
    pub table: String,
    /// Rows it has.
    pub rows: u64,
    /// Rows that it should have and has not.
    pub missing: u64,
    /// Rows that it has and should not have.
    pub unexpected: u64,
    /// Rows that differ in a column.
    pub different: u64,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Runs of the recorder.
    pub runs: u64,
    /// Sessions.
    pub sessions: u64,
    /// Streams.
    pub streams: u64,
    /// Blocks of the journal.
    pub blocks: u64,
    /// Records in them.
    pub records: u64,
    /// Times that something was found to have changed unseen, during a gap. That is no contradiction.
    pub changed_unseen: u64,
    /// The tables, if they were compared.
    pub tables: Option<Vec<TableReport>>,
    /// How many findings there are of each aspect.
    pub counts: BTreeMap<Aspect, u64>,
    /// The findings; of many of a kind only the first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counts.values().all(|count| *count == 0)
    }

    /// How many findings there are of an aspect.
    #[must_use]
    pub fn count(&self, aspect: Aspect) -> u64 {
        self.counts.get(&aspect).copied().unwrap_or(0)
    }

    fn find(&mut self, aspect: Aspect, place: impl Into<String>, what: impl Into<String>) {
        let count = self.counts.entry(aspect).or_default();
        *count += 1;
        if *count <= TOLD_MAX {
            self.tell(aspect, place, what);
        }
    }

    fn tell(&mut self, aspect: Aspect, place: impl Into<String>, what: impl Into<String>) {
        self.findings.push(Finding { aspect, place: place.into(), what: what.into() });
    }
}

/// Looks through a recording as it is at one instant, whatever is recorded meanwhile.
pub struct Verifier {
    frames: Frames,
    report: Report,
}

impl Verifier {
    /// Opens a recording.
    ///
    /// # Errors
    /// As for [`Reader::open`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (reader, found) = Reader::open_at_this_instant(path)?;
        if found < SCHEMA_VERSION {
            return Err(StoreError::Older { path: path.to_owned(), found, known: SCHEMA_VERSION });
        }
        Ok(Self { frames: Frames::of(reader)?, report: Report::default() })
    }

    /// The journal.
    pub fn frames(&mut self) -> &mut Frames {
        &mut self.frames
    }

    /// Notes what else is wrong with the journal.
    pub fn find_in_journal(&mut self, place: String, what: String) {
        self.report.find(Aspect::Journal, place, what);
    }

    /// What was found so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Ends with what was found.
    #[must_use]
    pub fn finish(self) -> Report {
        self.report
    }

    /// Looks at a part. If the file is so damaged that it cannot be read to the end, that is what was found.
    fn look(&mut self, part: impl FnOnce(&Reader, &mut Report) -> Result<(), StoreError>) -> Result<(), StoreError> {
        match part(self.frames.reader(), &mut self.report) {
            Err(StoreError::Corrupt { what, .. }) => {
                self.report.find(Aspect::File, "sqlite", what);
                Ok(())
            }
            other => other,
        }
    }
}
