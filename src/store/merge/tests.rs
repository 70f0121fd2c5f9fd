use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::journal::RecordKind;
use crate::sink::Sink;
use crate::store::script::*;

/// Merges until there is nothing to do.
fn merge(store: &mut Store) -> usize {
    let mut steps = 0;
    while store.merge_step().unwrap() {
        steps += 1;
    }
    steps
}

/// Commits that each hold one frame of `bytes` bytes.
fn small_commits(store: &mut Store, script: &mut Script, commits: usize, bytes: usize) {
    let body = format!(r#"{{"notice":"OrderOpened","padding":"{}"}}"#, "x".repeat(bytes));
    for _ in 0..commits {
        store.append(&script.record(RecordKind::Received, &body, []).ship()).unwrap();
        store.commit().unwrap();
    }
}

#[test]
fn small_blocks_become_few_and_no_record_is_lost_or_renumbered() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    small_commits(&mut store, &mut script, 700, 1_000);
    let path = settings(&folder).path;
    let before = records(&path);
    assert!(merge(&mut store) > 0);
    assert_eq!(records(&path), before);
    // Those that are not enough for a block wait.
    let blocks = "SELECT frames < 300, raw_bytes > 100000 FROM frame_block ORDER BY first";
    assert!(ask(&store, blocks).starts_with("1|1\n1|1\n"));
    let rest: i64 = ask(&store, "SELECT count(*) FROM frame_block").parse().unwrap();
    assert!(rest < 300, "{rest} blocks are left");
    assert_eq!(ask(&store, "PRAGMA integrity_check"), "ok");
    assert_eq!(ask(&store, "SELECT session, first_seq, frames, first_frame FROM frame_span"), "0|0|1|1\n1|0|702|2");

    // A new process goes on where this one stopped.
    drop(store);
    let mut store = Store::open(settings(&folder)).unwrap();
    begin_at(&mut store, 1_000_000);
    let mut next = Script::opened(2);
    small_commits(&mut store, &mut next, 300, 1_000);
    let before = records(&path);
    merge(&mut store);
    assert_eq!(records(&path), before);
    let left: i64 = ask(&store, "SELECT count(*) FROM frame_block").parse().unwrap();
    assert!(left < rest + 300 - 200, "{left} blocks are left");
}

#[test]
fn large_blocks_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    small_commits(&mut store, &mut script, 5, 200_000);
    let blocks = "SELECT first, frames, raw_bytes, hex(body) FROM frame_block WHERE raw_bytes >= 131072";
    let before = ask(&store, blocks);
    assert_eq!(before.lines().count(), 5);
    merge(&mut store);
    assert_eq!(ask(&store, blocks), before);
}

#[test]
fn blocks_are_taken_together_up_to_a_large_one_a_hole_or_as_many_as_make_one() {
    let found = |from: i64, blocks: &[(i64, i64, i64)]| {
        let file = Connection::open_in_memory().unwrap();
        file.execute_batch("CREATE TABLE frame_block (first INTEGER, frames INTEGER, raw_bytes INTEGER)").unwrap();
        for block in blocks {
            file.execute("INSERT INTO frame_block VALUES (?, ?, ?)", *block).unwrap();
        }
        let Blocks { first, end, count, bytes, is_closed } = small_blocks(&file, from).unwrap();
        (first, end, count, bytes, is_closed)
    };
    let (small, large) = (SMALL_BYTES - 1, SMALL_BYTES);
    assert_eq!(found(1, &[]), (1, 1, 0, 0, false));
    assert_eq!(found(1, &[(1, 4, 10), (5, 2, 20)]), (1, 7, 2, 30, false), "more may be added to them");
    assert_eq!(found(5, &[(1, 4, 10), (5, 2, 20)]), (5, 7, 1, 20, false));
    assert_eq!(found(1, &[(1, 4, 10), (5, 2, 20), (7, 9, large)]), (1, 7, 2, 30, true));
    assert_eq!(found(1, &[(1, 4, 10), (5, 2, 20), (8, 9, 30)]), (1, 7, 2, 30, true), "7 is missing");
    assert_eq!(found(1, &[(3, 9, large), (12, 1, 10)]), (3, 12, 1, large, true));
    let full = (1, 4, 3, 2 * small + 2, true);
    assert_eq!(found(1, &[(1, 1, small), (2, 1, small), (3, 1, 2), (4, 1, 2)]), full, "they make a whole one");
    let many: Vec<_> = (1..=BLOCKS_PER_STEP_MAX as i64 + 1).map(|first| (first, 1, 1)).collect();
    let most = BLOCKS_PER_STEP_MAX as i64;
    assert_eq!(found(1, &many), (1, most + 1, BLOCKS_PER_STEP_MAX, most, true));
    assert_eq!(found(1, &many[..BLOCKS_PER_STEP_MAX]), (1, most + 1, BLOCKS_PER_STEP_MAX, most, false));
}

#[test]
fn what_is_too_little_for_a_step_waits_and_what_is_too_many_grows_with_the_next() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    let blocks = "SELECT group_concat(frames, ' ') FROM (SELECT frames FROM frame_block ORDER BY first)";
    // Ten blocks, and one that closes them.
    small_commits(&mut store, &mut script, 8, 1_000);
    small_commits(&mut store, &mut script, 1, 200_000);
    assert_eq!(merge(&mut store), 2, "the small ones, and the large one by itself");
    assert_eq!(ask(&store, blocks), "11 1", "with the records that begin a run and a session");
    // More than a step merges, all of them tiny: they are merged into one that more can be added to.
    small_commits(&mut store, &mut script, BLOCKS_PER_STEP_MAX + 2, 10);
    assert_eq!(merge(&mut store), 1);
    assert_eq!(ask(&store, blocks), format!("11 1 {BLOCKS_PER_STEP_MAX} 1 1"));
    small_commits(&mut store, &mut script, BLOCKS_PER_STEP_MAX - 2, 10);
    assert_eq!(merge(&mut store), 1);
    assert_eq!(ask(&store, blocks), format!("11 1 {} 1", 2 * BLOCKS_PER_STEP_MAX - 1));
}

#[test]
fn nothing_is_merged_while_a_group_is_open() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    small_commits(&mut store, &mut script, 400, 1_000);
    store.append(&script.frame([]).ship()).unwrap();
    assert!(!store.merge_step().unwrap());
    store.commit().unwrap();
    assert!(store.merge_step().unwrap());
}

#[test]
fn a_damaged_block_is_told_once_and_the_others_are_merged() {
    let folder = TempDir::new().unwrap();
    let mut store = recording(&folder);
    let mut script = Script::opened(1);
    small_commits(&mut store, &mut script, 600, 1_000);
    store.connection.execute("UPDATE frame_block SET body = x'00' WHERE first = 100", []).unwrap();
    assert!(matches!(store.merge_step(), Err(StoreError::Corrupt { what, .. }) if what.contains("frame_block 100")));
    assert!(merge(&mut store) > 0);
    assert_eq!(ask(&store, "SELECT hex(body) FROM frame_block WHERE first = 100"), "00");
    assert_eq!(ask(&store, "SELECT max(frames) > 200 FROM frame_block"), "1");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_merged_the_journal_stays_the_same(
        commits in proptest::collection::vec((1..4_i64, 1..4_usize, 0..90_000_usize, any::<bool>()), 1..40),
    ) {
        let folder = TempDir::new().unwrap();
        let mut store = recording(&folder);
        let mut scripts: Vec<Script> = (0..4).map(Script::opened).collect();
        let mut written = Vec::new();
        for (session, frames, bytes, merges) in commits {
            let script = &mut scripts[session as usize];
            let body = format!("{session}{}", "y".repeat(bytes));
            (0..frames).for_each(|_| _ = script.record(RecordKind::Received, &body, []));
            let batch = script.ship();
            written.extend(batch.records().map(|(seq, record)| (batch.session(), seq, record.body.to_vec())));
            store.append(&batch).unwrap();
            store.commit().unwrap();
            if merges {
                merge(&mut store);
            }
        }
        merge(&mut store);
        let stored = records(&settings(&folder).path);
        let find = "SELECT first_frame + ?2 - first_seq FROM frame_span \
             WHERE session = ?1 AND first_seq <= ?2 AND ?2 < first_seq + frames";
        for (place, (number, session, seq, ..)) in stored.iter().enumerate() {
            prop_assert_eq!(*number, place as i64 + 1);
            let found = store.connection.query_row(find, [session.0, seq.0 as i64], |row| row.get(0));
            prop_assert_eq!(found, Ok(*number));
        }
        let stored: Vec<_> = stored.into_iter().skip(1).map(|(_, session, seq, _, _, body)| (session, seq, body)).collect();
        prop_assert_eq!(stored, written);
    }
}
