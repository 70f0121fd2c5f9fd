//! How records lie on disk: many of them, of one or several sessions, in one compressed block.
//!
//! A block before compression, one part after the other. Numbers are LEB128, signed ones folded (0, -1, 1, -2, …).
//!
//! | part | content |
//! |---|---|
//! | bodies | the bodies of all records |
//! | spans | per span of consecutive records of one session: session, place of the first, how many |
//! | kinds | per record one byte, the number of its [`RecordKind`] |
//! | times | per record: wall clock less the record's before; then monotonic clock less the record's before, less the former |
//! | lengths | per record the length of its body |
//! | trailer | the lengths of bodies, spans, times and lengths as 32 bits each, little-endian, then [`FORMAT`] |
//!
//! Like things lie side by side, so they compress well; the bodies come first so that they are gathered in place.
//! The number of a record within the file is the number of the block's first plus its index.

use std::io;

use thiserror::Error;

use crate::model::{Seq, SessionId, Stamp, Timestamp};

use super::{Record, RecordKind, varint};

/// The format this module writes, and the only one it reads.
pub const FORMAT: u8 = 1;

/// A block that says it is larger than this before compression is damaged. Frames are limited far below.
pub const BLOCK_BYTES_MAX: usize = 256 << 20;

const TRAILER_BYTES: usize = 4 * 4 + 1;

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
    raw: Vec<u8>,
    spans: Vec<Span>,
    kinds: Vec<u8>,
    times: Vec<u8>,
    lengths: Vec<u8>,
    before: Stamp,
    earliest: Timestamp,
    latest: Timestamp,
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
        varint::put(&mut self.lengths, record.body.len() as u64);
        self.raw.extend_from_slice(record.body);
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

    /// About how many bytes the block will have before compression.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.raw.len() + self.kinds.len() + self.times.len() + self.lengths.len()
    }

    /// The earliest and the latest arrival in it.
    #[must_use]
    pub fn arrivals(&self) -> (Timestamp, Timestamp) {
        (self.earliest, self.latest)
    }

    /// Completes the block and returns it, before compression. [`Builder::clear`] starts the next.
    ///
    /// # Panics
    /// If a part has 4 GiB or more; whoever fills the builder stops at a size far below.
    pub fn finish(&mut self) -> &[u8] {
        let part = |bytes: usize| u32::try_from(bytes).expect("a part of a block is smaller than 4 GiB").to_le_bytes();
        let bodies = self.raw.len();
        for span in &self.spans {
            varint::put_signed(&mut self.raw, span.session.0);
            varint::put(&mut self.raw, span.first.0);
            varint::put(&mut self.raw, span.records);
        }
        let spans = self.raw.len() - bodies;
        self.raw.extend_from_slice(&self.kinds);
        self.raw.extend_from_slice(&self.times);
        self.raw.extend_from_slice(&self.lengths);
        for bytes in [bodies, spans, self.times.len(), self.lengths.len()] {
            self.raw.extend_from_slice(&part(bytes));
        }
        self.raw.push(FORMAT);
        &self.raw
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.raw.clear();
        self.spans.clear();
        self.kinds.clear();
        self.times.clear();
        self.lengths.clear();
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

/// Why a block cannot be read.
#[derive(Debug, Error)]
pub enum BlockError {
    /// Its codec number is not [`CODEC_ZSTD`].
    #[error("unknown codec {0}, a newer feedtape may know it")]
    UnknownCodec(i64),
    /// Its format is not [`FORMAT`].
    #[error("unknown block format {0}, a newer feedtape may know it")]
    UnknownFormat(u8),
    /// A record has a kind that is none of [`RecordKind`].
    #[error("unknown record kind {0}, a newer feedtape may know it")]
    UnknownKind(u8),
    /// It says it is larger than [`BLOCK_BYTES_MAX`], or not a size at all.
    #[error("{0} bytes is no size of a block, it is damaged")]
    Size(i64),
    /// It does not decompress.
    #[error("a block does not decompress, it is damaged: {0}")]
    Decompress(io::Error),
    /// Its parts contradict each other.
    #[error("the {0} of a block contradict its other parts, it is damaged")]
    Damaged(&'static str),
}

/// Reads blocks, with one context and one buffer for all of them.
pub struct Reader {
    context: zstd::bulk::Decompressor<'static>,
    buffer: Vec<u8>,
}

impl Reader {
    /// Makes one.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new() -> io::Result<Self> {
        Ok(Self { context: zstd::bulk::Decompressor::new()?, buffer: Vec::new() })
    }

    /// Reads a block from its columns of table `frame_block`: `codec`, `raw_bytes` and `body`.
    ///
    /// # Errors
    /// If the block is damaged or of a newer format. Any bytes are safe to try.
    pub fn read(&mut self, codec: i64, raw_bytes: i64, body: &[u8]) -> Result<Block<'_>, BlockError> {
        let size = usize::try_from(raw_bytes)
            .ok()
            .filter(|size| *size <= BLOCK_BYTES_MAX)
            .ok_or(BlockError::Size(raw_bytes))?;
        if codec != CODEC_ZSTD {
            return Err(BlockError::UnknownCodec(codec));
        }
        self.buffer.clear();
        self.buffer.reserve(size);
        self.context.decompress_to_buffer(body, &mut self.buffer).map_err(BlockError::Decompress)?;
        if self.buffer.len() != size {
            return Err(BlockError::Damaged("size"));
        }
        Block::parse(&self.buffer)
    }
}

/// A block that was read and found whole.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    bodies: &'a [u8],
    spans: Vec<Span>,
    kinds: &'a [u8],
    times: &'a [u8],
    lengths: &'a [u8],
}

impl<'a> Block<'a> {
    /// Reads the parts of a block that is not compressed (any more) and checks that they fit together.
    ///
    /// # Errors
    /// If they do not.
    pub fn parse(raw: &'a [u8]) -> Result<Self, BlockError> {
        let (&format, rest) = raw.split_last().ok_or(BlockError::Damaged("trailer"))?;
        if format != FORMAT {
            return Err(BlockError::UnknownFormat(format));
        }
        let (rest, trailer) =
            rest.split_at_checked(raw.len().saturating_sub(TRAILER_BYTES)).ok_or(BlockError::Damaged("trailer"))?;
        let (parts, _) = trailer.as_chunks::<4>();
        let &[bodies, spans, times, lengths] = parts else { return Err(BlockError::Damaged("trailer")) };
        let size = |part: [u8; 4]| u32::from_le_bytes(part) as usize;
        let from_front = |rest: &mut &'a [u8], bytes| {
            let (part, after) = rest.split_at_checked(bytes).ok_or(BlockError::Damaged("parts"))?;
            *rest = after;
            Ok(part)
        };
        let mut rest = rest;
        let bodies = from_front(&mut rest, size(bodies))?;
        let mut span_bytes = from_front(&mut rest, size(spans))?;
        let kinds = rest.len().checked_sub(size(times)).and_then(|bytes| bytes.checked_sub(size(lengths)));
        let kinds = from_front(&mut rest, kinds.ok_or(BlockError::Damaged("parts"))?)?;
        let times = from_front(&mut rest, size(times))?;
        let lengths = rest;

        let mut spans = Vec::new();
        let mut records = 0_u64;
        while !span_bytes.is_empty() {
            let span = take_span(&mut span_bytes).ok_or(BlockError::Damaged("spans"))?;
            records = records.checked_add(span.records).ok_or(BlockError::Damaged("spans"))?;
            spans.push(span);
        }
        if records != kinds.len() as u64 {
            return Err(BlockError::Damaged("spans"));
        }
        let block = Self { bodies, spans, kinds, times, lengths };
        block.check_columns()?;
        Ok(block)
    }

    fn check_columns(&self) -> Result<(), BlockError> {
        let (mut times, mut lengths) = (self.times, self.lengths);
        let mut left = self.bodies.len() as u64;
        for &kind in self.kinds {
            RecordKind::from_u8(kind).ok_or(BlockError::UnknownKind(kind))?;
            let step = varint::take(&mut times).and(varint::take(&mut times));
            step.ok_or(BlockError::Damaged("times"))?;
            let length = varint::take(&mut lengths).filter(|length| u32::try_from(*length).is_ok());
            left = length.and_then(|length| left.checked_sub(length)).ok_or(BlockError::Damaged("lengths"))?;
        }
        if !times.is_empty() {
            return Err(BlockError::Damaged("times"));
        }
        if left != 0 || !lengths.is_empty() {
            return Err(BlockError::Damaged("lengths"));
        }
        Ok(())
    }

    /// How many records it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether it has no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The spans, in order.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The records in order, each with its session and its place there. Nothing is copied.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records {
            spans: self.spans.iter(),
            span: Span { session: SessionId::RECORDER, first: Seq(0), records: 0 },
            kinds: self.kinds.iter(),
            times: self.times,
            lengths: self.lengths,
            bodies: self.bodies,
            before: Stamp::default(),
        }
    }
}

fn take_span(bytes: &mut &[u8]) -> Option<Span> {
    let session = SessionId(varint::take_signed(bytes)?);
    let first = Seq(varint::take(bytes)?);
    let records = varint::take(bytes)?;
    first.0.checked_add(records)?;
    Some(Span { session, first, records })
}

/// Iterates over the records of a block.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    spans: std::slice::Iter<'a, Span>,
    span: Span,
    kinds: std::slice::Iter<'a, u8>,
    times: &'a [u8],
    lengths: &'a [u8],
    bodies: &'a [u8],
    before: Stamp,
}

impl<'a> Iterator for Records<'a> {
    type Item = (SessionId, Seq, Record<'a>);

    // `Block::parse` has checked the columns, so that none ends before the kinds do.
    fn next(&mut self) -> Option<Self::Item> {
        let kind = RecordKind::from_u8(*self.kinds.next()?)?;
        while self.span.records == 0 {
            self.span = *self.spans.next()?;
        }
        let (session, seq) = (self.span.session, self.span.first);
        self.span.first = seq.next();
        self.span.records -= 1;
        let wall_step = varint::take_signed(&mut self.times)?;
        let mono_step = varint::take_signed(&mut self.times)?.wrapping_add(wall_step);
        let wall = Timestamp(self.before.wall.0.wrapping_add(wall_step));
        let at = Stamp { wall, mono: self.before.mono.wrapping_add(mono_step) };
        self.before = at;
        let length = usize::try_from(varint::take(&mut self.lengths)?).ok()?;
        let (body, rest) = self.bodies.split_at_checked(length)?;
        self.bodies = rest;
        Some((session, seq, Record { kind, at, body }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.kinds.size_hint()
    }
}

impl ExactSizeIterator for Records<'_> {}

#[cfg(test)]
mod tests;
