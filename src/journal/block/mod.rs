//! How records lie on disk: many of them, of one or several sessions, in one compressed block.
//!
//! A block before compression is [`FORMAT`], the size of all bodies, the sizes of the following parts, and the parts.
//! Numbers are LEB128, signed ones folded (0, -1, 1, -2, …).
//!
//! | part | content |
//! |---|---|
//! | spans | per span of consecutive records of one session: session, place of the first, how many |
//! | kinds | per record one byte, the number of its [`RecordKind`](super::RecordKind) |
//! | times | per record: wall clock less the record's before; then monotonic clock less the record's before, less the former |
//! | references | per record 0 if its body is kept whole, else the number of its body's template, from 1 |
//! | lengths | per body kept whole its length |
//! | whole bodies | those bodies |
//! | templates | per template its length, its text, and the size of each of its columns |
//! | columns | per template and place in it, the numbers of the bodies that have it, less the one before |
//!
//! In the text of a template, a byte 0 stands for a number, and a byte 1 for a number with zeros ahead, which has two
//! columns: how many digits, and the number. Like things lie side by side, so they compress well.
//!
//! The number of a record within the file is the number of the block's first plus its index.

mod read;
mod template;

use std::io;

use crate::model::{Seq, SessionId, Stamp, Timestamp};

pub use self::read::{Block, BlockError, Reader, Records};

use self::template::Encoder;
use super::{Record, varint};

/// The format this module writes, and the only one it reads.
pub const FORMAT: u8 = 1;

/// A block that says it is larger than this before compression, or with its bodies put together, is damaged. Frames are
/// limited far below.
pub const BLOCK_BYTES_MAX: usize = 256 << 20;

/// How a block's bytes are stored, by its number on disk: one zstd frame with a checksum of its content. There is no
/// other way, so that damage to any block is noticed.
pub const CODEC_ZSTD: i64 = 1;

/// Consecutive records of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The session.
    pub session: SessionId,
    /// Place of the first record within its session.
    pub first: Seq,
    /// How many.
    pub records: u64,
}

impl Span {
    /// The place after the last record.
    #[must_use]
    pub fn next(&self) -> Seq {
        Seq(self.first.0 + self.records)
    }
}

/// Gathers records for a block. Keeps its memory from block to block.
#[derive(Debug, Default)]
pub struct Builder {
    spans: Vec<Span>,
    kinds: Vec<u8>,
    times: Vec<u8>,
    bodies: Encoder,
    bodies_bytes: usize,
    before: Stamp,
    earliest: Timestamp,
    latest: Timestamp,
    raw: Vec<u8>,
    parts: Vec<u8>,
}

impl Builder {
    /// Appends a record.
    pub fn push(&mut self, session: SessionId, seq: Seq, record: &Record<'_>) {
        match self.spans.last_mut() {
            Some(span) if span.session == session && span.next() == seq => span.records += 1,
            _ => self.spans.push(Span { session, first: seq, records: 1 }),
        }
        let Stamp { wall, mono } = record.at;
        let wall_step = wall.0.wrapping_sub(self.before.wall.0);
        let mono_step = mono.wrapping_sub(self.before.mono);
        varint::put_signed(&mut self.times, wall_step);
        varint::put_signed(&mut self.times, mono_step.wrapping_sub(wall_step));
        if self.kinds.is_empty() {
            (self.earliest, self.latest) = (wall, wall);
        }
        self.earliest = self.earliest.min(wall);
        self.latest = self.latest.max(wall);
        self.before = record.at;
        self.kinds.push(record.kind as u8);
        self.bodies.push(record.body);
        self.bodies_bytes += record.body.len();
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// How many bytes their bodies have.
    #[must_use]
    pub fn bodies_bytes(&self) -> usize {
        self.bodies_bytes
    }

    /// The earliest and the latest arrival in it.
    #[must_use]
    pub fn arrivals(&self) -> (Timestamp, Timestamp) {
        (self.earliest, self.latest)
    }

    /// The block, before compression. [`Builder::clear`] starts the next.
    pub fn finish(&mut self) -> &[u8] {
        let parts = &mut self.parts;
        parts.clear();
        for span in &self.spans {
            varint::put_signed(parts, span.session.0);
            varint::put(parts, span.first.0);
            varint::put(parts, span.records);
        }
        let mut sizes = vec![self.bodies_bytes, parts.len(), self.kinds.len(), self.times.len()];
        parts.extend_from_slice(&self.kinds);
        parts.extend_from_slice(&self.times);
        self.bodies.finish(parts, &mut sizes);
        self.raw.clear();
        self.raw.push(FORMAT);
        sizes.into_iter().for_each(|size| varint::put(&mut self.raw, size as u64));
        self.raw.extend_from_slice(&self.parts);
        &self.raw
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.kinds.clear();
        self.times.clear();
        self.bodies.clear();
        self.bodies_bytes = 0;
        self.before = Stamp::default();
    }
}

/// Compresses blocks, with one context and one buffer for all of them.
pub struct Compressor {
    context: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

impl Compressor {
    /// Makes one of that zstd level.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new(level: i32) -> io::Result<Self> {
        let mut context = zstd::bulk::Compressor::new(level)?;
        context.include_checksum(true)?;
        context.include_dictid(false)?;
        Ok(Self { context, buffer: Vec::new() })
    }

    /// Compresses `raw`, as [`CODEC_ZSTD`] says.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn compress(&mut self, raw: &[u8]) -> io::Result<&[u8]> {
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.context.compress_to_buffer(raw, &mut self.buffer)?;
        Ok(&self.buffer)
    }
}

#[cfg(test)]
mod tests;
