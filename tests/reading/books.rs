//! `feedtape book`.

use super::recording::{NOON, Recording, SECOND, printed, refused};
use feedtape::model::CloseCause;

/// A book for a minute; a gap of a minute; another book.
fn recorded() -> (tempfile::TempDir, std::path::PathBuf) {
    let mut recording = Recording::start();
    let mut session = recording.connect(0);
    session.receive(
        r#"{"notice":"OrderOpened","id":7,"base":63488,"counter":65283,"quantity":10000,"price":31500,"time":1580472000100000}"#,
    );
    session.receive(
        r#"{"notice":"OrderOpened","id":8,"base":63488,"counter":65283,"quantity":5000,"price":31500,"time":1580472000100000}"#,
    );
    session.commit();
    session.wait(60 * SECOND);
    session.close(CloseCause::Transport);
    let mut session = recording.connect(120 * SECOND);
    session.commit();
    session.wait(60 * SECOND);
    let now = session.close(CloseCause::Stopped);
    recording.stop(now)
}

#[test]
fn the_book_is_printed_as_it_was_with_cumulative_sizes_and_until_when_it_is_verified() {
    let (_folder, path) = recorded();
    let path = path.to_str().unwrap();
    let at = (NOON + 30 * SECOND).to_string();
    let csv = printed(&["book", path, "XBT:USDT", "--at", &at, "--format", "csv", "--depth", "1"]);
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 3, "{csv}");
    assert!(
        rows[1].starts_with("flex,XBT:USDT,1580472030000000000,2020-01-31T12:00:30.000000000Z,consistent,"),
        "{csv}"
    );
    assert!(rows[1].ends_with(",sell,1,3.2000,1.0000,1,1.0000"), "{csv}");
    assert!(rows[2].ends_with(",buy,1,3.1500,1.5000,2,1.5000"), "{csv}");
    let table = printed(&["book", path, "XBT:USDT", "--at", "2020-01-31T12:00:30Z"]);
    assert!(table.starts_with("XBT:USDT (flex) at 2020-01-31T12:00:30.000000000Z: consistent until 2020-01-31T12:01:"));
    // The newest is that of the second connection, which begins with another snapshot.
    let newest = printed(&["book", path, "XBT:USDT", "--format", "jsonl"]);
    assert!(newest.contains("2020-01-31T12:03:") && !newest.contains("3.1500"), "{newest}");
}

#[test]
fn in_a_gap_there_is_no_book_and_the_reason_is_given() {
    let (_folder, path) = recorded();
    let path = path.to_str().unwrap();
    let (code, said) = refused(&["book", path, "XBT:USDT", "--at", "2020-01-31T12:01:30Z"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not known at 2020-01-31T12:01:30.000000000Z: gap from 2020-01-31T12:01:0"), "{said}");
    assert!(said.contains("not_connected") && said.contains("it is known until before"), "{said}");
    assert!(said.contains("it is known from 2020-01-31T12:02:"), "{said}");
    for at in ["2020-01-30", "2020-02-01"] {
        let (code, said) = refused(&["book", path, "XBT:USDT", "--at", at]);
        assert!(code == Some(1) && said.contains("nothing is said of the book"), "{said}");
    }
}

#[test]
fn a_market_without_a_book_is_told_with_what_may_have_been_meant() {
    let (_folder, path) = recorded();
    let path = path.to_str().unwrap();
    let (code, said) = refused(&["book", path, "XBT:UDST"]);
    assert!(code == Some(1) && said.contains("no book of `XBT:UDST` in it, did you mean `XBT:USDT`"), "{said}");
    let (code, said) = refused(&["book", path, "XBT:USDT", "--source", "felx"]);
    assert!(code == Some(1) && said.contains("of source `felx` in it, did you mean `flex`"), "{said}");
}
