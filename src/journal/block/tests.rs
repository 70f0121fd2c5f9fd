use proptest::prelude::*;

use super::*;
use crate::journal::RecordKind;

type Owned = (SessionId, Seq, RecordKind, Stamp, Vec<u8>);

fn any_record() -> impl Strategy<Value = Owned> {
    let body = prop_oneof![
        3 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => Just(br#"{"notice":"OrderClosed","id":17,"base":63488}"#.to_vec()),
    ];
    let time = prop_oneof![4 => 0..1_000_000_i64, 1 => any::<i64>()];
    (0..3_i64, 0..4_u64, 0..RecordKind::ALL.len(), time.clone(), time, body).prop_map(
        |(session, seq, kind, wall, mono, body)| {
            let at = Stamp { wall: Timestamp(wall), mono };
            (SessionId(session), Seq(seq), RecordKind::ALL[kind], at, body)
        },
    )
}

fn build(records: &[Owned]) -> Builder {
    let mut builder = Builder::default();
    for (session, seq, kind, at, body) in records {
        builder.push(*session, *seq, &Record { kind: *kind, at: *at, body });
    }
    builder
}

fn owned(block: &Block<'_>) -> Vec<Owned> {
    block.records().map(|(session, seq, record)| (session, seq, record.kind, record.at, record.body.to_vec())).collect()
}

proptest! {
    #[test]
    fn records_come_back_as_they_were(records in proptest::collection::vec(any_record(), 0..60)) {
        let mut builder = build(&records);
        let raw_bytes = builder.bodies_bytes() as i64;
        let raw = builder.finish();
        let mut compressor = Compressor::new(1).unwrap();
        let body = compressor.compress(raw).unwrap();
        let mut reader = Reader::new().unwrap();
        let block = reader.read(CODEC_ZSTD, raw_bytes, body).unwrap();
        prop_assert_eq!(block.len(), records.len());
        prop_assert_eq!(owned(&block), records);
    }

    #[test]
    fn any_bytes_are_safe_to_read(codec in -1..3_i64, size: i64, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut reader = Reader::new().unwrap();
        for size in [size, bytes.len() as i64, 1 << 12] {
            if let Ok(block) = reader.read(codec, size, &bytes) {
                prop_assert_eq!(block.records().count(), block.len());
            }
        }
    }

    #[test]
    fn a_damaged_block_is_refused_or_stays_consistent(
        records in proptest::collection::vec(any_record(), 1..20),
        place: prop::sample::Index,
        flip in 1..=255_u8,
    ) {
        let mut builder = build(&records);
        let mut raw = builder.finish().to_vec();
        let at = place.index(raw.len());
        raw[at] ^= flip;
        if let Ok(block) = Reader::new().unwrap().parse(&raw) {
            prop_assert_eq!(block.records().count(), block.len());
        }
        raw.truncate(at);
        if let Ok(block) = Reader::new().unwrap().parse(&raw) {
            prop_assert_eq!(block.records().count(), block.len());
        }
    }

    #[test]
    fn damage_to_a_block_is_noticed(
        records in proptest::collection::vec(any_record(), 1..50),
        place: prop::sample::Index,
        flip in 1..=255_u8,
    ) {
        let mut builder = build(&records);
        let raw_bytes = builder.bodies_bytes() as i64;
        let raw = builder.finish();
        let mut compressor = Compressor::new(1).unwrap();
        let mut body = compressor.compress(raw).unwrap().to_vec();
        let at = place.index(body.len());
        body[at] ^= flip;
        if let Ok(block) = Reader::new().unwrap().read(CODEC_ZSTD, raw_bytes, &body) {
            prop_assert_eq!(owned(&block), records);
        }
    }
}

#[test]
fn consecutive_records_of_a_session_are_one_span() {
    let record = |session, seq| (SessionId(session), Seq(seq), RecordKind::Timer, Stamp::default(), Vec::new());
    let mut builder = build(&[record(1, 0), record(1, 1), record(2, 0), record(1, 2), record(1, 4)]);
    let mut reader = Reader::new().unwrap();
    let block = reader.parse(builder.finish()).unwrap();
    let span = |session, first, records| Span { session: SessionId(session), first: Seq(first), records };
    assert_eq!(block.spans(), [span(1, 0, 2), span(2, 0, 1), span(1, 2, 1), span(1, 4, 1)]);
}

#[test]
fn a_cleared_builder_starts_from_nothing() {
    let record = (SessionId(1), Seq(7), RecordKind::Received, Stamp { wall: Timestamp(9), mono: 3 }, b"{}".to_vec());
    let mut builder = build(&vec![record.clone(); 3]);
    builder.finish();
    builder.clear();
    assert!(builder.is_empty());
    builder.push(record.0, record.1, &Record { kind: record.2, at: record.3, body: &record.4 });
    assert_eq!(builder.arrivals(), (Timestamp(9), Timestamp(9)));
    assert_eq!(owned(&Reader::new().unwrap().parse(builder.finish()).unwrap()), [record]);
}

#[test]
fn a_size_beyond_the_limit_is_refused_before_memory_is_asked_for() {
    // A zstd frame that says it holds 2^40 bytes: magic number, one segment with an 8-byte size, the size.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1110_0000];
    frame.extend_from_slice(&(1_u64 << 40).to_le_bytes());
    assert_eq!(zstd::zstd_safe::get_frame_content_size(&frame).unwrap(), Some(1 << 40));
    assert!(matches!(Reader::new().unwrap().read(CODEC_ZSTD, 1, &frame), Err(BlockError::Damaged("size"))));
}

#[test]
fn a_block_that_is_not_as_long_as_its_row_says_is_refused() {
    let mut builder = build(&[(SessionId(1), Seq(0), RecordKind::Sent, Stamp::default(), b"12".to_vec())]);
    let mut compressor = Compressor::new(1).unwrap();
    let body = compressor.compress(builder.finish()).unwrap();
    let mut reader = Reader::new().unwrap();
    assert!(reader.read(CODEC_ZSTD, 2, body).is_ok());
    for raw_bytes in [-1, 0, 1, 3, i64::MAX] {
        assert!(matches!(reader.read(CODEC_ZSTD, raw_bytes, body), Err(BlockError::Size(found)) if found == raw_bytes));
    }
}

#[test]
fn what_a_newer_version_wrote_is_told_apart_from_damage() {
    let mut builder = build(&[(SessionId(1), Seq(0), RecordKind::Timer, Stamp::default(), Vec::new())]);
    let mut raw = builder.finish().to_vec();
    assert!(matches!(Reader::new().unwrap().read(2, 1, &[0]), Err(BlockError::UnknownCodec(2))));
    raw[0] = FORMAT + 1;
    assert!(matches!(Reader::new().unwrap().parse(&raw), Err(BlockError::UnknownFormat(found)) if found == FORMAT + 1));
    raw[0] = FORMAT;
    let kind = raw.iter().rposition(|byte| *byte == RecordKind::Timer as u8).unwrap();
    raw[kind] = 200;
    assert!(matches!(Reader::new().unwrap().parse(&raw), Err(BlockError::UnknownKind(200))));
}
