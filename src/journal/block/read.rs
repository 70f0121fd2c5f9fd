//! Reading blocks.

use std::io;

use thiserror::Error;

use crate::model::{Seq, SessionId, Stamp, Timestamp};

use super::super::{Record, RecordKind, varint};
use super::template::Decoder;
use super::{BLOCK_BYTES_MAX, CODEC_ZSTD, FORMAT, Span};

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
    /// Its bodies have not the size that its row says.
    #[error("the bodies of a block have not the {0} bytes that its row says, it is damaged")]
    Size(i64),
    /// It does not decompress.
    #[error("a block does not decompress, it is damaged: {0}")]
    Decompress(io::Error),
    /// Its parts contradict each other.
    #[error("the {0} of a block contradict its other parts, it is damaged")]
    Damaged(&'static str),
}

/// Reads blocks, with one context and the same memory for all of them.
pub struct Reader {
    context: zstd::bulk::Decompressor<'static>,
    raw: Vec<u8>,
    bodies: Bodies,
}

/// The bodies of a block, put together.
#[derive(Default)]
struct Bodies {
    text: Vec<u8>,
    lengths: Vec<u32>,
}

impl Reader {
    /// Makes one.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new() -> io::Result<Self> {
        Ok(Self { context: zstd::bulk::Decompressor::new()?, raw: Vec::new(), bodies: Bodies::default() })
    }

    /// Reads a block from its columns of table `frame_block`: `codec`, `raw_bytes` and `body`.
    ///
    /// # Errors
    /// If the block is damaged or of a newer format. Any bytes are safe to try.
    pub fn read(&mut self, codec: i64, raw_bytes: i64, body: &[u8]) -> Result<Block<'_>, BlockError> {
        if codec != CODEC_ZSTD {
            return Err(BlockError::UnknownCodec(codec));
        }
        let size = zstd::zstd_safe::get_frame_content_size(body).ok().flatten();
        let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= BLOCK_BYTES_MAX);
        self.raw.clear();
        self.raw.reserve(size.ok_or(BlockError::Damaged("size"))?);
        self.context.decompress_to_buffer(body, &mut self.raw).map_err(BlockError::Decompress)?;
        let block = Block::parse(&self.raw, &mut self.bodies)?;
        if usize::try_from(raw_bytes) != Ok(block.bodies.len()) {
            return Err(BlockError::Size(raw_bytes));
        }
        Ok(block)
    }

    #[cfg(test)]
    pub(super) fn parse<'a>(&'a mut self, raw: &'a [u8]) -> Result<Block<'a>, BlockError> {
        Block::parse(raw, &mut self.bodies)
    }
}

/// A block that was read and found whole.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    spans: Vec<Span>,
    kinds: &'a [u8],
    times: &'a [u8],
    lengths: &'a [u32],
    bodies: &'a [u8],
}

impl<'a> Block<'a> {
    /// Reads the parts of a block that is not compressed (any more) and checks that they fit together.
    fn parse(raw: &'a [u8], bodies: &'a mut Bodies) -> Result<Self, BlockError> {
        let (&format, mut rest) = raw.split_first().ok_or(BlockError::Damaged("format"))?;
        if format != FORMAT {
            return Err(BlockError::UnknownFormat(format));
        }
        let bodies_bytes = take_size(&mut rest).filter(|bytes| *bytes <= BLOCK_BYTES_MAX);
        let bodies_bytes = bodies_bytes.ok_or(BlockError::Damaged("sizes"))?;
        let mut sizes = [0; 8];
        for size in &mut sizes {
            *size = take_size(&mut rest).ok_or(BlockError::Damaged("sizes"))?;
        }
        let mut parts = [[].as_slice(); 8];
        for (part, size) in parts.iter_mut().zip(sizes) {
            *part = rest.split_off(..size).ok_or(BlockError::Damaged("sizes"))?;
        }
        if !rest.is_empty() {
            return Err(BlockError::Damaged("sizes"));
        }
        let [mut span_bytes, kinds, times, refs, whole_lengths, whole, templates, columns] = parts;

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
        check_columns(kinds, times)?;
        let put =
            || bodies.put(Decoder::new([refs, whole_lengths, whole, templates, columns])?, kinds.len(), bodies_bytes);
        let mut put = put;
        put().ok_or(BlockError::Damaged("bodies"))?;
        Ok(Self { spans, kinds, times, lengths: &bodies.lengths, bodies: &bodies.text })
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
            lengths: self.lengths.iter(),
            bodies: self.bodies,
            before: Stamp::default(),
        }
    }
}

impl Bodies {
    /// Puts the bodies of a block together; `None` if they are not as many and as long as the block says.
    fn put(&mut self, mut decoder: Decoder<'_>, count: usize, bytes: usize) -> Option<()> {
        self.text.clear();
        self.lengths.clear();
        for _ in 0..count {
            let before = self.text.len();
            decoder.next(&mut self.text, bytes)?;
            self.lengths.push(u32::try_from(self.text.len() - before).ok()?);
        }
        (self.text.len() == bytes && decoder.is_finished()).then_some(())
    }
}

fn check_columns(kinds: &[u8], mut times: &[u8]) -> Result<(), BlockError> {
    for &kind in kinds {
        RecordKind::from_u8(kind).ok_or(BlockError::UnknownKind(kind))?;
        let step = varint::take(&mut times).and(varint::take(&mut times));
        step.ok_or(BlockError::Damaged("times"))?;
    }
    if times.is_empty() { Ok(()) } else { Err(BlockError::Damaged("times")) }
}

fn take_size(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(varint::take(bytes)?).ok()
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
    lengths: std::slice::Iter<'a, u32>,
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
        let body = self.bodies.split_off(..*self.lengths.next()? as usize)?;
        Some((session, seq, Record { kind, at, body }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.kinds.size_hint()
    }
}

impl ExactSizeIterator for Records<'_> {}
